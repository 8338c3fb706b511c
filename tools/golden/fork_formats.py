"""The formats that neither PyPI gguf nor ggml knows, in numpy, each from the description of its
layout only: the oracle for src/codec/{q1_0_q2_0,tq1_0,stq1_0,iq_bn}.cc.

  PQ2_0, PTQ1_0   PrismML's llama.cpp
  STQ1_0          Tencent Sherry, llama.cpp pull request 22836
  IQ1_BN, IQ2_BN  ik_llama.cpp; a scale in front of every row"""
import numpy as np

# name -> (elements, bytes) of a block, bytes in front of a row
TYPES = {
    "PQ2_0": (128, 34, 0),
    "PTQ1_0": (128, 28, 0),
    "STQ1_0": (256, 42, 0),
    "IQ1_BN": (64, 13, 2),
    "IQ2_BN": (64, 16, 4),
}
# Of every group of four: [negated][slot] -> codes 0, 1, 2 of lanes 0..3, as the pull request
# tabulates them (two bits a lane, lane 0 lowest).
STQ_CODEBOOK = np.array([
    0xA9, 0x89, 0x29, 0x09, 0xA6, 0x86, 0x26, 0x06, 0x9A, 0x92, 0x1A, 0x12, 0x6A, 0x62, 0x4A, 0x42,
    0x01, 0x21, 0x81, 0xA1, 0x04, 0x24, 0x84, 0xA4, 0x10, 0x18, 0x90, 0x98, 0x40, 0x48, 0x60, 0x68],
    np.uint8).reshape(2, 16)


def row_bytes(name: str, columns: int) -> int:
    elements, size, head = TYPES[name]
    return head + columns // elements * size


