"""I2_S (bitnet.cpp) in numpy, in its three orders, from the description of the format only: the
oracle for src/codec/i2_s.cc. A byte holds four codes, each value + 1, the first in its top bits:

  I2_S        flat row-major values in groups of 128, a group being four runs of 32 bytes
  I2_S_ARM    the same in groups of 64, runs of 16
  I2_S_ROWS4  four rows laid over one another, a byte per column

Behind all codes: the f32 scale, then 28 bytes that carry nothing."""
import numpy as np

RUNS = {"I2_S": 32, "I2_S_ARM": 16}


def encode(codes: np.ndarray, scale: float, name: str = "I2_S") -> bytes:
    run = RUNS.get(name, codes.shape[-1])
    groups = (codes.reshape(-1, 4, run) + 1).astype(np.uint8)
    weights = np.array([64, 16, 4, 1], np.uint8).reshape(1, 4, 1)
    packed = (groups * weights).sum(axis=1, dtype=np.uint8)
    return packed.tobytes() + np.float32(scale).tobytes() + bytes(28)


def decode(data: bytes, shape: tuple[int, int], name: str = "I2_S") -> np.ndarray:
    count = shape[0] * shape[1]
    packed = np.frombuffer(data, np.uint8, count // 4).reshape(-1, RUNS.get(name, shape[1]))
    scale = np.frombuffer(data, np.float32, 1, count // 4)[0]
    runs = np.stack([packed // 64, packed // 16 % 4, packed // 4 % 4, packed % 4], axis=1)
    return ((runs.astype(np.int8) - 1) * scale).astype(np.float32).reshape(-1)
