#!/usr/bin/env python3
"""Bittern's tokenisers against the programs that define them, over random strings in every script,
special tokens inside text, and random ids to decode:
  tokenizer.json     `tokenizers`                    encode with and without special tokens, decode
  SentencePiece      `sentencepiece`                 encode, decode; models trained here as well
  rank files, tekken `tiktoken`                      encode, decode
  GGUF               `tokenizers` where the vocabulary is byte-level; llama.cpp's .inp and .out
Prints a line per vocabulary; exit status 0 when nothing differs but what EXPECTED names.

Calls tokenize_pipe beside the binary named by BITTERN (build/release/bittern by default).

usage: test_tokenizers.py [--count N] [--seed N] [--no-fetch] [--only NAME,...] [FILE...]
  FILE: any vocabulary that `bittern tokenize` takes"""
import argparse
import base64
import glob
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile

import sentencepiece
import tiktoken
from tokenizers import Tokenizer

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BITTERN = os.environ.get("BITTERN", os.path.join(ROOT, "build", "release", "bittern"))
BUILD = os.environ.get("BITTERN_BUILD", os.path.dirname(BITTERN))
PIPE = os.path.join(os.path.dirname(BITTERN), "tests", "tokenize_pipe")
sys.path[:0] = [os.path.join(ROOT, "tools", "golden"), os.path.dirname(os.path.abspath(__file__))]
import gguf_json  # noqa: E402
import vocabularies  # noqa: E402
from text_strings import HAND, random_string  # noqa: E402

# llama.cpp's own approximations in its goldens: how many strings differ, and why ours is right.
EXPECTED = {"qwen35": 3}  # it does not apply the tokeniser's NFC
# GGUF files that are refused by name: they do not say how text is split.
REFUSED = ("aquila", "gpt-neox")
CHUNK = 5000  # texts in one call of the pipe
FULL = 5000


def pipe(path, requests):
    """The answers of tokenize_pipe."""
    run = subprocess.run([PIPE, path], capture_output=True,
                         input="\n".join(map(json.dumps, requests)).encode())
    if run.returncode != 0:
        raise RuntimeError(run.stderr.decode())
    return [json.loads(line) for line in run.stdout.decode().split("\n") if line]


def is_refused(name, path):
    try:
        pipe(path, [])
    except RuntimeError as error:
        print(f"{name}: refused: {str(error).strip().split(': ', 1)[1]:.120}")
        return True
    return False


class Json:
    """A tokenizer.json. `plain_specials`: whether text that spells a special token is compared with
    specials read as text; not for models that find such tokens by their text again, which Bittern
    refuses to do."""

    def __init__(self, path, data=None):
        if data is None:
            with open(path, encoding="utf-8") as file:
                data = json.load(file)
        data["truncation"] = data["padding"] = None
        self.path, self.model = path, Tokenizer.from_str(json.dumps(data))
        self.specials = [t["content"] for t in data["added_tokens"]]
        self.plain_specials = data["model"].get("type", "BPE") == "BPE"
        self.size = self.model.get_vocab_size()

    def encode(self, text):
        self.model.encode_special_tokens = False
        return self.model.encode(text).ids

    def encode_plain(self, text):
        self.model.encode_special_tokens = True
        return self.model.encode(text).ids

    def decode(self, ids, skip_special):
        return self.model.decode(ids, skip_special_tokens=skip_special)


class SentencePiece:
    def __init__(self, path):
        self.path, self.model = path, sentencepiece.SentencePieceProcessor(model_file=path)
        self.specials, self.plain_specials = [], True
        self.size = self.model.get_piece_size()

    def encode_plain(self, text):
        return self.model.encode(text)

    def decode(self, ids, skip_special):
        return self.model.decode(ids) if skip_special else None


