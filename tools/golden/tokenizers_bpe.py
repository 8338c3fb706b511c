#!/usr/bin/env python3
"""Goldens for src/text from the `tokenizers` package 0.23.3: small byte-level BPE tokenisers, one
per row of the split table, the ids and texts it gives; the properties of every code point as the
package sees them; NFC as Python's unicodedata and the package agree on it.

Usage: tools/golden/tokenizers_bpe.py PROSE...   (text files, .gz allowed; tinystories, fairy tales)
Writes tests/data/text/. Deterministic.
"""
import gzip
import json
import os
import random
import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers import processors, trainers

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import split_stages  # noqa: E402
from split_stages import LLAMA, QWEN  # noqa: E402
from text_strings import HAND, strings  # noqa: E402

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/data/text")
VOCABULARY = 2000
SOURCE_LINES = [
    "def main(args):", "    return [x for x in range(10) if x % 2 == 0]", "#include <vector>", "\t\tbreak;",
    "Привет, мир! Как дела?", "你好，世界！今天天气很好。", "こんにちは世界", "안녕하세요 세계", "मेरा नाम", "Ünïcödé naïve façade",
    "it's we're I'll DON'T", "1234567890 2024 3.14", "🙂👍🏽", "\r\n\r\n", "word <tool>",
]


def read(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        return file.read(400_000)


def byte_level(use_regex, prefix=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=use_regex)


def split_then_bytes(pattern, prefix=False):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"), byte_level(False, prefix)])


def digits_then_bytes(prefix=False):
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), byte_level(True, prefix)])


def added_tokens():
    return [
        AddedToken("<|endoftext|>", special=True, normalized=False),
        AddedToken("<|end", special=False, normalized=False),
        # Inside a special token: not found there, even where specials are read as text.
        AddedToken("oftext", special=False, normalized=False),
        AddedToken("<tool>", special=False, normalized=False),
        AddedToken("word", special=False, single_word=True, normalized=False),
        AddedToken("<strip>", special=True, lstrip=True, rstrip=True, normalized=False),
        AddedToken("  ", special=False, normalized=False),
        AddedToken("cafe\u0301x", special=False, normalized=True),
    ]


def train(pre, corpus, normalizer=None, alphabet=True, size=VOCABULARY):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre
    if normalizer is not None:
        tok.normalizer = normalizer
    tok.decoder = decoders.ByteLevel()
    initial = sorted(pre_tokenizers.ByteLevel.alphabet()) if alphabet else []
    tok.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=size, show_progress=False, initial_alphabet=initial))
    return tok


def with_model(tok, change):
    """The tokeniser with its JSON changed."""
    data = json.loads(tok.to_str())
    change(data)
    return Tokenizer.from_str(json.dumps(data))


def cases(tok, texts):
    """[text, ids with specials, ids with specials read as text where those differ]."""
    rows = []
    for text in texts:
        tok.encode_special_tokens = False
        ids = tok.encode(text).ids
        tok.encode_special_tokens = True
        plain = tok.encode(text).ids
        rows.append([text, ids] if ids == plain else [text, ids, plain])
    tok.encode_special_tokens = False
    return rows


def decodings(tok, seed, count=60):
    """[ids, text, text with specials] of random ids, so mostly not valid UTF-8."""
    rng = random.Random(seed)
    size = tok.get_vocab_size()
    rows = []
    for _ in range(count):
        pool = [rng.randrange(256) if rng.random() < 0.5 else rng.randrange(size - 12, size) if
                rng.random() < 0.2 else rng.randrange(size) for _ in range(rng.randint(1, 20))]
        rows.append([pool, tok.decode(pool), tok.decode(pool, skip_special_tokens=False)])
    return rows


