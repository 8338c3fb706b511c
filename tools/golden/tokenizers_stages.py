#!/usr/bin/env python3
"""Goldens for the stages and models of every tokeniser but byte-level BPE:
  stages.json      what each normalizer, pre-tokenizer and decoder of `tokenizers` 0.23.3 does
  models.json      small tokenizer.json files, one per model, with ids and texts of the package
  spm_*.model      SentencePiece 0.2.1 models trained here, spm.cases.json what the library answers
  spm_*.gguf, bert.gguf   the same vocabularies in GGUF (gguf 0.19)
  tekken.json      a small file of that form; tekken.cases.json: what tiktoken 0.14 answers

Usage: tools/golden/tokenizers_stages.py PROSE...   (as tokenizers_bpe.py)
Writes tests/data/text/. Deterministic.
"""
import base64
import itertools
import json
import os
import random
import sys
import tempfile

import gguf
import sentencepiece
import tiktoken
import tokenizers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from text_strings import HAND, strings  # noqa: E402
from tokenizers_bpe import LLAMA, OUT, SOURCE_LINES, read  # noqa: E402

TEXTS = strings(len(HAND) + 60, 21, 12)
SPACE = "\u2581"


def write(name, data, limit=220_000):
    path = os.path.join(OUT, name)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(data, file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")
    assert os.path.getsize(path) < limit, (path, os.path.getsize(path))


def small(**parts):
    """A tokenizer.json around a model that does not matter."""
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
            "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None,
            "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}, **parts}


def charsmap():
    """A small precompiled charsmap: SentencePiece compiles the rules of a TSV file."""
    rules = [("\uff21", "A"), ("\ufb01", "fi"), ("e\u0301", "\u00e9"), ("e", "e"), ("\u00a0", " "),
             ("\u3000", " "), ("\u00ad", ""), ("\u0041\u030a", "\u00c5"), ("\u2026", "..."),
             ("\t", " "), ("\n", " "), ("\r", " ")]
    with tempfile.TemporaryDirectory() as folder:
        tsv = os.path.join(folder, "rules.tsv")
        with open(tsv, "w", encoding="utf-8") as file:
            for source, target in rules:
                file.write(" ".join(f"{ord(c):X}" for c in source) + "\t" +
                           " ".join(f"{ord(c):X}" for c in target) + "\n")
        model = os.path.join(folder, "m")
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SOURCE_LINES * 5), model_prefix=model, vocab_size=150,
            normalization_rule_tsv=tsv, minloglevel=2, hard_vocab_limit=False)
        from sentencepiece import sentencepiece_model_pb2
        proto = sentencepiece_model_pb2.ModelProto()
        with open(model + ".model", "rb") as file:
            proto.ParseFromString(file.read())
    return proto.normalizer_spec.precompiled_charsmap


def stage_list():
    regex, text = (lambda p: {"Regex": p}), (lambda p: {"String": p})
    kinds = ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel")
    norm = [{"type": kind} for kind in kinds]
    norm += [{"type": "Strip", "strip_left": left, "strip_right": right}
             for left, right in ((True, True), (True, False), (False, True))]
    norm += [{"type": "BertNormalizer", "clean_text": a, "handle_chinese_chars": b,
              "strip_accents": c, "lowercase": d} for a, b, c, d in
             ((True, True, None, True), (True, True, None, False), (False, False, True, False))]
    norm += [{"type": "Replace", "pattern": text(" "), "content": SPACE},
             {"type": "Replace", "pattern": regex(r"\s{2,}|\p{N}"), "content": "$1"},
             {"type": "Prepend", "prepend": SPACE},
             {"type": "Precompiled",
              "precompiled_charsmap": base64.b64encode(charsmap()).decode()}]
    norm.append({"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "StripAccents"},
                                                     {"type": "Lowercase"}]})
    pre = [{"type": kind} for kind in ("Whitespace", "WhitespaceSplit", "BertPreTokenizer",
                                       "UnicodeScripts")]
    behaviors = ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")
    for behavior, invert in itertools.product(behaviors, (False, True)):
        pre.append({"type": "Split", "pattern": regex(r"\p{N}|\s+|(?=z)"), "behavior": behavior,
                    "invert": invert})
    pre += [{"type": "Split", "pattern": text(" "), "behavior": b, "invert": False}
            for b in behaviors]
    pre += [{"type": "Punctuation", "behavior": b} for b in behaviors]
    pre += [{"type": "Digits", "individual_digits": d} for d in (True, False)]
    pre += [{"type": "Split", "pattern": regex(LLAMA), "behavior": "Isolated", "invert": False},
            {"type": "CharDelimiterSplit", "delimiter": "-"},
            {"type": "FixedLength", "length": 3}]
    pre += [{"type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": split}
            for scheme in ("always", "first", "never") for split in (True, False)]
    pre += [{"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True,
             "use_regex": use} for prefix in (True, False) for use in (True, False)]
    pre.append({"type": "Sequence", "pretokenizers": [
        {"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": SPACE,
                                      "prepend_scheme": "first", "split": True}]})
    decode = [None, {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                     "use_regex": True},
              {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "BPEDecoder", "suffix": "</w>"},
              {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True},
              {"type": "Replace", "pattern": text(SPACE), "content": " "},
              {"type": "Replace", "pattern": regex("[a-c]+"), "content": "_"},
              {"type": "Strip", "content": " ", "start": 1, "stop": 0}]
    decode += [{"type": "Metaspace", "replacement": SPACE, "prepend_scheme": s, "split": True}
               for s in ("always", "never")]
    decode += [{"type": "WordPiece", "prefix": "##", "cleanup": c} for c in (True, False)]
    decode.append({"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": text(SPACE), "content": " "}, {"type": "ByteFallback"},
        {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 2, "stop": 0}]})
    return norm, pre, decode