class Ranks:
    """Rank files and tekken.json, special tokens left out."""
    LLAMA = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
             r"|\s*[\r\n]+|\s+(?!\S)|\s+")
    O200K = "|".join([
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])

    def __init__(self, path):
        self.path, self.specials, self.plain_specials, self.shift = path, [], True, 0
        if path.endswith(".json"):
            with open(path, encoding="utf-8") as file:
                data = json.load(file)
            self.shift = data["config"]["default_num_special_tokens"]
            count = data["config"]["default_vocab_size"] - self.shift
            ranks = {base64.b64decode(t["token_bytes"]): t["rank"] for t in data["vocab"][:count]}
            pattern = data["config"]["pattern"]
        else:
            with open(path, "rb") as file:
                rows = (line.split() for line in file if line.strip())
                ranks = {base64.b64decode(token): int(rank) for token, rank in rows}
            pattern = {151643: self.LLAMA.replace("{1,3}", ""), 199998: self.O200K}.get(
                len(ranks), self.LLAMA)
        self.nfc = len(ranks) == 151643
        self.model = tiktoken.Encoding("ranks", pat_str=pattern, mergeable_ranks=ranks,
                                       special_tokens={})
        self.size = len(ranks)

    def encode_plain(self, text):
        if self.nfc:
            text = TO_NFC.normalizer.normalize_str(text)
        return [i + self.shift for i in self.model.encode_ordinary(text)]

    def decode(self, ids, skip_special):
        return self.model.decode([i - self.shift for i in ids if i >= self.shift])


