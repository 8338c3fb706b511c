#!/usr/bin/env python3
"""Writes tests/data/codec/models/: tiny llama models whose tensors are stored in every format, and
expected.json with the perplexity of TEXT by the float64 forward pass below.

  mixed.gguf       written by PyPI gguf, blocks by llama.cpp's quantisers (ggml C through
                   llama-cpp-python): every mainline format that PyPI gguf 0.19 can name
  q2_0.gguf        blocks by the same; the container here, as PyPI gguf does not know type 42
  prism.gguf, prism_legacy.gguf, sherry.gguf, ik.gguf
                   the formats of forks, by tools/golden/fork_formats.py
  prism_rotated.gguf
                   PTQ1_0 in a rotated basis, with the keys that say so
  i2_s.gguf, i2_s_rows4.gguf, i2_s_arm.gguf
                   one ternary model in the three orders of bitnet.cpp, by tools/golden/i2_s.py
  float8/          a Hugging Face folder by safetensors and torch: eight-bit floats and F64

The reference decodes every tensor by the program that wrote it. Linears of I2_S get int8
activations, the W1.58A8 rule. Random weights; the vocabulary is the 256 bytes.

usage: codec_models.py    (gguf 0.19, numpy 2.4, llama-cpp-python 0.3.36, safetensors 0.8,
                           torch 2.15, tokenizers 0.23.3)"""
import json
import struct
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

import fork_formats
import ggml_reference
import i2_s

OUT = Path(__file__).resolve().parents[2] / "tests" / "data" / "codec" / "models"
TEXT = ("The bittern stands among the reeds. It does not move, and nobody sees it. "
        "At night it booms, and then everyone knows.......")
CONTEXT = 32
VOCAB = 258
HEADS, HEAD_DIM = 2, 16
QUERY, KEY = HEADS * HEAD_DIM, HEAD_DIM
EPSILON, THETA = 1e-5, 10000.0
BLOCK = 64  # of the rotation