def write(name, data):
    path = os.path.join(OUT, name)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(data, file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")
    assert os.path.getsize(path) < 150_000, (path, os.path.getsize(path))


def emit(name, tok, seed, variants=()):
    """One tokenizer.json and its cases; a variant changes add_prefix_space only."""
    tok.add_tokens(added_tokens())
    write(f"{name}.tokenizer.json", json.loads(tok.to_str()))
    texts = strings(len(HAND) + 170, seed, 20)
    sections = [{"add_prefix_space": False, "cases": cases(tok, texts)}]
    for pre in variants:
        tok.pre_tokenizer = pre
        sections.append({"add_prefix_space": True, "cases": cases(tok, texts[:len(HAND) + 20])})
    write(f"{name}.cases.json", {"made_by": f"tokenizers {tokenizers.__version__}",
                                 "sections": sections, "decode": decodings(tok, seed)})


def rows_of_the_split_table(corpus):
    emit("gpt2", train(byte_level(True), corpus), 1, [byte_level(True, True)])
    emit("smollm", train(digits_then_bytes(), corpus), 2, [digits_then_bytes(True)])

    llama = train(split_then_bytes(LLAMA), corpus)

    def ignore_merges(data):
        model = data["model"]
        model["ignore_merges"] = True
        # Tokens that no merge makes: only the whole piece gives them.
        for token in ("\u0120helloworld", "\u0120princesses", "xyzzy", "\u010a\u010a\u010a"):
            model["vocab"].setdefault(token, len(model["vocab"]))

    llama = with_model(llama, ignore_merges)
    llama.add_special_tokens(["<|begin|>"])
    begin = llama.token_to_id("<|begin|>")
    llama.post_processor = processors.TemplateProcessing(
        single="<|begin|> $A", pair="<|begin|> $A $B", special_tokens=[("<|begin|>", begin)])
    emit("llama", llama, 3, [split_then_bytes(LLAMA, True)])
    emit("qwen2", train(split_then_bytes(QWEN), corpus, normalizers.NFC()), 4,
         [split_then_bytes(QWEN, True)])


def pieces():
    """Where the stages of each row cut: characters per piece."""
    texts = strings(len(HAND) + 250, 6, 16)
    data = {"stages": split_stages.ROWS, "strings": texts}
    for name in split_stages.ROWS:
        split = split_stages.pre_tokenizer(name)
        data[name] = [split_stages.lengths(split, t) for t in texts]
    return data


def bytes_that_are_missing(corpus):
    """A vocabulary without most bytes, with and without an unknown token; merges listed twice."""
    english = [line for line in corpus if line.isascii()]
    tok = train(byte_level(True), english, alphabet=False, size=300)

    def twice(data):
        merges = data["model"]["merges"]
        merges += merges[:8]  # now the last to be applied, not the first

    once, tok = tok, with_model(tok, twice)
    assert once.encode("then the other").ids != tok.encode("then the other").ids
    # In the alphabet.
    tok.add_tokens([AddedToken("\u00e9t\u00e9", special=False, normalized=False)])
    texts = strings(len(HAND) + 40, 5, 12)
    sections = [{"unknown": None, "cases": cases(tok, texts)}]
    # As written by hand: the package itself writes every merge once.
    written = json.loads(tok.to_str())
    written["model"] = json.loads(once.to_str())["model"]
    twice(written)
    write("holes.tokenizer.json", written)

    def unknown(data):
        data["model"]["unk_token"] = "!"

    sections.append({"unknown": "!", "cases": cases(with_model(tok, unknown), texts)})
    write("holes.cases.json", {"made_by": f"tokenizers {tokenizers.__version__}",
                               "sections": sections, "decode": decodings(tok, 5)})


def runs(members):
    """Sorted code points as [gap to the last end, length, ...]."""
    flat, end = [], 0
    for code in sorted(members):
        if flat and code == end:
            flat[-1] += 1
        else:
            flat += [code - end, 1]
        end = code + 1
    return flat


def properties():
    everything = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]

    def by_regex(pattern):
        matched = set()
        split = pre_tokenizers.Split(Regex(pattern), "removed")
        for start in range(0, len(everything), 4096):
            part = everything[start:start + 4096]
            left = split.pre_tokenize_str("".join(map(chr, part)))
            matched |= set(part) - {ord(c) for piece, _ in left for c in piece}
        return matched

    def by_added_token(test, **how):
        tok = Tokenizer(models.BPE({"<none>": 0}, []))
        tok.add_tokens([AddedToken("<q>", normalized=False, **how)])
        encoded = tok.encode_batch(["<q>" + chr(c) for c in everything])
        return {c for c, e in zip(everything, encoded) if test(e)}

    split = pre_tokenizers.Digits(individual_digits=True)
    digits = {c for c in everything if len(split.pre_tokenize_str("a" + chr(c) + "a")) == 3}
    return {
        "letter": runs(by_regex(r"\p{L}")), "number": runs(by_regex(r"\p{N}")),
        "mark": runs(by_regex(r"\p{M}")), "space": runs(by_regex(r"\s")),
        "word": runs(by_added_token(lambda e: not e.ids, single_word=True)), "digit": runs(digits),
    }


