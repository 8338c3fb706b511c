"""Writes tests/data/codec/. Independent sources: PyPI gguf (numpy), ggml's C reference (through
llama-cpp-python), numpy, ml_dtypes, transformers' pack_weights and WeightQuant, and for formats of
forks tools/golden/i2_s.py and tools/golden/fork_formats.py.

  input.f32          the values that every encoder gets
  NAME.encoded       their bytes in format NAME
  NAME.decode        bytes of any content, then the values they decode to
  i2_s*.tensors, hf_ternary.tensors
                     repeated: u32 rows, u32 columns, f32 scale, int8 codes, coded bytes
  absmean.tensors    repeated: u32 rows, u32 columns, f32 scale, int8 codes, f32 weights

gguf and ggml C are compared block by block; where they differ the C reference is stored, and the
differing blocks are counted on stdout.
  /path/to/python tools/golden/codecs.py"""
import os
import struct
import sys

import gguf
import numpy as np
import torch
from transformers.integrations import bitnet

import codec_inputs
import fork_formats
import ggml_reference
import i2_s
import ml_dtypes

torch._dynamo.config.disable = True  # the reference functions as plain eager code
OUT = os.path.join(os.path.dirname(__file__), "..", "..", "tests", "data", "codec")
FLOAT8 = {"F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E5M2": ml_dtypes.float8_e5m2,
          "F8_E8M0": ml_dtypes.float8_e8m0fnu, "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
          "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz}


def write(name: str, *parts) -> None:
    with open(os.path.join(OUT, name), "wb") as file:
        for part in parts:
            file.write(part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes())


def differing_blocks(a: np.ndarray, b: np.ndarray, size: int) -> list[int]:
    return np.flatnonzero((a.reshape(-1, size) != b.reshape(-1, size)).any(axis=1)).tolist()


def encode_goldens(values: np.ndarray) -> None:
    write("input.f32", values)
    for name in ggml_reference.TYPES:
        if name in ggml_reference.DECODED_ONLY:
            continue
        reference = ggml_reference.quantize(name, values)
        write(f"{name.lower()}.encoded", reference)
        try:
            with np.errstate(all="ignore"):
                kind = gguf.GGMLQuantizationType[name]
                numpy_bytes = gguf.quants.quantize(values, kind).reshape(-1)
        except (KeyError, NotImplementedError):
            print(f"{name}: gguf has no encoder")
            continue
        differ = differing_blocks(reference, numpy_bytes, ggml_reference.TYPES[name][2])
        count = reference.size // ggml_reference.TYPES[name][2]
        print(f"{name}: gguf differs from ggml C in {len(differ)} of {count} blocks: {differ}")
    for name in fork_formats.TYPES:
        write(f"{name.lower()}.encoded", fork_formats.encode(name, values))
    with np.errstate(all="ignore"):
        for name, kind in FLOAT8.items():
            write(f"{name.lower()}.encoded", values.astype(kind))
        write("f16.encoded", values.astype(np.float16))
    write("bf16.encoded", gguf.quants.quantize(values, gguf.GGMLQuantizationType.BF16))


def decode_goldens(rng: np.random.Generator) -> None:
    for name, (_, elements, size) in ggml_reference.TYPES.items():
        data = rng.integers(0, 256, (3072 // elements, size), np.uint8)
        values = ggml_reference.dequantize(name, data)
        write(f"{name.lower()}.decode", data, values)
        try:
            with np.errstate(all="ignore"):
                kind = gguf.GGMLQuantizationType[name]
                numpy_values = gguf.quants.dequantize(data, kind).reshape(-1)
        except (KeyError, NotImplementedError):
            print(f"{name}: gguf has no decoder")
            continue
        same = (values == numpy_values) | (np.isnan(values) & np.isnan(numpy_values))
        print(f"{name}: gguf decodes {np.count_nonzero(~same)} of {values.size} values differently")
    for name in fork_formats.TYPES:
        data = rng.integers(0, 256, 12 * fork_formats.row_bytes(name, 256), np.uint8)
        write(f"{name.lower()}.decode", data, fork_formats.decode(name, data, 256))
    for name, kind in FLOAT8.items():
        data = np.arange(3072).astype(np.uint8)  # every pattern
        write(f"{name.lower()}.decode", data, data.view(kind).astype(np.float32))
    doubles = rng.integers(0, 1 << 64, 3072, np.uint64)
    values = rng.standard_normal(1536) * 10.0 ** rng.uniform(-46, 39, 1536)
    doubles[:1536] = values.view(np.uint64)
    with np.errstate(all="ignore"):
        write("f64.decode", doubles, doubles.view(np.float64).astype(np.float32))
    halves = rng.integers(0, 65536, 3072).astype(np.uint16)
    halves[:8] = [0, 0x8000, 1, 0x03ff, 0x0400, 0x7bff, 0x7c00, 0xfc00]
    with np.errstate(all="ignore"):
        write("f16.decode", halves, halves.view(np.float16).astype(np.float32))
    bytes_of = halves.view(np.uint8)
    write("bf16.decode", halves, gguf.quants.dequantize(bytes_of, gguf.GGMLQuantizationType.BF16))


def tensor_goldens(rng: np.random.Generator) -> None:
    i2_s_parts, packed_parts, absmean_parts = {}, [], []
    shapes = {"I2_S": [(1, 128), (12, 96), (4, 32), (3, 256), (128, 5), (0, 7)],
              "I2_S_ARM": [(1, 64), (2, 96), (4, 32), (3, 256), (64, 5), (0, 7)],
              "I2_S_ROWS4": [(4, 1), (12, 96), (4, 32), (8, 256), (128, 5), (0, 7)]}
    for name, row_column_pairs in shapes.items():
        parts = i2_s_parts.setdefault(name, [])
        for rows, columns in row_column_pairs:
            codes = rng.integers(-1, 2, (rows, columns)).astype(np.int8)
            scale = np.float32(rng.uniform(0.001, 3))
            header = struct.pack("<IIf", rows, columns, scale)
            parts += [header, codes.tobytes(), i2_s.encode(codes, scale, name)]
    for rows in [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 64]:
        codes = rng.integers(-1, 2, (rows, 5)).astype(np.int8)
        packed = bitnet.pack_weights(torch.from_numpy(codes.astype(np.float32)))
        header = struct.pack("<IIf", rows, 5, 1.0)
        packed_parts += [header, codes.tobytes(), packed.numpy().tobytes()]
        if rows % 4 == 0:
            unpacked = bitnet.unpack_weights(packed, torch.float32).numpy()
            assert (unpacked == codes).all()
    for weights in absmean_inputs(rng):
        tensor = torch.from_numpy(weights)
        inverse = 1.0 / tensor.abs().mean().clamp_(min=1e-5)
        quantised = bitnet.WeightQuant.apply(tensor)
        codes = torch.sign(quantised).to(torch.int8).numpy()
        header = struct.pack("<IIf", *weights.shape, (1.0 / inverse).item())
        absmean_parts += [header, codes.tobytes(), weights.tobytes()]
    for name, parts in i2_s_parts.items():
        write(f"{name.lower()}.tensors", *parts)
    write("hf_ternary.tensors", *packed_parts)
    write("absmean.tensors", *absmean_parts)


def absmean_inputs(rng: np.random.Generator) -> list[np.ndarray]:
    def normal(rows, columns, sigma):
        return (rng.standard_normal((rows, columns)) * sigma).astype(np.float32)

    # mean|W| = 2 exactly, and many weights at +-1 = half of it: ties, which go to 0
    ties = np.array([[1, -1, 3, -3, 1, -1, 3, -3]] * 4, np.float32)
    sparse = normal(6, 100, 0.5) * (rng.random((6, 100)) < 0.05)
    return [normal(16, 160, 0.02), normal(7, 33, 1.4), normal(1, 500, 3e-6), ties,
            sparse.astype(np.float32), normal(3, 7, 1e4)]


def main() -> int:
    os.makedirs(OUT, exist_ok=True)
    rng = np.random.default_rng(20261121)
    values = np.concatenate([codec_inputs.adversarial(rng), codec_inputs.random_blocks(rng, 20)])
    encode_goldens(values)
    decode_goldens(rng)
    tensor_goldens(rng)
    return 0


if __name__ == "__main__":
    sys.exit(main())
