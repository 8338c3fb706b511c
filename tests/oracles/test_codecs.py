"""Bittern's scalar codecs against independent programs on many random and adversarial blocks:
ggml's C reference (llama-cpp-python), PyPI gguf, numpy, ml_dtypes,
tools/golden/{i2_s,fork_formats}.py, transformers. Prints a count per format; exit status 0 when
nothing differs beyond what is said below.

Calls the test program codec_pipe beside the binary named by BITTERN (build/release/bittern by
default). The seed is printed and may be given as the first argument.

Allowed: PyPI gguf's Q4_0, Q4_1, Q5_0 and Q5_1 encoders choose another sign for a zero scale or
minimum."""
import os
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tools", "golden"))

import gguf
import numpy as np
import torch
from transformers.integrations import bitnet

import codec_inputs
import fork_formats
import ggml_reference
import i2_s
import ml_dtypes

torch._dynamo.config.disable = True
BITTERN = os.environ.get("BITTERN", os.path.join(ROOT, "build", "release", "bittern"))
PIPE = os.path.join(os.path.dirname(BITTERN), "tests", "codec_pipe")
BLOCKS = 131072  # per format, at least
SEARCHED = ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"]  # slow encoders: fewer
FLOAT8 = {"F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E5M2": ml_dtypes.float8_e5m2,
          "F8_E8M0": ml_dtypes.float8_e8m0fnu, "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
          "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz}
failures = 0


def pipe(verb: str, name: str, rows: int, columns: int, data: np.ndarray | bytes) -> bytes:
    payload = data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes()
    done = subprocess.run([PIPE, verb, name, str(rows), str(columns)], input=payload,
                          stdout=subprocess.PIPE, check=True)
    return done.stdout


def report(name: str, what: str, differing: int, total: int, unit: str) -> None:
    global failures
    failures += differing != 0
    print(f"{name:10} {what:38} {differing} of {total} {unit} differ")


def values_differ(a: np.ndarray, b: np.ndarray) -> int:
    same = (a.view(np.uint32) == b.view(np.uint32)) | (np.isnan(a) & np.isnan(b))
    return int(np.count_nonzero(~same))


def check_block_format(name: str, inputs: np.ndarray, rng: np.random.Generator) -> None:
    _, elements, size = ggml_reference.TYPES[name]
    rows = inputs.shape[0] // (1 if elements == 256 else 256 // elements) + 1
    if name in SEARCHED:
        rows = min(rows, BLOCKS // 4)
    values = inputs[:rows]
    blocks = values.size // elements
    if name not in ggml_reference.DECODED_ONLY:
        data = np.frombuffer(pipe("encode", name, len(values), 256, values), np.uint8)
        reference = ggml_reference.quantize(name, values)
        differ = (data != reference).reshape(blocks, size).any(axis=1)
        report(name, "encode, ggml C", int(differ.sum()), blocks, "blocks")
        check_gguf_encode(name, values, data.reshape(blocks, size))
    coded = rng.integers(0, 256, (blocks, size), np.uint8)
    decoded = np.frombuffer(pipe("decode", name, len(values), 256, coded), np.float32)
    reference = ggml_reference.dequantize(name, coded)
    report(name, "decode of any bytes, ggml C", values_differ(decoded, reference), decoded.size,
           "values")
    try:
        kind = gguf.GGMLQuantizationType[name]
        numpy_values = gguf.quants.dequantize(coded, kind).reshape(-1)
    except (KeyError, NotImplementedError):
        return
    report(name, "decode of any bytes, gguf", values_differ(decoded, numpy_values), decoded.size,
           "values")


def check_gguf_encode(name: str, values: np.ndarray, data: np.ndarray) -> None:
    try:
        kind = gguf.GGMLQuantizationType[name]
        reference = gguf.quants.quantize(values, kind).reshape(data.shape)
    except (KeyError, NotImplementedError):
        return
    differ = data != reference
    if name in ("Q4_0", "Q4_1", "Q5_0", "Q5_1"):  # the allowed sign: high byte of d or of m
        sign_byte = 1 if name.endswith("_0") else 3
        allowed = (data[:, sign_byte] ^ reference[:, sign_byte]) == 0x80
        allowed &= (data[:, sign_byte] & 0x7f) == 0
        allowed &= data[:, sign_byte - 1] == 0
        print(f"{name:10} {'sign of a zero unlike gguf':38} {int(allowed.sum())} blocks, allowed")
        differ[allowed, sign_byte] = False
    report(name, "encode, gguf", int(differ.any(axis=1).sum()), len(data), "blocks")


def check_fork_format(name: str, inputs: np.ndarray, rng: np.random.Generator) -> None:
    """Rows of 512 values, so that a row has several blocks behind its scale."""
    values = inputs[:len(inputs) // 2 * 2].reshape(-1, 512)
    size = fork_formats.row_bytes(name, 512)
    data = np.frombuffer(pipe("encode", name, *values.shape, values), np.uint8)
    differ = (data != fork_formats.encode(name, values)).reshape(len(values), size).any(axis=1)
    report(name, "encode, numpy coder", int(differ.sum()), len(values), "rows of 512")
    coded = rng.integers(0, 256, (len(values), size), np.uint8)
    decoded = np.frombuffer(pipe("decode", name, *values.shape, coded), np.float32)
    report(name, "decode of any bytes, numpy coder",
           values_differ(decoded, fork_formats.decode(name, coded, 512)), decoded.size, "values")


def check_float8(name: str, inputs: np.ndarray, rng: np.random.Generator) -> None:
    kind = FLOAT8[name]
    patterns = np.arange(256, dtype=np.uint8)
    decoded = np.frombuffer(pipe("decode", name, 1, 256, patterns), np.float32)
    report(name, "decode, ml_dtypes, every pattern",
           values_differ(decoded, patterns.view(kind).astype(np.float32)), 256, "values")
    # Ordinary values, any float32, and the middle between every two neighbouring codes.
    levels = np.sort(decoded[np.isfinite(decoded)].astype(np.float64))
    middles = ((levels[1:] + levels[:-1]) / 2).astype(np.float32)
    around = np.concatenate([middles, np.nextafter(middles, np.float32(np.inf)),
                             np.nextafter(middles, np.float32(-np.inf))])
    any_bits = rng.integers(0, 1 << 32, 1 << 20, np.uint64).astype(np.uint32).view(np.float32)
    values = np.concatenate([inputs[:4096].reshape(-1), any_bits, around])
    data = np.frombuffer(pipe("encode", name, 1, values.size, values), np.uint8)
    reference = values.astype(kind).view(np.uint8)
    same = (data == reference) | (np.isnan(data.view(kind).astype(np.float32))
                                  & np.isnan(reference.view(kind).astype(np.float32)))
    report(name, "encode, ml_dtypes", int(np.count_nonzero(~same)), values.size, "values")


def check_plain(inputs: np.ndarray, rng: np.random.Generator) -> None:
    values = inputs[:4096]
    halves = np.frombuffer(pipe("encode", "F16", *values.shape, values), np.uint16)
    report("F16", "encode, numpy", int((halves != values.astype(np.float16).view(np.uint16)
                                        .reshape(-1)).sum()), halves.size, "values")
    reference = gguf.quants.quantize(values, gguf.GGMLQuantizationType.BF16).view(np.uint16)
    brains = np.frombuffer(pipe("encode", "BF16", *values.shape, values), np.uint16)
    report("BF16", "encode, gguf", int((brains != reference.reshape(-1)).sum()), brains.size,
           "values")
    patterns = np.arange(65536, dtype=np.uint16)
    decoded = np.frombuffer(pipe("decode", "F16", 256, 256, patterns), np.float32)
    report("F16", "decode, numpy, every pattern",
           values_differ(decoded, patterns.view(np.float16).astype(np.float32)), 65536, "values")
    decoded = np.frombuffer(pipe("decode", "BF16", 256, 256, patterns), np.float32)
    exact = (patterns.astype(np.uint32) << 16).view(np.float32)
    report("BF16", "decode, by definition, every pattern", values_differ(decoded, exact), 65536,
           "values")
    for name, kind in [("I8", np.int8), ("U8", np.uint8), ("I16", np.int16), ("I32", np.int32),
                       ("I64", np.int64), ("U16", np.uint16), ("U32", np.uint32),
                       ("U64", np.uint64),
                       ("F64", np.float64)]:
        if name == "F64":
            doubles = rng.integers(0, 1 << 64, 65536, np.uint64).view(np.float64)
            decoded = np.frombuffer(pipe("decode", name, 256, 256, doubles), np.float32)
            report(name, "decode, numpy", values_differ(decoded, doubles.astype(np.float32)), 65536,
                   "values")
            continue
        limits = np.iinfo(kind)
        integers = rng.integers(limits.min, limits.max, 65536, kind, endpoint=True)
        decoded = np.frombuffer(pipe("decode", name, 256, 256, integers), np.float32)
        report(name, "decode, numpy", values_differ(decoded, integers.astype(np.float32)), 65536,
               "values")


def check_ternary_formats(rng: np.random.Generator) -> None:
    rows, columns = 4096, 5 * 256 + 96
    codes = rng.integers(-1, 2, (rows, columns)).astype(np.int8)
    scale = np.float32(rng.uniform(0.01, 2))
    values = codes * scale
    for name in ("I2_S", "I2_S_ROWS4", "I2_S_ARM"):
        coded = pipe("encode", name, rows, columns, values)
        reference = i2_s.encode(codes, scale, name)
        report(name, "encode, numpy coder", sum(a != b for a, b in zip(coded, reference)),
               len(reference), "bytes")
        decoded = np.frombuffer(pipe("decode", name, rows, columns, reference), np.float32)
        report(name, "decode, numpy coder",
               int((decoded != i2_s.decode(reference, codes.shape, name)).sum()), codes.size,
               "values")
    for height in (4096, 4093, 5, 1):
        part = codes[:height].astype(np.float32)
        packed = bitnet.pack_weights(torch.from_numpy(part.copy())).numpy()
        coded = np.frombuffer(pipe("encode", "HF_TERNARY", height, columns, part), np.uint8)
        report("HF_TERNARY", f"encode, pack_weights, {height} rows",
               int((coded != packed.reshape(-1)).sum()), coded.size, "bytes")
        decoded = np.frombuffer(pipe("decode", "HF_TERNARY", height, columns, packed), np.float32)
        report("HF_TERNARY", f"decode, pack_weights, {height} rows",
               int((decoded != part.reshape(-1)).sum()), part.size, "values")


def check_absmean(rng: np.random.Generator) -> None:
    """Codes equal to WeightQuant's but within 1e-5 of a tie; scale within two float32 steps."""
    global failures
    total = near_ties = wrong = 0
    worst_scale = 0.0
    for rows, columns, sigma in [(2560, 2560, 0.02), (1024, 4096, 1.3), (64, 6912, 1e-6)]:
        weights = (rng.standard_normal((rows, columns)) * sigma).astype(np.float32)
        out = pipe("ternary", "F32", rows, columns, weights)
        scale = np.frombuffer(out, np.float32, 1)[0]
        codes = np.frombuffer(out, np.int8, offset=8).reshape(rows, columns)
        tensor = torch.from_numpy(weights)
        expected_scale = np.float32((1.0 / (1.0 / tensor.abs().mean().clamp_(min=1e-5))).item())
        expected = torch.sign(bitnet.WeightQuant.apply(tensor)).numpy().astype(np.int8)
        differ = codes != expected
        tie_distance = np.abs(np.abs(weights[differ]) / expected_scale - 0.5)
        near_ties += int((tie_distance < 1e-5).sum())
        wrong += int((tie_distance >= 1e-5).sum())
        worst_scale = max(worst_scale, abs(scale / expected_scale - 1))
        total += weights.size
    report("absmean", "codes, WeightQuant, off ties", wrong, total, "codes")
    print(f"absmean    differing within 1e-5 of a tie: {near_ties}; scale differs by at most "
          f"{worst_scale:.1e} relative")
    failures += worst_scale > 2.4e-7


def main() -> int:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 20261121
    print(f"seed {seed}, {PIPE}")
    rng = np.random.default_rng(seed)
    adversarial = codec_inputs.adversarial(rng)
    inputs = np.concatenate([adversarial, codec_inputs.random_blocks(rng, BLOCKS)])
    with np.errstate(all="ignore"):
        for name in ggml_reference.TYPES:
            check_block_format(name, inputs, rng)
        for name in fork_formats.TYPES:
            check_fork_format(name, inputs, rng)
        for name in FLOAT8:
            check_float8(name, inputs, rng)
        check_plain(inputs, rng)
    check_ternary_formats(rng)
    check_absmean(rng)
    print("FAILED" if failures else "all equal")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
