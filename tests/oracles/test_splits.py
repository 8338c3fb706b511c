#!/usr/bin/env python3
"""Bittern's rows of the split table against the `tokenizers` package's own pre-tokenisers with the
same expressions (Oniguruma): random strings, and every code point in context. Prints a line per
row; exit status 0 when nothing differs.

Calls the test program split_pipe beside the binary named by BITTERN (build/release/bittern by
default). The expressions are those of the models' tokenizer.json files, written out once more in
tools/golden/split_stages.py.

usage: test_splits.py [--count N] [--seed N] [ROW...]"""
import argparse
import json
import os
import random
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BITTERN = os.environ.get("BITTERN", os.path.join(ROOT, "build", "release", "bittern"))
PIPE = os.path.join(os.path.dirname(BITTERN), "tests", "split_pipe")
sys.path.insert(0, os.path.join(ROOT, "tools", "golden"))
from split_stages import ROWS, lengths, pre_tokenizer  # noqa: E402
from text_strings import HAND, random_string  # noqa: E402

# What letters, digits, marks and stops do to a character depends on both neighbours.
CONTEXTS = ["a{0}b1{0}\n'{0}e {0}", " {0}A{0}. {0}\u0301{0}/", "\t{0}  {0}12{0}!\r\n{0}世{0}",
            "'{0}'s{0}\u01c5{0}\u02b0B{0}{0} {0}{0}"]


def every_code_point():
    codes = [*range(0xD800), *range(0xE000, 0x20000), *range(0x2FFF0, 0x30010),
             *range(0xE0000, 0xE0200), 0x10FFFF]
    for context in CONTEXTS:
        for start in range(0, len(codes), 256):
            yield "".join(context.format(chr(c)) for c in codes[start:start + 256])


def cut(row, texts):
    lines = "\n".join(map(json.dumps, texts)).encode()
    run = subprocess.run([PIPE, row], input=lines, capture_output=True, check=True)
    return list(map(json.loads, run.stdout.splitlines()))


def compare(row, texts):
    split = pre_tokenizer(row)
    got = cut(row, texts)
    assert len(got) == len(texts)
    wrong = 0
    for text, mine in zip(texts, got):
        want = lengths(split, text)
        if mine != want:
            wrong += 1
            if wrong <= 5:
                print(f"  {row}: {text!r:.300}\n    got  {mine!r:.300}\n    want {want!r:.300}")
    print(f"{row}: {len(texts)} texts: {wrong} differ")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    sys.stdout.reconfigure(line_buffering=True)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("rows", nargs="*", default=list(ROWS))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    rng = random.Random(options.seed)
    texts = HAND + [random_string(rng, rng.choice((4, 12, 40))) for _ in range(options.count)]
    texts += every_code_point()
    sys.exit(1 if sum(compare(row, texts) for row in options.rows) else 0)


if __name__ == "__main__":
    main()