TO_NFC = Tokenizer.from_str(json.dumps({
    "version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
    "normalizer": {"type": "NFC"}, "pre_tokenizer": None, "post_processor": None, "decoder": None,
    "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}))


def every_code_point():
    """Each code point of the planes in use beside letters, digits, spaces and apostrophes."""
    codes = [*range(0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xE0200), 0x10FFFF]
    for start in range(0, len(codes), 512):
        yield "".join(f"a{c}b1{c}\n'{c}e {c}" for c in map(chr, codes[start:start + 512]))


def texts_of(reference, count, seed):
    rng = random.Random(seed)
    texts = HAND + [random_string(rng) for _ in range(max(0, count - len(HAND)))]
    specials = reference.specials[:60] + reference.specials[-20:]
    for _ in range(count // 10 if specials else 0):
        texts.append(rng.choice(("", " ", "a", "\n", "  ")).join(
            rng.choice((rng.choice(specials), random_string(rng, 4))) for _ in range(6)))
    return texts


def questions(reference, texts, first, rng):
    """(request, wanted answer) for each text, and for random ids. From text FULL on, most are
    encoded once and not decoded."""
    for number, text in enumerate(texts, first):
        if hasattr(reference, "encode"):
            yield {"text": text}, reference.encode(text)
            if number >= FULL and number % 8:
                continue
        plain = reference.encode_plain(text)
        spelled = any(s in text for s in reference.specials)
        if reference.plain_specials or not spelled:
            yield {"text": text, "parse_special": False,
                   "add_special": hasattr(reference, "encode")}, plain
        if number >= FULL and number % 8:
            continue
        for skip in (True, False) if len(plain) < 400 else ():
            wanted = reference.decode(plain, skip)
            if wanted is not None:
                yield {"ids": plain, "skip_special": skip}, wanted
                yield {"ids": plain, "skip_special": skip, "stream": True}, wanted
        if rng.random() < 0.25:
            ids = [rng.randrange(reference.size) for _ in range(rng.randint(1, 12))]
            wanted = reference.decode(ids, True)
            yield {"ids": ids}, wanted


def compare(name, reference, count, seed, in_context=()):
    """The number of differences. `in_context`: long texts, tried once."""
    rng = random.Random(seed)
    texts = texts_of(reference, count, seed) + list(in_context)
    asked = wrong = 0
    for start in range(0, len(texts), CHUNK):
        rows = list(questions(reference, texts[start:start + CHUNK], start, rng))
        answers = pipe(reference.path, [request for request, _ in rows])
        assert len(answers) == len(rows)
        for (request, wanted), got in zip(rows, answers):
            asked += 1
            if got == wanted:
                continue
            wrong += 1
            if wrong <= 5:
                print(f"  {name}: {request!r:.300}\n"
                      f"    got  {got!r:.300}\n    want {wanted!r:.300}")
    print(f"{name}: {len(texts)} texts, {asked} comparisons: {wrong} differ", flush=True)
    return wrong


def compare_llama_cpp(name, path):
    """llama.cpp's own .inp and .out beside its vocabulary."""
    if not os.path.exists(path + ".inp"):
        return 0
    with open(path + ".inp", encoding="utf-8", newline="") as file:
        texts = file.read().split("\n__ggml_vocab_test__\n")
    with open(path + ".out", encoding="utf-8") as file:
        wanted = [[int(x) for x in line.split()] for line in file.read().split("\n")]
    answers = pipe(path, [{"text": t, "add_special": False} for t in texts])
    wrong = [i for i in range(len(texts)) if answers[i] != wanted[i]]
    expected = EXPECTED.get(name, 0)
    for i in wrong[:5] if len(wrong) != expected else ():
        print(f"  {texts[i]!r}\n    got  {answers[i]}\n    want {wanted[i]}")
    print(f"{name}: {len(texts)} texts of llama.cpp: {len(wrong)} differ, {expected} expected")
    return 0 if len(wrong) == expected else len(wrong) or 1


def trained(folder, kind):
    """SentencePiece models of our own text, in the corners that no published one has."""
    with gzip.open(os.path.join(ROOT, "tests/data/eval/wikitext2_raw_test.txt.gz"),
                   "rt", encoding="utf-8") as file:
        corpus = [line.strip() for line in file.read().split("\n")[:2000] if line.strip()]
    variants = {
        f"{kind}_bytes": {"byte_fallback": True},
        f"{kind}_symbols": {"user_defined_symbols": ["<sep>", "ing", "\u2581the"], "unk_surface": "?"},
        f"{kind}_suffix": {"treat_whitespace_as_suffix": True},
        f"{kind}_plain": {"normalization_rule_name": "identity", "remove_extra_whitespaces": False,
                          "add_dummy_prefix": False},
        f"{kind}_nfkc_cf": {"normalization_rule_name": "nmt_nfkc_cf"},
    }
    for name, options in variants.items():
        prefix = os.path.join(folder, name)
        if not os.path.exists(prefix + ".model"):
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(corpus), model_prefix=prefix, vocab_size=800,
                model_type=kind, character_coverage=0.98, minloglevel=2, **options)
        yield name, prefix + ".model"


def reference_of(path, kind):
    if kind == "gguf":
        data = gguf_json.from_gguf(path)
        return None if data is None else Json(path, data)
    readers = {"json": Json, "sentencepiece": SentencePiece, "ranks": Ranks, "tekken": Ranks}
    return readers[kind](path)


def kind_of(path):
    if path.endswith(".gguf"):
        return "gguf"
    if os.path.basename(path).startswith("tekken"):
        return "tekken"
    if path.endswith(".json"):
        return "json"
    with open(path, "rb") as file:
        return "sentencepiece" if file.read(1) == b"\n" else "ranks"


def all_vocabularies(options):
    """(name, path, kind, long texts)"""
    contexts = list(every_code_point())
    for path in sorted(glob.glob(os.path.join(ROOT, "tests/data/text/*.tokenizer.json"))):
        yield os.path.basename(path).split(".")[0], path, "json", contexts
    folder = os.path.join(BUILD, "vocabularies", "trained")
    os.makedirs(folder, exist_ok=True)
    for kind in ("bpe", "unigram"):
        for name, path in trained(folder, kind):
            yield name, path, "sentencepiece", contexts
    for row in [] if options.no_fetch else vocabularies.fetch(BUILD):
        yield (*row, ())
    for path in options.files:
        yield os.path.basename(path), path, kind_of(path), ()


def main():
    parser = argparse.ArgumentParser()
    sys.stdout.reconfigure(line_buffering=True)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--no-fetch", action="store_true")
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    wrong = 0
    missing = set(filter(None, options.only.split(",")))
    for name, path, kind, contexts in all_vocabularies(options):
        if options.only and name not in options.only.split(","):
            continue
        missing.discard(name)
        if name in REFUSED and is_refused(name, path):
            continue
        reference = reference_of(path, kind)
        if reference is not None:
            wrong += compare(name, reference, options.count, options.seed, contexts)
        if kind == "gguf":
            wrong += compare_llama_cpp(name, path)
    if missing:
        sys.exit(f"no vocabulary is called {', '.join(sorted(missing))}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