def nfc():
    package = normalizers.NFC()
    codes = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    # Unicode 9 and Python's tables agree on these: characters that both normalise alike when
    # put before and after marks of other classes.
    probes = ("a%s\u0334", "a\u0345%s", "%s")
    same = [c for c in codes if all(
        package.normalize_str(p % chr(c)) == unicodedata.normalize("NFC", p % chr(c))
        for p in probes)]
    active = [c for c in same if unicodedata.combining(chr(c)) or unicodedata.decomposition(chr(c))]
    active += [*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A7, 0x11C3)]
    active += list(range(0xAC00, 0xD7A4, 97)) + list(b"aeiouAEIOU <=>") * 8
    singles = [[c, unicodedata.normalize("NFC", chr(c))] for c in same
               if unicodedata.normalize("NFC", chr(c)) != chr(c)]
    rng = random.Random(9)
    # Marks blocked by one of their own class, by a higher one, by a starter in between.
    by_hand = ("a\u0305\u0301", "a\u0301\u0305", "a\u0323\u0301", "a\u0301\u0323", "a\u0315\u0301",
               "ab\u0301", "\u0301\u0301", "a\u200d\u0301", "q\u0307\u0323", "\u1100\u0301\u1161",
               "\uac00\u11a7", "\uac01\u11a8", "\u0b47\u0301\u0b3e", "\u1025\u102e\u102e")
    sequences = [[t, unicodedata.normalize("NFC", t)] for t in by_hand]
    assert all(package.normalize_str(t) == want for t, want in sequences)
    while len(sequences) < 500:
        text = "".join(chr(rng.choice(active)) for _ in range(rng.randint(2, 9)))
        text = unicodedata.normalize("NFD", text) if rng.random() < 0.5 else text
        want = unicodedata.normalize("NFC", text)
        assert package.normalize_str(text) == want, text
        sequences.append([text, want])
    # Newer marks stay where they are in the package: its tables are those of Unicode 9.
    inert = [[text, package.normalize_str(text)] for text in
             ("a\u0898\u0334", "a\u0345\u1ac1\u0323", "e\U00010f46\u0301\u0323")]
    assert all(want != unicodedata.normalize("NFC", text) for text, want in inert)
    return {"singles": singles, "sequences": sequences, "inert": inert}


def main():
    os.makedirs(OUT, exist_ok=True)
    lines = [line for path in sys.argv[1:] for line in read(path).split("\n")]
    corpus = lines + SOURCE_LINES * 40
    rows_of_the_split_table(corpus)
    bytes_that_are_missing(corpus)
    write("pieces.json", pieces())
    write("properties.json", properties())
    write("nfc.json", nfc())


if __name__ == "__main__":
    main()
