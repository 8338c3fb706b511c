#!/usr/bin/env python3
"""Writes tests/data/base/half.bin: float32 values and what numpy makes of them as float16 and
torch as bfloat16. Records of 8 bytes, little-endian: u32 float32 bits, u16 f16 bits, u16 bf16 bits.
Values: ties and their neighbours in normals and subnormals, limits, infinities, NaN, random bits.
Needs numpy and torch; run from anywhere."""

import pathlib

import numpy as np
import torch

rng = np.random.default_rng(20240601)
bits = []
# Ties between neighbouring f16 values, and one float32 step to each side.
halves = np.concatenate([np.arange(0, 64), rng.integers(0, 0x7BFF, 300), [0x3FF, 0x400, 0x7BFE]])
for half in halves.astype(np.uint16):
    low, high = np.array([half, half + 1], np.uint16).view(np.float16).astype(np.float64)
    tie = np.float32((low + high) / 2).view(np.uint32)
    bits += [int(tie) - 1 if tie else 0, int(tie), int(tie) + 1]
# Ties between neighbouring bf16 values.
for top in rng.integers(0, 0x7F7F, 300):
    tie = int(top) << 16 | 0x8000
    bits += [tie - 1, tie, tie + 1]
bits += [0x477FEFFF, 0x477FF000, 0x477FF001, 0x7F7FFFFF, 0x7F7F8000, 0x7F800000, 0x7F800001,
         0x7FC00000, 0x7FFFFFFF, 0x00000001, 0x007FFFFF, 0x00800000, 0x33000000, 0x33000001]
bits += [int(b) for b in rng.integers(0, 2**31, 500)]
# Random values of ordinary size, where f16 neither overflows nor vanishes.
bits += [int(b) for b in rng.standard_normal(500).astype(np.float32).view(np.uint32)]
values = np.array(bits, np.uint32)
values = np.concatenate([values, values ^ np.uint32(0x80000000)])

with np.errstate(over="ignore", invalid="ignore"):
    f16 = values.view(np.float32).astype(np.float16).view(np.uint16)
bf16 = torch.from_numpy(values.view(np.float32).copy()).to(torch.bfloat16).view(torch.int16)
records = np.zeros(len(values), np.dtype([("f32", "<u4"), ("f16", "<u2"), ("bf16", "<u2")]))
records["f32"], records["f16"], records["bf16"] = values, f16, bf16.numpy().view(np.uint16)

root = pathlib.Path(__file__).resolve().parents[2]
path = root / "tests/data/base/half.bin"
path.parent.mkdir(parents=True, exist_ok=True)
path.write_bytes(records.tobytes())
print(f"{path}: {len(records)} records")
