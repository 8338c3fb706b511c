#!/usr/bin/env python3
"""Copies the golden containers of tests/data/format into fuzz/seeds, one folder per target.

usage: fuzz_seeds.py (from the root of the source tree)
"""
import shutil
import sys
from pathlib import Path

DATA = Path("tests/data/format")
SEEDS = Path("fuzz/seeds")
TARGETS = {
    "gguf": ["plain.gguf", "aligned.gguf", "bitnet_i2_s.gguf", "vocab_llama3.gguf",
             "split/split-00001-of-00003.gguf"],
    "vocab_gguf": ["vocab_llama3.gguf", "plain.gguf"],
    "safetensors": ["plain.safetensors", "bool.safetensors", "f8.safetensors",
                    "hf_sharded/model-00002-of-00003.safetensors"],
    "hf_index": ["hf_sharded/model.safetensors.index.json"],
    "config": ["hf_single/config.json"],
    "tokenizer_json": [f"tokenizer_{name}.json" for name in ("gpt2", "llama3", "qwen2", "smollm")],
}
for target, names in TARGETS.items():
    (SEEDS / target).mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copyfile(DATA / name, SEEDS / target / Path(name).name)

# The encoder: the strings of the tokeniser goldens, through every row of the split table (the
# first byte chooses), and bytes that are not UTF-8.
sys.path.insert(0, str(Path(__file__).parent))
from text_strings import HAND, POOLS  # noqa: E402

folder = SEEDS / "encode"
folder.mkdir(parents=True, exist_ok=True)
for row in range(4):
    for part in range(4):
        text = "".join(HAND[part::4]) + "".join(POOLS) + "<s> <s>word <s"
        (folder / f"hand_{row}_{part}").write_bytes(bytes([row * 2 + part % 2]) + text.encode())
    (folder / f"invalid_{row}").write_bytes(
        bytes([row * 2]) + b"a\xff\xfe \xe4\xbd\xed\xa0\x80\xc0\xaf \xf0\x9f\x99\xf4\x90\x80\x80 \xf0\x9f")