def stages():
    norm, pre, decode = stage_list()
    data = {"made_by": f"tokenizers {tokenizers.__version__}", "texts": TEXTS,
            "normalizer": [], "pre_tokenizer": [], "decoder": []}
    for stage in norm:
        tok = Tokenizer.from_str(json.dumps(small(normalizer=stage)))
        data["normalizer"].append([stage, [tok.normalizer.normalize_str(t) for t in TEXTS[::2]]])
    for stage in pre:
        tok = Tokenizer.from_str(json.dumps(small(pre_tokenizer=stage)))
        data["pre_tokenizer"].append([stage, [
            [piece for piece, _ in tok.pre_tokenizer.pre_tokenize_str(t)] for t in TEXTS[::4]]])
    rng = random.Random(5)
    pool = [SPACE + "the", SPACE, "ing", "##ly", "un", "<0xE4>", "<0xBD>", "<0xA0>", "<0x41>", "<0xZZ>",
            "a</w>", "b</w>c", ".", "n't", "'s", ",", " do not", "<pad>", "|", "\u0120word", "\u00e4\u00bd",
            "abc", " x", "  y ", "\u4f60", SPACE + SPACE, "'"]
    tokens = [[rng.choice(pool) for _ in range(rng.randint(1, 9))] for _ in range(80)]
    data["tokens"] = tokens
    for stage in decode:
        tok = Tokenizer.from_str(json.dumps(small(decoder=stage)))
        data["decoder"].append([stage, [
            tok.decoder.decode(t) if stage else " ".join(t) for t in tokens]])
    return data


def trained(model, trainer, corpus, normalizer=None, pre=None):
    tok = Tokenizer(model)
    tok.normalizer, tok.pre_tokenizer = normalizer, pre
    tok.train_from_iterator(corpus, trainer)
    return json.loads(tok.to_str())


def template(begin, end, vocab):
    piece = lambda name: {"SpecialToken": {"id": name, "type_id": 0}}  # noqa: E731
    text = lambda name: {"Sequence": {"id": name, "type_id": 0}}  # noqa: E731
    return {"type": "TemplateProcessing", "single": [piece(begin), text("A"), piece(end)],
            "pair": [piece(begin), text("A"), piece(end), text("B"), piece(end)],
            "special_tokens": {t: {"id": t, "ids": [vocab[t]], "tokens": [t]}
                               for t in (begin, end)}}


