#!/usr/bin/env python3
"""Copies the golden containers of tests/data/format into fuzz/seeds, one folder per target.

usage: fuzz_seeds.py (from the root of the source tree)
"""
import shutil
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