def halves(column_pair: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(column_pair).view(np.float16).astype(np.float32)


def round_half_away(values: np.ndarray) -> np.ndarray:
    return np.copysign(np.floor(np.abs(values.astype(np.float64)) + 0.5), values)


def ternary_digits(values: np.ndarray, out_of_range: int) -> tuple[np.ndarray, np.ndarray]:
    """round(x / amax) + 1 and amax, per block; `out_of_range` where 1/amax overflows."""
    amax = np.fmax.reduce(np.abs(values), axis=-1, keepdims=True)
    with np.errstate(all="ignore"):
        inverse = np.where(amax > 0, np.float32(1) / amax, np.float32(0)).astype(np.float32)
        scaled = (values * inverse).astype(np.float32)
        valid = np.abs(scaled) < 2.0 ** 31
        rounded = round_half_away(np.where(valid, scaled, 0)).astype(np.int64)
    return np.where(valid, rounded + 1, out_of_range), amax


def base3_bytes(digits: np.ndarray) -> np.ndarray:
    """Digits [..., 5], most significant first, to bytes: ceil(256 v / 243)."""
    v = (digits * np.array([81, 27, 9, 3, 1])).sum(axis=-1)
    return ((256 * v + 242) // 243 % 256).astype(np.uint8)


def base3_digits(data: np.ndarray) -> np.ndarray:
    """Bytes to digits [..., 5], most significant first."""
    rest, digits = data.astype(np.int64), []
    for _ in range(5):
        rest *= 3
        digits.append(rest >> 8)
        rest &= 255
    return np.stack(digits, axis=-1)


def encode_pq2_0(values: np.ndarray) -> np.ndarray:
    codes, d = ternary_digits(values.reshape(-1, 128), 0)
    quads = np.clip(codes, 0, 3).reshape(-1, 32, 4) << np.array([0, 2, 4, 6])
    return np.concatenate([d.astype(np.float16).view(np.uint8), quads.sum(-1).astype(np.uint8)],
                          axis=1)


def decode_pq2_0(data: np.ndarray) -> np.ndarray:
    blocks = data.reshape(-1, 34)
    codes = blocks[:, 2:, None] >> np.array([0, 2, 4, 6], np.uint8) & 3
    return (codes.reshape(-1, 128).astype(np.float32) - 1) * halves(blocks[:, :2])


# PTQ1_0: (bytes, digits) of its sections; digit n of byte m is value `bytes * n + m` of the
# section.
PTQ_SECTIONS = [(16, 5), (8, 5), (2, 4)]


def encode_ptq1_0(values: np.ndarray) -> np.ndarray:
    digits, d = ternary_digits(values.reshape(-1, 128), 1)
    parts, start = [], 0
    for count, depth in PTQ_SECTIONS:
        section = digits[:, start:start + count * depth].reshape(-1, depth, count)
        padded = np.zeros((len(section), 5, count), np.int64)
        padded[:, :depth] = section
        parts.append(base3_bytes(padded.transpose(0, 2, 1)))
        start += count * depth
    return np.concatenate(parts + [d.astype(np.float16).view(np.uint8)], axis=1)


def decode_ptq1_0(data: np.ndarray) -> np.ndarray:
    blocks = data.reshape(-1, 28)
    parts, start = [], 0
    for count, depth in PTQ_SECTIONS:
        digits = base3_digits(blocks[:, start:start + count])[..., :depth]
        parts.append(digits.transpose(0, 2, 1).reshape(len(blocks), -1))
        start += count
    return (np.concatenate(parts, axis=1).astype(np.float32) - 1) * halves(blocks[:, 26:])


def stq_groups(values: np.ndarray) -> np.ndarray:
    """[blocks, 256] -> [blocks, 64 groups, 4 lanes]: lanes are 16 apart inside 64 values."""
    return values.reshape(-1, 4, 4, 16).transpose(0, 1, 3, 2).reshape(-1, 64, 4)


def encode_stq1_0(values: np.ndarray) -> np.ndarray:
    groups = stq_groups(values)
    zero = np.argmin(np.abs(groups), axis=-1)
    codes = np.where(groups < 0, 0, 2)
    np.put_along_axis(codes, zero[..., None], 1, axis=-1)
    wanted = (codes << np.array([0, 2, 4, 6])).sum(-1).astype(np.uint8)
    lookup = {int(code): index for index, code in enumerate(STQ_CODEBOOK.reshape(-1))}
    indices = np.vectorize(lookup.__getitem__)(wanted)
    slots, signs = indices & 15, indices >> 4
    qs = (slots[:, ::2] | slots[:, 1::2] << 4).astype(np.uint8)
    sign = np.packbits(signs.astype(np.uint8), axis=1, bitorder="little")
    d = np.abs(values.reshape(-1, 256)).max(axis=1, keepdims=True).astype(np.float16)
    return np.concatenate([qs, sign, d.view(np.uint8)], axis=1)


def decode_stq1_0(data: np.ndarray) -> np.ndarray:
    blocks = data.reshape(-1, 42)
    slots = np.stack([blocks[:, :32] & 15, blocks[:, :32] >> 4], axis=-1).reshape(-1, 64)
    signs = np.unpackbits(blocks[:, 32:40], axis=1, bitorder="little")
    codes = STQ_CODEBOOK[signs, slots][..., None] >> np.array([0, 2, 4, 6], np.uint8) & 3
    values = codes.reshape(-1, 4, 16, 4).transpose(0, 1, 3, 2).reshape(-1, 256)
    return (values.astype(np.float32) - 1) * halves(blocks[:, 40:])


def bn_codes(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale = np.fmax.reduce(np.abs(rows), axis=1, keepdims=True, initial=0)
    small = np.abs(rows) < (np.float32(0.5) * scale).astype(np.float32)
    return np.where(small, 1, np.where(rows < 0, 0, 2)), scale.astype(np.float32)


def encode_iq1_bn(rows: np.ndarray) -> np.ndarray:
    codes, scale = bn_codes(rows)
    runs = codes.reshape(len(rows), -1, 4, 16)
    # The first is least significant.
    fives = runs[..., :15].reshape(len(rows), -1, 4, 3, 5)[..., ::-1]
    ql = base3_bytes(fives).reshape(len(rows), -1, 12)
    last = np.zeros((*runs.shape[:2], 5), np.int64)
    last[..., 1:] = runs[..., ::-1, 15]
    blocks = np.concatenate([ql, base3_bytes(last)[..., None]], axis=2).reshape(len(rows), -1)
    return np.concatenate([scale.astype(np.float16).view(np.uint8), blocks], axis=1)


def decode_iq1_bn(data: np.ndarray, columns: int) -> np.ndarray:
    rows = data.reshape(-1, row_bytes("IQ1_BN", columns))
    blocks = rows[:, 2:].reshape(len(rows), -1, 13)
    digits = base3_digits(blocks)[..., ::-1]
    runs = np.concatenate([digits[:, :, :12].reshape(len(rows), -1, 4, 15),
                           digits[:, :, 12, :4, None]], axis=3)
    return (runs.reshape(len(rows), -1).astype(np.float32) - 1) * halves(rows[:, :2])


def encode_iq2_bn(rows: np.ndarray) -> np.ndarray:
    codes, scale = bn_codes(rows)
    planes = codes.reshape(len(rows), -1, 4, 16) << np.array([0, 2, 4, 6]).reshape(1, 1, 4, 1)
    return np.concatenate([scale.view(np.uint8),
                           planes.sum(2).astype(np.uint8).reshape(len(rows), -1)],
                          axis=1)


def decode_iq2_bn(data: np.ndarray, columns: int) -> np.ndarray:
    rows = data.reshape(-1, row_bytes("IQ2_BN", columns))
    blocks = rows[:, 4:].reshape(len(rows), -1, 1, 16)
    codes = blocks >> np.array([0, 2, 4, 6], np.uint8).reshape(1, 1, 4, 1) & 3
    scale = np.ascontiguousarray(rows[:, :4]).view(np.float32)
    return (codes.reshape(len(rows), -1).astype(np.float32) - 1) * scale


def encode(name: str, rows: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return globals()[f"encode_{name.lower()}"](rows).reshape(-1)


def decode(name: str, data: np.ndarray, columns: int) -> np.ndarray:
    function = globals()[f"decode_{name.lower()}"]
    with np.errstate(all="ignore"):
        values = function(data, columns) if TYPES[name][2] else function(data)
    return values.astype(np.float32).reshape(-1)
