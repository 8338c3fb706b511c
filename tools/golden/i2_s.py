"""I2_S (bitnet.cpp, x86 layout) in numpy, from the description of the format only: the oracle for
src/codec/i2_s.cc. Flat row-major values in groups of 128; a group is four runs of 32, and byte j of
its 32 bytes is run0[j] << 6 | run1[j] << 4 | run2[j] << 2 | run3[j], each code being value + 1.
Behind all groups: the f32 scale, then 28 bytes that carry nothing."""
import numpy as np


def encode(codes: np.ndarray, scale: float) -> bytes:
    groups = (codes.reshape(-1, 4, 32) + 1).astype(np.uint8)
    weights = np.array([64, 16, 4, 1], np.uint8).reshape(1, 4, 1)
    packed = (groups * weights).sum(axis=1, dtype=np.uint8)
    return packed.tobytes() + np.float32(scale).tobytes() + bytes(28)


def decode(data: bytes, count: int) -> np.ndarray:
    packed = np.frombuffer(data, np.uint8, count // 4).reshape(-1, 32)
    scale = np.frombuffer(data, np.float32, 1, count // 4)[0]
    runs = np.stack([packed // 64, packed // 16 % 4, packed // 4 % 4, packed % 4], axis=1)
    return ((runs.astype(np.int8) - 1) * scale).astype(np.float32).reshape(-1)
