"""Values that make number formats fail, in blocks of 256 (so eight blocks of 32): shared by the
goldens (tools/golden/codecs.py) and the oracle test (tests/oracles/test_codecs.py)."""
import numpy as np


def adversarial(rng: np.random.Generator) -> np.ndarray:
    def pick(*values):
        return rng.choice(np.array(values, np.float32), 256)

    def spread(low, high):  # log-uniform magnitudes, random signs
        return (10.0 ** rng.uniform(low, high, 256) * rng.choice([-1, 1], 256)).astype(np.float32)

    negative_zero_first = pick(0.0, -0.0)
    negative_zero_first[::32] = -0.0
    one_huge = spread(-3, 0)
    one_huge[5::32] = 3e38
    one_negative_huge = spread(-3, 0)
    one_negative_huge[31::32] = -3e4
    half = (rng.integers(-127, 128, 256) + 0.5).astype(np.float32)
    half[::32] = 127.0
    nibble_half = (rng.integers(-8, 8, 256) + 0.5).astype(np.float32)
    nibble_half[::32] = -8.0
    range_half = (rng.integers(0, 15, 256) + 0.5).astype(np.float32)
    range_half[::32], range_half[1::32] = 0.0, 15.0
    both_extremes = spread(-2, 0)
    both_extremes[3::64], both_extremes[9::64] = 4.0, -4.0
    both_extremes[3 + 32::64], both_extremes[9 + 32::64] = -4.0, 4.0
    infinite = spread(-2, 2)
    infinite[7::64], infinite[40::64] = np.inf, -np.inf
    near_half = pick(0.5, -0.5, np.float32(0.49999997), np.float32(-0.49999997), 0.50000006, 1.0)
    near_half[0] = 1.0
    f16_ties = np.float32(1.0) + np.arange(256, dtype=np.float32) * np.float32(2.0 ** -12)
    bf16_ties = np.float32(1.0) + np.arange(256, dtype=np.float32) * np.float32(2.0 ** -9)
    blocks = [
        np.zeros(256), -np.zeros(256), negative_zero_first, one_huge, one_negative_huge,
        np.full(256, 0.37), np.full(256, -1.9), spread(-45, -38), spread(-39, -36),
        spread(-37.6, -37.2), pick(65504, -65504, 65519.996, 65520, -65520, 65488),
        spread(4, 9), np.arange(-128, 128) * 2.0 ** -25, spread(-8, -4), half, nibble_half,
        range_half, pick(1, -1, 0.5, -0.5, 0), near_half, pick(0.0117, -0.0117, 0), pick(3.5, -3.5),
        both_extremes, infinite, pick(3.4028235e38, -3.4028235e38, 1.0), f16_ties, -bf16_ties,
    ]
    return np.stack([np.asarray(block, np.float32) for block in blocks])


def random_blocks(rng: np.random.Generator, count: int) -> np.ndarray:
    """Normal, uniform, heavy-tailed and ternary blocks at many scales."""
    scale = (10.0 ** rng.uniform(-6, 3, (count, 1))).astype(np.float32)
    kinds = np.stack([
        rng.standard_normal((count, 256)), rng.uniform(-1, 1, (count, 256)),
        rng.standard_normal((count, 256)) ** 3, rng.integers(-1, 2, (count, 256)),
    ])
    chosen = kinds[np.arange(count) % 4, np.arange(count)]
    return chosen.astype(np.float32) * scale
