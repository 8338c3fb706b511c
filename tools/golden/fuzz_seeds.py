#!/usr/bin/env python3
"""Copies the golden containers of tests/data/format into fuzz/seeds, one folder per target.

usage: fuzz_seeds.py (from the root of the source tree)
"""
import json
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

# The keys of a rotated model over two small tensors.
import gguf  # noqa: E402
import numpy as np  # noqa: E402

writer = gguf.GGUFWriter(SEEDS / "gguf" / "rotated.gguf", "qwen3")
for key, value in [("version", 1), ("block_size", 4)]:
    writer.add_uint32(f"prism.hadamard.{key}", value)
for key, value in [("transform", "normalized-sylvester-walsh-hadamard"), ("axis", "input-last-dimension"),
                   ("sign_mode", "explicit")]:
    writer.add_string(f"prism.hadamard.{key}", value)
for key, value in [("sign_widths", [8]), ("sign_values", [1, -1] * 4), ("weight_names", ["up"]),
                   ("inverse_weight_names", ["embed"])]:
    writer.add_array(f"prism.hadamard.{key}", value)
for name in ("embed", "up"):
    writer.add_tensor(name, np.ones((2, 8), np.float32))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

# Adapters.
folder = SEEDS / "adapter"
folder.mkdir(parents=True, exist_ok=True)
for source, name in (("llama_patterns/adapter_config.json", "patterns.json"),
                     ("phi3_rslora/adapter_config.json", "rslora.json"),
                     ("granite_one_layer/adapter.gguf", "one_layer.gguf")):
    shutil.copyfile(Path("tests/data/adapters") / source, folder / name)

# The codecs: a slice of the values that every encoder is tested with, through every third row.
folder = SEEDS / "codec"
folder.mkdir(parents=True, exist_ok=True)
values = Path("tests/data/codec/input.f32").read_bytes()
for index, row in enumerate(range(0, 52, 3)):
    start = index * 2048 % (len(values) - 2048)
    (folder / f"row_{row}").write_bytes(
        bytes([row, index % 2, index // 2 % 2]) + values[start:start + 2048])

# Vocabularies of tests/data/text: SentencePiece models, and small tokenizer.json files of each
# model.
TEXT = Path("tests/data/text")
folder = SEEDS / "sentencepiece_model"
folder.mkdir(parents=True, exist_ok=True)
for name in ("spm_bpe.model", "spm_unigram.model"):
    shutil.copyfile(TEXT / name, folder / name)
shutil.copyfile(TEXT / "spm_bpe.gguf", SEEDS / "vocab_gguf" / "spm_bpe.gguf")
shutil.copyfile(TEXT / "spm_unigram.gguf", SEEDS / "vocab_gguf" / "spm_unigram.gguf")
shutil.copyfile(TEXT / "bert.gguf", SEEDS / "vocab_gguf" / "bert.gguf")
for model in json.loads((TEXT / "models.json").read_text())["models"]:
    (SEEDS / "tokenizer_json" / f"{model['name']}.json").write_text(json.dumps(model["json"]))
# The small parsers; the first byte chooses one.
folder = SEEDS / "rank_file"
folder.mkdir(parents=True, exist_ok=True)
(folder / "ranks").write_bytes(b"\x00IQ== 0\nIg== 1\n")
(folder / "tekken").write_bytes(b"\x01" + (TEXT / "tekken.json").read_bytes())
(folder / "words").write_bytes(b"\x02[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\n##ab\nboom\n")
(folder / "merges").write_bytes(b"\x03#version: 0.2\na b\n")

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
