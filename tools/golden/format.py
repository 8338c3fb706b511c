#!/usr/bin/env python3
"""Writes tests/data/format: small containers made by programs other than Bittern.

GGUF by the PyPI package gguf, SafeTensors and Hugging Face folders by safetensors, torch and
transformers, tokenizer.json by tokenizers. What no package writes (bitnet.cpp's I2_S, GGUF with
forked type ids) is put together here from the published layout, in plain Python.

usage: format.py OUTPUT_FOLDER    (versions: gguf 0.19, safetensors 0.8, tokenizers 0.23.3,
                                   transformers 5.23.0, torch 2.15)
"""
import json
import shutil
import struct
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import save_file as save_torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers import trainers

LLAMA3_REGEX = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
                r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2_REGEX = LLAMA3_REGEX.replace(r"\p{N}{1,3}", r"\p{N}")
TEXT = ["the bittern booms in the reeds at night, and the night answers",
        "a small bird in the reeds; the reeds are tall and the water is still 123 45"] * 4


def ramp(shape, dtype=np.float32):
    return (np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / 8 - 3).astype(dtype)


def gguf_values(writer):
    """One key of every value type, and arrays."""
    writer.add_uint8("test.u8", 200)
    writer.add_int8("test.i8", -100)
    writer.add_uint16("test.u16", 60000)
    writer.add_int16("test.i16", -30000)
    writer.add_uint32("test.u32", 4000000000)
    writer.add_int32("test.i32", -2000000000)
    writer.add_uint64("test.u64", 1 << 63)
    writer.add_int64("test.i64", -(1 << 62))
    writer.add_float32("test.f32", 0.1)
    writer.add_float64("test.f64", 0.1)
    writer.add_bool("test.yes", True)
    writer.add_bool("test.no", False)
    writer.add_string("test.text", "Rohrdommel \u00fc\u4e2d")
    writer.add_array("test.strings", ["one", "", "three \u00e9"])
    writer.add_array("test.integers", [3, -1, 2])
    writer.add_array("test.floats", [0.5, -2.25])
    writer.add_array("test.booleans", [True, False, True])


def write_gguf(path, values=True, alignment=None, endian=gguf.GGUFEndian.LITTLE):
    writer = gguf.GGUFWriter(path, "llama", endianess=endian)
    if alignment:
        writer.add_custom_alignment(alignment)
    if values:
        gguf_values(writer)
    if endian == gguf.GGUFEndian.LITTLE:
        kind = gguf.GGMLQuantizationType
        writer.add_tensor("matrix.f32", ramp((3, 4)))
        writer.add_tensor("vector.f16", ramp((5,), np.float16))
        writer.add_tensor("cube.i32", np.arange(12, dtype=np.int32).reshape(2, 3, 2))
        for name, quant in [("q8_0", kind.Q8_0), ("q4_0", kind.Q4_0), ("tq2_0", kind.TQ2_0)]:
            data = gguf.quants.quantize(np.sign(ramp((2, 256))), quant)
            writer.add_tensor(f"matrix.{name}", data, raw_dtype=quant)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    if endian == gguf.GGUFEndian.LITTLE:
        writer.write_tensors_to_file()
    writer.close()


def write_split(folder):
    folder.mkdir()
    writer = gguf.GGUFWriter(folder / "split.gguf", "llama", split_max_tensors=2)
    writer.add_uint32("test.u32", 7)
    for i in range(5):
        writer.add_tensor(f"part.{i}", ramp((2, 3)) + i)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def string(text):
    return struct.pack("<Q", len(text)) + text.encode()


def write_raw_gguf(path, keys, tensors, alignment=32):
    """tensors: (name, innermost-first shape, type id, bytes)."""
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    for key, text in keys:
        out += string(key) + struct.pack("<I", 8) + string(text)
    offset, data = 0, b""
    for name, shape, kind, content in tensors:
        out += string(name) + struct.pack("<I", len(shape))
        out += struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", kind, offset)
        data += content + b"\0" * (-len(content) % alignment)
        offset = len(data)
    out += b"\0" * (-len(out) % alignment)
    Path(path).write_bytes(out + data)


def i2_s(ternary, scale):
    """bitnet.cpp's x86 layout: 128 weights in 32 bytes, the first 32 in the top bits."""
    codes = (ternary.reshape(-1, 4, 32) + 1).astype(np.uint8)
    packed = codes[:, 0] << 6 | codes[:, 1] << 4 | codes[:, 2] << 2 | codes[:, 3]
    return packed.tobytes() + struct.pack("<f", scale) + b"\0" * 28