def small_models(corpus):
    """[name, tokenizer.json]"""
    special = ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    word = trained(models.WordPiece(unk_token="[UNK]"),
                   trainers.WordPieceTrainer(vocab_size=700, special_tokens=special,
                                             show_progress=False),
                   corpus, normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer())
    word["decoder"] = {"type": "WordPiece", "prefix": "##", "cleanup": True}
    word["post_processor"] = {"type": "BertProcessing",
                              "sep": ["[SEP]", word["model"]["vocab"]["[SEP]"]],
                              "cls": ["[CLS]", word["model"]["vocab"]["[CLS]"]]}
    yield "word_piece", word
    level = trained(models.WordLevel(unk_token="[UNK]"),
                    trainers.WordLevelTrainer(vocab_size=300, special_tokens=special,
                                              show_progress=False),
                    corpus, normalizers.Lowercase(), pre_tokenizers.Whitespace())
    level["post_processor"] = {"type": "RobertaProcessing", "sep": ["[SEP]", 2],
                               "cls": ["[CLS]", 1],
                               "trim_offsets": True, "add_prefix_space": False}
    yield "word_level", level
    meta = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True}
    unigram = trained(models.Unigram(), trainers.UnigramTrainer(
        vocab_size=400, special_tokens=["<unk>", "<s>", "</s>"], unk_token="<unk>",
        show_progress=False), corpus, normalizers.NFKC(), pre_tokenizers.Metaspace())
    unigram.update(pre_tokenizer=meta, decoder=meta)
    yield "unigram", unigram
    fallback = json.loads(json.dumps(unigram))
    fallback["model"]["byte_fallback"] = True
    fallback["model"]["vocab"] += [[f"<0x{i:02X}>", -20.0] for i in range(256)]
    fallback["decoder"] = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, meta]}
    yield "unigram_bytes", fallback
    bpe = trained(models.BPE(unk_token="<unk>"), trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)],
        limit_alphabet=60, show_progress=False), [SPACE + t.replace(" ", SPACE) for t in corpus])
    bpe["added_tokens"] = [t for t in bpe["added_tokens"] if not t["content"].startswith("<0x")]
    bpe["added_tokens"].append({"id": len(bpe["model"]["vocab"]), "content": "<user>",
                                "single_word": False, "lstrip": False, "rstrip": True,
                                "normalized": True, "special": True})
    bpe["model"].update(fuse_unk=True, byte_fallback=True)
    bpe["normalizer"] = {"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": SPACE},
        {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}]}
    bpe["decoder"] = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}, {"type": "ByteFallback"},
        {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    bpe["post_processor"] = template("<s>", "</s>", bpe["model"]["vocab"])
    yield "bpe_fallback", bpe
    holes = json.loads(json.dumps(bpe))
    for byte in range(0xC0, 0xE4):  # some characters have no bytes: unknown, after what follows
        holes["model"]["vocab"].pop(f"<0x{byte:02X}>")
    ids = {old: new for new, old in enumerate(sorted(holes["model"]["vocab"].values()))}
    holes["model"]["vocab"] = {t: ids[i] for t, i in holes["model"]["vocab"].items()}
    holes["post_processor"], holes["pre_tokenizer"] = None, {**meta, "prepend_scheme": "first"}
    holes["normalizer"] = None
    yield "bpe_holes", holes
    words = trained(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>",
                               continuing_subword_prefix="##"), trainers.BpeTrainer(
        vocab_size=500, special_tokens=["<unk>"], end_of_word_suffix="</w>",
        continuing_subword_prefix="##", limit_alphabet=50, show_progress=False),
        corpus, None, pre_tokenizers.WhitespaceSplit())
    words["decoder"] = {"type": "BPEDecoder", "suffix": "</w>"}
    yield "bpe_suffix", words


def model_cases(corpus):
    for name, data in small_models(corpus):
        tok = Tokenizer.from_str(json.dumps(data))
        rng = random.Random(len(name))
        size = tok.get_vocab_size()
        texts = TEXTS[::2] + ["<s>a</s> b", "[CLS] x [MASK]y", "a<user> b<user>", "hello <user>\u00e9"]
        ids = [[rng.randrange(size) for _ in range(rng.randint(1, 10))] for _ in range(40)]
        yield {"name": name, "json": data, "encode": [[t, tok.encode(t).ids] for t in texts],
               "pair": tok.encode("the princess", "a little").ids,
               "decode": [[i, tok.decode(i), tok.decode(i, skip_special_tokens=False)]
                          for i in ids]}