def byte_alphabet() -> list[str]:
    """GPT-2's: printable bytes are themselves, the others follow from U+0100."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in keep else chr(next(others)) for byte in range(256)]


def keys(hidden: int, ffn: int, layers: int) -> list[tuple[str, object]]:
    tokens = byte_alphabet()
    return [
        ("general.architecture", "llama"), ("llama.context_length", 128),
        ("llama.embedding_length", hidden), ("llama.block_count", layers),
        ("llama.feed_forward_length", ffn), ("llama.attention.head_count", HEADS),
        ("llama.attention.head_count_kv", 1), ("llama.attention.key_length", HEAD_DIM),
        ("llama.attention.value_length", HEAD_DIM), ("llama.rope.dimension_count", HEAD_DIM),
        ("llama.attention.layer_norm_rms_epsilon", EPSILON), ("llama.rope.freq_base", THETA),
        ("llama.vocab_size", VOCAB), ("tokenizer.ggml.model", "gpt2"),
        ("tokenizer.ggml.pre", "llama-bpe"),
        ("tokenizer.ggml.tokens", [*tokens, tokens[0] * 2, "<|end|>"]),
        ("tokenizer.ggml.token_type", [1] * 257 + [3]),
        ("tokenizer.ggml.merges", [f"{tokens[0]} {tokens[0]}"]),
        ("tokenizer.ggml.eos_token_id", 257), ("tokenizer.ggml.add_bos_token", False)]


def shapes(hidden: int, ffn: int) -> dict[str, tuple[int, int]]:
    return {"attn_q": (QUERY, hidden), "attn_k": (KEY, hidden), "attn_v": (KEY, hidden),
            "attn_output": (hidden, QUERY), "ffn_gate": (ffn, hidden), "ffn_up": (ffn, hidden),
            "ffn_down": (hidden, ffn)}


class Tensor:
    """Stored bytes and the values that the writing program reads back from them."""

    def __init__(self, kind: str, data: bytes, values: np.ndarray, type_id: int):
        self.kind, self.data, self.type_id = kind, data, type_id
        self.values = values.astype(np.float64)
        self.signs = None  # of the rotation of its input, where it has one


def store(kind: str, weights: np.ndarray) -> Tensor:
    if kind in ggml_reference.TYPES:
        data = ggml_reference.quantize(kind, weights, np.ones(weights.shape[1], np.float32))
        values = ggml_reference.dequantize(kind, data)
        type_id = ggml_reference.type_id(kind)
    elif kind in fork_formats.TYPES or kind == "Q2_0_g128":
        layout = "PQ2_0" if kind == "Q2_0_g128" else kind
        data = fork_formats.encode(layout, weights)
        values = fork_formats.decode(layout, data, weights.shape[1])
        type_id = {"PQ2_0": 142, "PTQ1_0": 143, "STQ1_0": 43, "IQ1_BN": 134, "IQ2_BN": 135,
                   "Q2_0_g128": 42}[kind]
    elif kind.startswith("I2_S"):
        codes = np.sign(np.round(weights / np.abs(weights).mean())).astype(np.int8)
        data = i2_s.encode(codes, np.float32(np.abs(weights).mean()), kind)
        values, type_id = i2_s.decode(data, weights.shape, kind), 36
    elif kind == "BF16":
        data = gguf.quants.quantize(weights, gguf.GGMLQuantizationType.BF16)
        values = gguf.quants.dequantize(data, gguf.GGMLQuantizationType.BF16)
        type_id = 30
    else:
        data = weights.astype({"F32": np.float32, "F16": np.float16, "F64": np.float64}[kind])
        values, type_id = data, {"F32": 0, "F16": 1, "F64": 28}[kind]
    raw = data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes()
    return Tensor(kind, raw, np.asarray(values).reshape(weights.shape), type_id)


def make(hidden: int, ffn: int, layer_kinds: list[dict[str, str]], embedding: str, head: str,
         seed: int) -> dict[str, Tensor]:
    rng = np.random.default_rng(seed)

    def weights(rows, columns, scale):
        return (rng.standard_normal((rows, columns)) * scale / np.sqrt(columns)).astype(np.float32)

    def norm():
        return store("F32", rng.uniform(0.5, 1.5, hidden).astype(np.float32))

    tensors = {"token_embd.weight": store(embedding, weights(VOCAB, hidden, np.sqrt(hidden)))}
    for layer, kinds in enumerate(layer_kinds):
        name = f"blk.{layer}."
        tensors[name + "attn_norm.weight"] = norm()
        tensors[name + "ffn_norm.weight"] = norm()
        for module, (rows, columns) in shapes(hidden, ffn).items():
            tensors[f"{name}{module}.weight"] = store(kinds[module], weights(rows, columns, 1.5))
    tensors["output_norm.weight"] = norm()
    tensors["output.weight"] = store(head, weights(VOCAB, hidden, 1.5))
    return tensors


def hadamard(x: np.ndarray) -> np.ndarray:
    """The orthogonal Walsh-Hadamard transform of every BLOCK consecutive values, natural order."""
    matrix = np.array([[1.0]])
    while len(matrix) < BLOCK:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    blocks = x.reshape(*x.shape[:-1], -1, BLOCK)
    return (blocks @ matrix / np.sqrt(BLOCK)).reshape(x.shape)


def linear(tensor: Tensor, x: np.ndarray) -> np.ndarray:
    if tensor.signs is not None:
        x = hadamard(tensor.signs * x)
    if not tensor.kind.startswith("I2_S"):
        return x @ tensor.values.T
    x = x.astype(np.float32)
    scale = np.float32(127) / np.maximum(np.abs(x).max(axis=-1, keepdims=True), np.float32(1e-5))
    quantised = np.clip(np.rint(x * scale), -128, 127).astype(np.float64)
    return quantised @ tensor.values.T / scale


def rms(x: np.ndarray, weight: Tensor) -> np.ndarray:
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + EPSILON) * weight.values


def rotate(x: np.ndarray, halves: bool) -> np.ndarray:
    """[tokens, heads, dim]; pairs are neighbours, as llama.cpp stores the llama class, or
    `halves`."""
    angles = np.arange(len(x))[:, None] * THETA ** (-np.arange(0, HEAD_DIM, 2) / HEAD_DIM)
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    if halves:
        even, odd = np.split(x, 2, axis=-1)
        return np.concatenate([even * cos - odd * sin, even * sin + odd * cos], axis=-1)
    even, odd = x[..., 0::2], x[..., 1::2]
    return np.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1).reshape(x.shape)


def forward(tensors: dict[str, Tensor], ids: np.ndarray, layers: int, halves: bool) -> np.ndarray:
    embedding = tensors["token_embd.weight"]
    x = embedding.values[ids]
    if embedding.signs is not None:
        x = embedding.signs * hadamard(x)
    count = len(ids)
    mask = np.triu(np.full((count, count), -np.inf), 1)
    for layer in range(layers):
        part = lambda module: tensors[f"blk.{layer}.{module}.weight"]
        h = rms(x, part("attn_norm"))
        q = rotate(linear(part("attn_q"), h).reshape(count, HEADS, HEAD_DIM), halves)
        k = rotate(linear(part("attn_k"), h).reshape(count, 1, HEAD_DIM), halves)[:, 0]
        v = linear(part("attn_v"), h)
        scores = np.einsum("ihd,jd->hij", q, k) / np.sqrt(HEAD_DIM) + mask
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed = np.einsum("hij,jd->ihd", scores, v).reshape(count, QUERY)
        x = x + linear(part("attn_output"), mixed)
        h = rms(x, part("ffn_norm"))
        gate = linear(part("ffn_gate"), h)
        x = x + linear(part("ffn_down"), gate / (1 + np.exp(-gate)) * linear(part("ffn_up"), h))
    return linear(tensors["output.weight"], rms(x, tensors["output_norm.weight"]))


def mean_nll(tensors: dict[str, Tensor], layers: int, halves: bool = False) -> float:
    """llama.cpp's protocol: the second half of every chunk, each chunk from an empty sequence."""
    ids = np.frombuffer(TEXT.encode(), np.uint8).astype(np.int64)
    losses = []
    for start in range(0, len(ids) - CONTEXT + 1, CONTEXT):
        chunk = ids[start:start + CONTEXT]
        logits = forward(tensors, chunk, layers, halves)
        for position in range(CONTEXT // 2, CONTEXT - 1):
            row = logits[position] - logits[position].max()
            losses.append(np.log(np.exp(row).sum()) - row[chunk[position + 1]])
    return float(np.mean(losses))


def write_by_gguf(path: Path, metadata: list, tensors: dict[str, Tensor]) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    add = {str: writer.add_string, bool: writer.add_bool, int: writer.add_uint32,
           float: writer.add_float32, list: writer.add_array}
    for key, value in metadata[1:]:
        add[type(value)](key, value)
    for name, tensor in tensors.items():
        kind = gguf.GGMLQuantizationType(tensor.type_id)
        if kind in gguf.quants._type_traits or kind.name == "Q1_0":
            data = np.frombuffer(tensor.data, np.uint8).reshape(len(tensor.values), -1)
            writer.add_tensor(name, data, raw_dtype=kind)
        else:
            dtype = {"F32": np.float32, "F16": np.float16, "F64": np.float64}[kind.name]
            writer.add_tensor(name, np.frombuffer(tensor.data, dtype).reshape(tensor.values.shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_raw(path: Path, metadata: list, tensors: dict[str, Tensor]) -> None:
    """The container by hand: type ids that PyPI gguf does not know."""
    def string(text):
        return struct.pack("<Q", len(text.encode())) + text.encode()

    def value(item):
        if isinstance(item, str):
            return struct.pack("<I", 8) + string(item)
        if isinstance(item, bool):
            return struct.pack("<IB", 7, item)
        if isinstance(item, int):
            return struct.pack("<II", 4, item)
        if isinstance(item, float):
            return struct.pack("<If", 6, item)
        kind, pack = ((8, string) if isinstance(item[0], str) else
                      (5, lambda n: struct.pack("<i", n)))
        return struct.pack("<IIQ", 9, kind, len(item)) + b"".join(pack(each) for each in item)

    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    out += b"".join(string(key) + value(item) for key, item in metadata)
    data = b""
    for name, tensor in tensors.items():
        shape = tensor.values.shape
        out += (string(name) + struct.pack("<I", len(shape)) +
                struct.pack(f"<{len(shape)}Q", *shape[::-1]))
        out += struct.pack("<IQ", tensor.type_id, len(data))
        data += tensor.data + bytes(-len(tensor.data) % 32)
    path.write_bytes(out + bytes(-len(out) % 32) + data)


HF_NAMES = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
            "attn_v": "self_attn.v_proj",
            "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
            "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm",
            "ffn_norm": "post_attention_layernorm"}
FLOAT8 = {"attn_q": torch.float8_e4m3fn, "attn_k": torch.float8_e5m2,
          "attn_v": torch.float8_e4m3fnuz, "attn_output": torch.float8_e5m2fnuz,
          "ffn_gate": torch.float64, "ffn_up": torch.float8_e4m3fn,
          "ffn_down": torch.float8_e8m0fnu}


def hf_name(name: str) -> str:
    top = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight",
           "output.weight": "lm_head.weight"}
    if name in top:
        return top[name]
    _, layer, module, _ = name.split(".")
    return f"model.layers.{layer}.{HF_NAMES[module]}.weight"


def write_float8(folder: Path) -> float:
    """Returns the mean loss. E8M0 has no signs and no zero, so that weight is its magnitudes."""
    folder.mkdir(exist_ok=True)
    tensors = make(64, 64, one_layer("F32", "F32"), "F16", "F16", 1)
    stored = {}
    for name, tensor in tensors.items():
        module = name.split(".")[2] if name.startswith("blk.") else ""
        values = torch.from_numpy(tensor.values.astype(np.float32))
        if module == "ffn_down":
            values = values.abs() + 0.01
        kind = FLOAT8.get(module, torch.float16)
        stored[hf_name(name)] = values.to(kind)
        tensor.values = values.to(kind).to(torch.float64).numpy()
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64,
              "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": HEADS,
              "num_key_value_heads": 1, "head_dim": HEAD_DIM, "vocab_size": VOCAB,
              "max_position_embeddings": 128, "rms_norm_eps": EPSILON, "rope_theta": THETA,
              "hidden_act": "silu", "tie_word_embeddings": False}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    alphabet = byte_alphabet()
    vocabulary = {token: index for index, token in enumerate([*alphabet, alphabet[0] * 2])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [(alphabet[0], alphabet[0])]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|end|>"])
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    return mean_nll(tensors, 1, halves=True)


def one_layer(kind: str, output: str) -> list[dict[str, str]]:
    return [{module: output if module == "attn_output" else kind for module in shapes(1, 1)}]


MIXED = [
    {"attn_q": "Q2_K", "attn_k": "Q3_K", "attn_v": "Q4_K", "attn_output": "Q5_0",
     "ffn_gate": "IQ2_XXS", "ffn_up": "IQ3_XXS", "ffn_down": "IQ2_S"},
    {"attn_q": "Q5_K", "attn_k": "IQ4_XS", "attn_v": "IQ3_S", "attn_output": "Q5_1",
     "ffn_gate": "IQ2_XS", "ffn_up": "IQ1_S", "ffn_down": "TQ2_0"},
    {"attn_q": "NVFP4", "attn_k": "F64", "attn_v": "Q6_K", "attn_output": "IQ4_NL",
     "ffn_gate": "TQ1_0", "ffn_up": "IQ1_M", "ffn_down": "Q1_0"},
]


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    expected = {}

    def finish_rotated():
        layer = one_layer("PTQ1_0", "F16")
        layer[0]["attn_k"] = "PQ2_0"
        tensors = make(128, 256, layer, "PTQ1_0", "PTQ1_0", 2)
        rng = np.random.default_rng(3)
        signs = {width: rng.choice([-1, 1], width) for width in (128, 256)}
        rotated = [name for name, tensor in tensors.items()
                   if tensor.kind in ("PTQ1_0", "PQ2_0") and name != "token_embd.weight"]
        for name in [*rotated, "token_embd.weight"]:
            tensors[name].signs = signs[tensors[name].values.shape[1]]
        contract = [("version", 1), ("block_size", BLOCK),
                    ("transform", "normalized-sylvester-walsh-hadamard"),
                    ("axis", "input-last-dimension"), ("sign_mode", "explicit"),
                    ("sign_widths", [128, 256]),
                    ("sign_values", [int(sign) for width in signs.values() for sign in width]),
                    ("weight_names", rotated), ("inverse_weight_names", ["token_embd.weight"])]
        metadata = keys(128, 256, 1) + [(f"prism.hadamard.{key}", value) for key, value in contract]
        write_raw(OUT / "prism_rotated.gguf", metadata, tensors)
        expected["prism_rotated"] = {"mean_nll": mean_nll(tensors, 1), "types": ["F16", "F32", "PQ2_0", "PTQ1_0"]}
        print("prism_rotated", expected["prism_rotated"]["mean_nll"])

    def finish(name, hidden, ffn, layer_kinds, embedding, head, writer=write_raw, seed=1):
        tensors = make(hidden, ffn, layer_kinds, embedding, head, seed)
        writer(OUT / f"{name}.gguf", keys(hidden, ffn, len(layer_kinds)), tensors)
        expected[name] = {"mean_nll": mean_nll(tensors, len(layer_kinds)),
                          "types": sorted({tensor.kind for tensor in tensors.values()})}
        print(name, expected[name]["mean_nll"], (OUT / f"{name}.gguf").stat().st_size)

    finish("mixed", 256, 256, MIXED, "MXFP4", "Q2_K", write_by_gguf)
    finish("q2_0", 64, 64, one_layer("Q2_0", "F16"), "Q8_0", "Q2_0")
    prism = one_layer("PQ2_0", "F16")
    prism[0] |= {"ffn_gate": "PTQ1_0", "attn_v": "PTQ1_0"}
    finish("prism", 128, 128, prism, "PQ2_0", "PTQ1_0")
    finish("prism_legacy", 128, 128, one_layer("Q2_0_g128", "F16"), "Q2_0_g128", "Q2_0_g128")
    finish_rotated()
    sherry = one_layer("STQ1_0", "F16")
    sherry[0]["ffn_gate"] = "IQ2_XXS"
    finish("sherry", 256, 256, sherry, "IQ4_NL", "STQ1_0")
    ik = one_layer("IQ1_BN", "F16")
    ik[0] |= {"attn_q": "IQ2_BN", "ffn_down": "IQ2_BN", "attn_k": "Q4_0", "attn_v": "Q4_1",
              "attn_output": "BF16"}
    finish("ik", 64, 64, ik, "IQ2_BN", "IQ1_BN")
    for kind in ("I2_S", "I2_S_ROWS4", "I2_S_ARM"):
        finish(kind.lower(), 64, 64, one_layer(kind, kind), "Q8_0", "Q8_0")
    expected["float8"] = {
        "mean_nll": write_float8(OUT / "float8"),
        "types": ["F16", "F64", "F8_E4M3", "F8_E4M3FNUZ", "F8_E5M2", "F8_E5M2FNUZ", "F8_E8M0"]}
    (OUT / "expected.json").write_text(
        json.dumps({"text": TEXT, "context": CONTEXT, "models": expected}, indent=1) + "\n")


if __name__ == "__main__":
    main()