def write_bitnet(path):
    ternary = np.resize(np.array([-1, 0, 1, 1, 0, -1, 0]), (4, 128))
    write_raw_gguf(path, [("general.architecture", "bitnet-b1.58")],
                   [("blk.0.attn_q.weight", (128, 4), 36, i2_s(ternary, 0.75)),
                    ("output_norm.weight", (4,), 0, ramp((4,)).tobytes())])


def write_safetensors(folder):
    tensors = {
        "b.bf16": torch.arange(6, dtype=torch.bfloat16).reshape(2, 3),
        "a.f32": torch.arange(4, dtype=torch.float32) / 4,
        "c.f16": torch.arange(3, dtype=torch.float16),
        "d.u8": torch.arange(5, dtype=torch.uint8),
        "e.i8": torch.arange(-2, 3, dtype=torch.int8),
        "f.i64": torch.tensor([1 << 40, -7]),
        "g.i16": torch.tensor([300, -300], dtype=torch.int16),
        "h.i32": torch.tensor([70000, -70000], dtype=torch.int32),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros((0, 4)),
        "quote\"\n\u00e9": torch.ones(1),
    }
    save_torch(tensors, folder / "plain.safetensors", metadata={"format": "pt"})
    save_numpy({"mask": np.array([True, False])}, folder / "bool.safetensors")
    values = torch.tensor([0.0, -1.5, 448.0, 2.0 ** -9])
    save_torch({"w": values.to(torch.float8_e4m3fn)}, folder / "f8.safetensors")


def write_hf(folder):
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM
    torch.manual_seed(1)
    config = LlamaConfig(hidden_size=8, intermediate_size=12, num_hidden_layers=1,
                         num_attention_heads=2, num_key_value_heads=1, vocab_size=16,
                         max_position_embeddings=32, tie_word_embeddings=True,
                         bos_token_id=1, eos_token_id=2)
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=[2, 3])
    model.save_pretrained(folder / "hf_single")
    model.save_pretrained(folder / "hf_sharded", max_shard_size="1KB")


def train(pre_tokenizer, normalizer=None):
    tokenizer = Tokenizer(models.BPE(ignore_merges=normalizer is None))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.train_from_iterator(TEXT, trainers.BpeTrainer(
        vocab_size=280, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False))
    return tokenizer


def byte_level(use_regex):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def write_tokenizers(folder):
    split = lambda regex: pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(regex), "isolated"), byte_level(False)])
    llama = train(split(LLAMA3_REGEX))
    llama.add_special_tokens(["<|begin_of_text|>", "<|eot_id|>"])
    llama.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(
            single="<|begin_of_text|> $A",
            special_tokens=[("<|begin_of_text|>", llama.token_to_id("<|begin_of_text|>"))])])
    qwen = train(split(QWEN2_REGEX), normalizers.NFC())
    qwen.add_special_tokens(["<|im_end|>"])
    qwen.add_tokens(["<tool>"])
    smollm = train(pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), byte_level(True)]))
    gpt2 = train(pre_tokenizers.ByteLevel(add_prefix_space=True))
    made = {"gpt2": gpt2, "llama3": llama, "qwen2": qwen, "smollm": smollm}
    for name, tokenizer in made.items():
        tokenizer.save(str(folder / f"tokenizer_{name}.json"), pretty=False)
    expected = {name: {"tokens": [t.id_to_token(i) for i in range(t.get_vocab_size())]}
                for name, t in made.items()}
    (folder / "tokenizers_expected.json").write_text(json.dumps(expected, ensure_ascii=False))
    return llama


def write_vocab_gguf(path, tokenizer):
    """The llama3-like vocabulary as GGUF holds it."""
    model = json.loads(tokenizer.to_str())["model"]
    count = tokenizer.get_vocab_size()
    special = {tokenizer.token_to_id(t) for t in ("<|begin_of_text|>", "<|eot_id|>")}
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list([tokenizer.id_to_token(i) for i in range(count)])
    writer.add_token_types([3 if i in special else 1 for i in range(count)])
    writer.add_token_merges([" ".join(pair) for pair in model["merges"]])
    writer.add_bos_token_id(tokenizer.token_to_id("<|begin_of_text|>"))
    writer.add_eos_token_id(tokenizer.token_to_id("<|eot_id|>"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()  # none; pads as llama.cpp does
    writer.close()


def main():
    folder = Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_gguf(folder / "plain.gguf")
    write_gguf(folder / "aligned.gguf", values=False, alignment=64)
    write_gguf(folder / "big_endian.gguf", endian=gguf.GGUFEndian.BIG)
    write_split(folder / "split")
    write_bitnet(folder / "bitnet_i2_s.gguf")
    write_safetensors(folder)
    write_hf(folder)
    write_vocab_gguf(folder / "vocab_llama3.gguf", write_tokenizers(folder))


main()