def sentencepiece_models(corpus):
    cases = []
    for kind, options in (("bpe", {"byte_fallback": True}), ("unigram", {})):
        path = os.path.join(OUT, f"spm_{kind}")
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(corpus), model_prefix=path, vocab_size=600, model_type=kind,
            normalization_rule_name="identity", user_defined_symbols=["<sep>", "ing"],
            character_coverage=0.98, minloglevel=2, num_threads=1, **options)
        os.unlink(path + ".vocab")
        from sentencepiece import sentencepiece_model_pb2
        proto = sentencepiece_model_pb2.ModelProto()
        with open(path + ".model", "rb") as file:
            proto.ParseFromString(file.read())
        # A rule table, an unused piece that merges pass through, no trace of the training.
        proto.normalizer_spec.precompiled_charsmap = charsmap()
        next(p for p in proto.pieces if p.piece == "the" or p.piece == SPACE + "the").type = 5
        del proto.trainer_spec.input[:]
        proto.trainer_spec.model_prefix = ""
        with open(path + ".model", "wb") as file:
            file.write(proto.SerializeToString())
        model = sentencepiece.SentencePieceProcessor(model_file=path + ".model")
        rng = random.Random(3)
        ids = [[rng.randrange(600) for _ in range(rng.randint(1, 10))] for _ in range(60)]
        cases.append({"name": f"spm_{kind}", "encode": [[t, model.encode(t)] for t in TEXTS],
                      "decode": [[i, model.decode(i)] for i in ids]})
        write_gguf(f"spm_{kind}.gguf", "llama" if kind == "bpe" else "t5", proto)
    return {"made_by": f"sentencepiece {sentencepiece.__version__}", "models": cases}


def new_gguf(name, model):
    writer = gguf.GGUFWriter(os.path.join(OUT, name), "llama")
    writer.add_tokenizer_model(model)
    return writer


def finish_gguf(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def write_gguf(name, model, proto):
    writer = new_gguf(name, model)
    writer.add_token_list([p.piece for p in proto.pieces])
    writer.add_token_scores([p.score for p in proto.pieces])
    writer.add_token_types([p.type for p in proto.pieces])
    writer.add_unk_token_id(proto.trainer_spec.unk_id)
    writer.add_bos_token_id(proto.trainer_spec.bos_id)
    writer.add_eos_token_id(proto.trainer_spec.eos_id)
    writer.add_remove_extra_whitespaces(True)
    writer.add_precompiled_charsmap(proto.normalizer_spec.precompiled_charsmap)
    finish_gguf(writer)


def write_bert_gguf(data):
    vocab = sorted(data["model"]["vocab"].items(), key=lambda item: item[1])
    special = {t["content"] for t in data["added_tokens"]}
    writer = new_gguf("bert.gguf", "bert")
    writer.add_token_list([t if t in special else t[2:] if t.startswith("##") else SPACE + t
                           for t, _ in vocab])
    writer.add_token_types([3 if t in special else 1 for t, _ in vocab])
    ids = dict(vocab)
    writer.add_unk_token_id(ids["[UNK]"])
    writer.add_uint32("tokenizer.ggml.cls_token_id", ids["[CLS]"])
    writer.add_sep_token_id(ids["[SEP]"])
    finish_gguf(writer)


def tekken(corpus):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=600, show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    to_byte = {c: b for b, c in zip(
        [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)],
        map(chr, [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]))}
    others = [b for b in range(256) if chr(b) not in to_byte]
    to_byte.update({chr(0x100 + i): b for i, b in enumerate(others)})
    tokens = [bytes(to_byte[c] for c in t)
              for t, _ in sorted(tok.get_vocab().items(), key=lambda item: item[1])]
    pattern = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+"
    size, special = len(tokens) - 20, 24
    write("tekken.json", {
        "config": {"pattern": pattern, "num_vocab_tokens": len(tokens),
                   "default_vocab_size": size + special, "default_num_special_tokens": special,
                   "version": "v3"},
        "vocab": [{"rank": i, "token_bytes": base64.b64encode(t).decode(), "token_str": None}
                  for i, t in enumerate(tokens)]})
    model = tiktoken.Encoding("small", pat_str=pattern, special_tokens={},
                              mergeable_ranks={t: i for i, t in enumerate(tokens[:size])})
    write("tekken.cases.json", {
        "made_by": f"tiktoken {tiktoken.__version__}",
        "encode": [[t, [i + special for i in model.encode_ordinary(t)]] for t in TEXTS]})


def main():
    lines = [line for path in sys.argv[1:] for line in read(path)[:60_000].split("\n") if line]
    corpus = lines + SOURCE_LINES * 10
    write("stages.json", stages(), 400_000)
    cases = list(model_cases(corpus))
    write("models.json", {"made_by": f"tokenizers {tokenizers.__version__}", "models": cases},
          400_000)
    write_bert_gguf(next(c["json"] for c in cases if c["name"] == "word_piece"))
    write("spm.cases.json", sentencepiece_models(corpus))
    tekken(corpus)


if __name__ == "__main__":
    main()
