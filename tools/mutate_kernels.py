#!/usr/bin/env python3
"""Small faults in the kernels, one at a time, and the tests that must notice each.

    tools/mutate_kernels.py FOLDER [--only TEXT] [--list] [--jobs N] [--resume]

Copies the working tree into FOLDER/tree, builds the test programs that are named below in
FOLDER/build, and then for each mutant: replaces its text in the copy, rebuilds, runs the tests of
its filter. A test that fails, dies or takes too long has killed the mutant; one that passes lets it
survive, and then a test is missing (or the mutant is none: it changes speed alone). Exit status 1
where any survives or its text is gone. With --resume, mutants that FOLDER/results.txt knows as
killed are not run again.

Constants that only steer speed (prefetch distances, the sizes of tiles and panels, the row counts
at which one way gives over to another) are left out: no result can depend on them, and the tests
of guarantees G3 and G4 say so. Not a part of ctest: a mutant costs a compilation, a link and the
tests, 10 to 30 seconds.
"""
import argparse
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
ISA = "src/kernel/isa/"
IQ = "src/kernel/block_formats_iq.cc"
TIME_LIMIT = 240



@dataclasses.dataclass(frozen=True)
class Family:
    """Kernels whose tests can tell their instruction sets apart."""
    name: str
    program: str
    suites: tuple  # of the family's own tests
    entries: str   # of every_entry_test.cc


TERNARY = Family("ternary", "test_kernel", ("*Ternary*", "*T2*", "*T16*"), "*Ternary*")
BLOCK = Family("block", "test_kernel", ("*Block*",), "BlockKernels*")
REAL = Family("real", "test_kernel", ("*FloatKernel*",), "RealKernels*")
ATTENTION = Family("attention", "test_kernel", ("AttentionKernel*", "*/AttentionKernel*"),
                   "AttentionKernels*")
ROWS = Family("rows", "test_kernel", ("*RowKernel*", "*MathKernel*", "*FloatKernel*"), "Table*")
STEP = Family("step", "test_backend", ("*Linear*", "*Joined*", "*Attention*", "*Row*"), "")

# Of one operation: the family's tests of it, and its entry.
OPERATIONS = {
    "exponential": ("*", "*"),
    "tanh": ("*Softcap*", "softcap"),
    "gelu": ("*Activations*", "gate"),
    "rms_norm": ("*Norm*", "rms_norm"),
    "layer_norm": ("*Norm*", "layer_norm"),
    "add_scaled": ("*AddAndScale*", "add_scaled"),
    "add_rows": ("*AddRows*", "add_rows"),
    "hadamard": ("*Hadamard*", "hadamard"),
    "rotate": ("*Rotation*", "rotate"),
    "codes": ("*Quantise*:*KeyValueInt8*", "quantise:*encode_i8"),
    "softmax_chunk": ("*Softmax", "softmax_chunk"),
    "half": ("*Half*", "?ncode_f16"),
    "decode": ("*Decoders*", "decode_q*"),
    "softmax": ("*Softmax*", "softmax"),
    "value_codes": ("*ValueCodes*", "value_codes"),
    "join": ("*Join*", "join"),
    "products": ("*Products*", "products*"),
    "key_dots": ("*KeyDots*", "key_dots"),
    "value_dots": ("*ValueDots*", "value_dots"),
    "block_quantise": ("*Quantises*", "quantise"),
    "joined": ("*Join*:*Gate*:*Turn*:*Rows*", ""),
    "route": ("*Rout*", ""),
    "linear": ("*Linear*", ""),
    "row_operations": ("*Row*:*Hadamard*:*Element*", ""),
    "kv": ("*Attention*:*Kv*", ""),
}


@dataclasses.dataclass(frozen=True)
class Mutant:
    family: Family
    path: str
    find: str
    replacement: str
    operation: str = "*"

    @property
    def label(self):
        return f"{self.path}: {self.find!r} -> {self.replacement!r}"

    @property
    def isa(self):
        """The one whose tests must fail; * where the file is everyone's, or the truth."""
        found = re.search(r"_(avx2|avxvnni|avx512|avx512vbmi)\.(cc|inl)$", self.path)
        return found.group(1).removesuffix("vbmi") if found else "*"

    @property
    def tests(self):
        suites, entry = self.family.suites, self.family.entries
        if self.operation != "*":
            own, entry_name = OPERATIONS[self.operation]
            suites = [suite.rstrip("*") + "*" + own.strip("*") + "*" for suite in suites]                 if ":" not in own else own.split(":")
            entry = ":".join(f"{entry.rstrip('*')}_{part}" for part in entry_name.split(":"))
        isa = self.isa
        patterns = [f"{suite}/{isa}" if isa != "*" else suite for suite in suites]
        if isa == "avx512" and self.family is TERNARY:
            patterns += ["*Ternary*/dense_avx512vbmi"]
        if isa == "avx512" and self.family is ATTENTION:
            patterns += [f"{suite}/avx512vnni" for suite in suites]
        if self.family.program == "test_kernel":
            for part in entry.split(":"):
                patterns.append(f"*EntryKernel*/{isa}_{part.replace('.', '_')}")
        return ":".join(dict.fromkeys(patterns))

    def disturbs(self, other):
        """Whether a test of one could fail by the other."""
        def meet(a, b):
            return a == "*" or b == "*" or a == b
        if {self.family, other.family} == {BLOCK, ROWS}:
            return "half.inl" in self.path + other.path
        if STEP in (self.family, other.family):
            return self.family is not other.family or meet(self.operation, other.operation)
        if ROWS in (self.family, other.family) and self.family is not other.family:
            return True
        if self.family is not other.family:
            return False
        return meet(self.isa, other.isa) and meet(self.operation, other.operation)


# (family, file, text, replacement); the text stands once in the file, or "text#2" takes the second.
MUTANTS = [Mutant(*row) for row in (
    # ---- ternary
    (TERNARY, ISA + "ternary_avx2.cc", "_mm256_set1_epi8(3)", "_mm256_set1_epi8(7)"),
    (TERNARY, ISA + "ternary_avx2.cc", "_mm256_set1_epi16(1)", "_mm256_set1_epi16(2)"),
    (TERNARY, ISA + "ternary_avx2.cc", "srli_epi16(packed, 2)", "srli_epi16(packed, 3)"),
    (TERNARY, ISA + "ternary_avx2.cc", "srli_epi16(packed, 4)", "srli_epi16(packed, 2)"),
    (TERNARY, ISA + "ternary_avx2.cc", "srli_epi16(packed, 6)", "srli_epi16(packed, 5)"),
    (TERNARY, ISA + "ternary_avx2.cc", "(-job.sums[row + j])", "(job.sums[row + j])"),
    (TERNARY, ISA + "ternary_avx2.cc", "(-job.sums[row + j])", "(-job.sums[row])"),
    (TERNARY, ISA + "ternary_avx2.cc", "+ half * 32;", "+ half * 16;"),
    (TERNARY, ISA + "ternary_avx2.cc", "broadcast_codes(codes + 4 * p)",
     "broadcast_codes(codes + 4)"),
    (TERNARY, ISA + "ternary_avx2.cc", "kStripRows + half * 8", "kStripRows + half * 4"),
    (TERNARY, ISA + "ternary_avx2.cc", "row < job.rows; ++row", "row + 1 < job.rows; ++row"),
    (TERNARY, ISA + "ternary_avx2.cc", "(row + j) * job.columns + line",
     "row * job.columns + line"),
    (TERNARY, ISA + "ternary_vnni.inl", "for (int plane = 3; plane >= 0",
     "for (int plane = 3; plane >= 1"),
    (TERNARY, ISA + "ternary_vnni.inl", "if (plane == 0) break;", "if (plane == 1) break;"),
    (TERNARY, ISA + "ternary_vnni.inl", "k + 16 * line + 4 * plane",
     "k + 16 * line + 4 * (3 - plane)"),
    (TERNARY, ISA + "ternary_vnni.inl", "k * 4 + line * 64", "k * 4 + line * 32"),
    (TERNARY, ISA + "ternary_vnni.inl", "set(-panel.sums[row + j])", "set(panel.sums[row + j])"),
    (TERNARY, ISA + "ternary_vnni.inl", "panel.sums == nullptr ? load_dwords(out)",
     "panel.sums == nullptr ? set(0)"),
    (TERNARY, ISA + "ternary_vnni.inl", "k + kPanelColumns >= job.columns",
     "k + kPanelColumns > job.columns + 64"),
    (TERNARY, ISA + "ternary_vnni.inl", ".sums = k == 0 ? job.sums : nullptr", ".sums = job.sums"),
    (TERNARY, ISA + "ternary_vnni.inl", "kStripRows / kLineVectors : job.rows",
     "kStripRows : job.rows"),
    (TERNARY, ISA + "ternary_avx512.inl", "_mm512_srai_epi32(a, 2)", "_mm512_srli_epi32(a, 2)"),
    (TERNARY, ISA + "ternary_avx512.inl", "3 << 2 * plane", "2 << 2 * plane"),
    (TERNARY, ISA + "ternary_avx512.inl", "srai_epi32(planes[1], 2)", "srai_epi32(planes[1], 1)"),
    (TERNARY, ISA + "ternary_avx512.inl", "srai_epi32(planes[2], 4)", "srli_epi32(planes[2], 4)"),
    (TERNARY, ISA + "ternary_avx512.inl", "srai_epi32(planes[3], 6)", "srai_epi32(planes[3], 5)"),
    (TERNARY, ISA + "ternary_avx512.cc", "k + 16 * s + 4 * p", "k + 16 * s + 4"),
    (TERNARY, ISA + "ternary_avx512.cc", "lines + k * 4 + s * 64", "lines + k * 4"),
    (TERNARY, ISA + "ternary_avx512.cc", "k += 16 * kSets", "k += 32"),
    (TERNARY, ISA + "ternary_avx512.cc", "set(-job.sums[j])", "set(-job.sums[0])"),
    (TERNARY, ISA + "ternary_avx512.cc", "strip * kRows + j", "strip + j"),
    (TERNARY, ISA + "ternary_avx512.cc", "strip < job.strip_count; ++strip) strips_times_rows<1>",
     "strip + 1 < job.strip_count; ++strip) strips_times_rows<1>"),
    (TERNARY, ISA + "ternary_avxvnni.cc", "3 << 2 * plane", "1 << 2 * plane"),
    (TERNARY, ISA + "ternary_avxvnni.cc", "_mm256_srai_epi32(a, 2)", "_mm256_srli_epi32(a, 2)"),
    (TERNARY, ISA + "ternary_avxvnni.cc", "load_masked(line + 32, p)", "load_masked(line, p)"),
    (TERNARY, ISA + "ternary_avxvnni.cc", "srai_epi32(planes[3], 6)", "srli_epi32(planes[3], 6)"),
    (TERNARY, ISA + "ternary_avxvnni.cc", "srai_epi32(planes[2], 4)", "srai_epi32(planes[2], 3)"),
    (TERNARY, ISA + "ternary_avxvnni.cc", "set(-job.sums[0])", "set(job.sums[0])"),
    (TERNARY, ISA + "ternary_avxvnni.cc", "k + 4 * p)", "k + p)"),
    (TERNARY, ISA + "ternary_t16.inl", "pair_byte(64 + i / 3)", "pair_byte(63 + i / 3)"),
    (TERNARY, ISA + "ternary_t16.inl", "i % 3 * 64", "i % 3 * 32"),
    (TERNARY, ISA + "ternary_t16.inl", "c / 27 % 3 << 6", "c / 27 % 3 << 5"),
    (TERNARY, ISA + "ternary_dense_avx512vbmi.cc", "cmpge_epu8_mask(bytes, high)",
     "cmpgt_epu8_mask(bytes, high)"),
    (TERNARY, ISA + "ternary_dense_avx512vbmi.cc", "cmpge_epu8_mask(bytes, high)",
     "cmpge_epi8_mask(bytes, high)"),
    (TERNARY, ISA + "ternary_dense_avx512vbmi.cc", "row_columns + 4 * p);", "row_columns + p);"),
    (TERNARY, ISA + "ternary_dense_avx512vbmi.cc", "job.columns + 64 + 4 * i",
     "job.columns + 60 + 4 * i"),
    (TERNARY, ISA + "ternary_dense_avx512vbmi.cc", "srai_epi32(total[j][4], 6)",
     "srai_epi32(total[j][4], 4)"),
    (TERNARY, ISA + "ternary_dense_avx512vbmi.cc", "_mm512_srli_epi16(line, 2 * plane)",
     "_mm512_srli_epi16(line, 2)"),
    (TERNARY, ISA + "ternary_dense_avx512vbmi.cc", "srli_epi16(weights.fifth, 6)",
     "srli_epi16(weights.fifth, 4)"),
    (TERNARY, ISA + "ternary_dense_avx512vbmi.cc", "(strip + s) * job.rows + row + j",
     "(strip + s) * job.rows + j"),
    (TERNARY, ISA + "ternary_dense_avx512vbmi.cc", "set(-job.sums[row + j])",
     "set(-job.sums[j])"),
    (TERNARY, ISA + "ternary_dense_avx512vbmi.cc", "k + kDenseColumns <= job.columns",
     "k + kDenseColumns < job.columns"),
    (TERNARY, ISA + "ternary_dense_avx512vbmi.cc", "for (; k < job.columns; k += 16, line += 64) {",
     "for (; k + 16 < job.columns; k += 16, line += 64) {"),
    (TERNARY, ISA + "ternary_scale.inl", "broadcast(job.inverse_scales[m]) * scales",
     "(broadcast(job.inverse_scales[m]) * scales)"),
    (TERNARY, ISA + "ternary_scale.inl", "value = value + bias", "value = bias - value"),
    (TERNARY, ISA + "ternary_scale.inl", "if (job.outputs == kStripRows)",
     "if (job.outputs >= 15)"),
    (TERNARY, ISA + "ternary_line.inl", "codes[4 * p + i]", "codes[4 * i + p]"),
    (TERNARY, ISA + "ternary_scalar.cc", "total[n] - job.sums[m]", "total[n] - job.sums[0]"),
    (TERNARY, ISA + "ternary_amx.cc", "srli_epi16(line, 2)", "srli_epi16(line, 1)"),
    (TERNARY, ISA + "ternary_amx.cc", "srli_epi16(line, 6)", "srli_epi16(line, 4)"),
    (TERNARY, ISA + "ternary_tiles.inl", ".fresh = k == 0", ".fresh = true"),
    (TERNARY, ISA + "ternary_tiles.inl", "sub_epi32(_mm512_loadu_si512(out), sum)",
     "add_epi32(_mm512_loadu_si512(out), sum)"),
    (TERNARY, ISA + "ternary_tiles.inl", "unpack_panel(lines + job.strip_bytes,", "unpack_panel(lines,"),
    (TERNARY, ISA + "ternary_tiles.inl", ".codes = job.codes + row * job.columns,",
     ".codes = job.codes,"),
    (TERNARY, ISA + "ternary_tiles.inl", "if (rows < job.rows) by_vectors", "if (false) by_vectors"),
    # ---- block formats
    (BLOCK, ISA + "block_codes.inl", "kSignedCodes ? 128 : 0", "kSignedCodes ? 127 : 0"),
    (BLOCK, ISA + "block_codes.inl", "kSignedCodes ? 0 : -128", "kSignedCodes ? 0 : -127"),
    (BLOCK, ISA + "block_codes.inl", "return -16;", "return -15;"),
    (BLOCK, ISA + "block_codes.inl", "return -32;", "return -31;"),
    (BLOCK, ISA + "block_codes.inl", "return -64;", "return -128;"),
    (BLOCK, ISA + "block_codes.inl", "levels.of[code] - bias", "levels.of[code]"),
    (BLOCK, ISA + "block_codes.inl", "low.vector[2], quad + 66", "low.vector[2], quad + 64"),
    (BLOCK, ISA + "block_codes.inl", "Codes::iq2) return Range::wide",
     "Codes::iq2) return Range::medium"),
    (BLOCK, ISA + "block_levels.inl", "69, 89, 113}", "69, 89, 112}"),
    (BLOCK, ISA + "block_levels.inl", "-6, -8, -12}", "-6, -8, -10}"),
    (BLOCK, ISA + "block_levels.inl", "22, 26, 31, -2", "22, 26, 30, -2"),
    (BLOCK, ISA + "block_levels.inl", "-11, -13, -15}", "-11, -13, -14}"),
    (BLOCK, ISA + "block_levels.inl", "25, 43, 0, -8", "25, 42, 0, -8"),
    (BLOCK, ISA + "block_levels.inl", "9, 0, -9", "9, 0, -8"),
    (BLOCK, ISA + "block_codes.inl", "broadcast_bytes(3)", "broadcast_bytes(1)"),
    (BLOCK, ISA + "block_codes.inl", "broadcast_bytes(15)", "broadcast_bytes(7)"),
    (BLOCK, ISA + "block_codes.inl", "broadcast_bytes(0x30)", "broadcast_bytes(0x10)"),
    (BLOCK, ISA + "block_codes.inl", "shifted_right<6>(packed)", "shifted_right<5>(packed)"),
    (BLOCK, ISA + "block_codes.inl", "shifted_left<4>(high)", "shifted_left<2>(high)"),
    (BLOCK, ISA + "block_codes.inl", "merged(low.vector[3], shifted_right<2>(high)",
     "merged(low.vector[3], high"),
    (BLOCK, ISA + "block_codes.inl", "quad + 64, part, 4)", "quad + 64, part, 2)"),
    (BLOCK, ISA + "block_codes.inl", "quad + 128, part, 16)", "quad + 128, part, 8)"),
    (BLOCK, ISA + "block_codes.inl", "kCodes == Codes::bits_1 ? 1 : 2", "1"),
    (BLOCK, ISA + "block_codes.inl", "Codes::iq3_xxs ? Range::medium",
     "Codes::iq3_xxs ? Range::narrow"),
    (BLOCK, ISA + "block_codes.inl", "broadcast_bytes(128)", "broadcast_bytes(64)"),
    (BLOCK, ISA + "block_avx2.cc", "codes + 4 * p", "codes + p"),
    (BLOCK, ISA + "block_avx2.cc", "_mm256_sign_epi8(broadcast_codes(codes), weights)",
     "broadcast_codes(codes)"),
    (BLOCK, ISA + "block_avx2.cc", "products(weights, codes, 3)", "products(weights, codes, 2)"),
    (BLOCK, ISA + "block_avx2.cc", "_mm256_set1_epi16(1)", "_mm256_set1_epi16(-1)"),
    (BLOCK, ISA + "block_lanes_avx2.inl", "0x0303030303030303", "0x0203030303030303"),
    (BLOCK, ISA + "block_lanes_avx2.inl", "0x8040201008040201u", "0x8040201008040202u"),
    (BLOCK, ISA + "block_lanes_avx2.inl", "0x00200000", "0x00400000"),
    (BLOCK, ISA + "block_lanes_avx2.inl", "32, 64, 128)", "32, 64, 64)"),
    (BLOCK, ISA + "block_lanes_avx2.inl", "set1_epi32(rows[part])", "set1_epi32(rows[part ^ 1])"),
    (BLOCK, ISA + "block_lanes_avx2.inl", "cmpgt_epi32(exponent, one)",
     "cmpgt_epi32(exponent, _mm256_setzero_si256())"),
    (BLOCK, ISA + "block_lanes_avx2.inl", "(mixed, 0xd8)", "(mixed, 0xe4)"),
    (BLOCK, ISA + "block_lanes_avx512.inl", "0x00200000", "0x00400000"),
    (BLOCK, ISA + "block_lanes_avx512.inl", "mask_or_epi32(low, ", "mask_or_epi32(value, "),
    (BLOCK, ISA + "block_scales.inl", "shape.unit, ready", "1.0f, ready"),
    (BLOCK, ISA + "block_scales.inl", "ready.supers[1][n] = -ready.supers[1][n]",
     "ready.supers[1][n] = ready.supers[1][n]"),
    (BLOCK, ISA + "block_scales.inl", "shape.at.supers + 32", "shape.at.supers"),
    (BLOCK, ISA + "block_scales.inl", "while (kBlockRun << shift < layout.sub)",
     "while (kBlockRun << shift < layout.sub / 2)"),
    (BLOCK, ISA + "block_scales.inl", "subtract(offset, load_bytes(zeros + index))",
     "subtract(load_bytes(zeros + index), offset)"),
    (BLOCK, ISA + "block_scales.inl", "bias - zero", "bias + zero"),
    (BLOCK, ISA + "block_sum.inl", "- 16 * 128", "- 15 * 128", "block_quantise"),
    (BLOCK, ISA + "block_quantise.inl", "maximum >= 1e-30f", "maximum >= 1e-29f", "block_quantise"),
    (BLOCK, ISA + "block_quantise.inl", "return maximum / 127.0f",
     "return maximum * (1.0f / 127.0f)", "block_quantise"),
    (BLOCK, ISA + "block_quantise.inl", "first + k < width",
     "first + k <= width", "block_quantise"),
    (BLOCK, ISA + "block_quantise.inl", "total[2 * i] + total[2 * i + 1]",
     "total[2 * i] + total[2 * i]", "block_quantise"),
    (BLOCK, ISA + "block_scalar.cc", "0x00200000u", "0x00400000u"),
    (BLOCK, ISA + "block_scalar.cc", "64 + p / 2 * 2", "64 + p % 2 * 2"),
    (BLOCK, ISA + "block_scalar.cc", "1 << layout.fraction_bits", "2 << layout.fraction_bits"),
    (BLOCK, IQ, "2 * scale + 1", "2 * scale"),
    (BLOCK, IQ, "bits_apart(signs & 255) << 2", "bits_apart(signs & 127) << 2"),
    (BLOCK, IQ, "bits_apart(signs & 255) << 3", "bits_apart(signs & 127) << 3"),
    (BLOCK, IQ, "(second) << 16", "(second) << 12"),
    (BLOCK, IQ, "block + 66 + g / 4 * 4", "block + 66 + g / 8 * 4"),
    (BLOCK, IQ, "high >> 1 & 1u", "high & 1u"),
    (BLOCK, IQ, "nibble_at(block + 106, j)", "nibble_at(block + 106, 0)"),
    (BLOCK, IQ, "words + g % 4)", "words + g % 2)"),
    (BLOCK, IQ, "packed & 511u", "packed & 255u"),
    (BLOCK, IQ, "(2 * (g % 4)) & 3u", "(2 * (g % 4)) & 1u"),
    (BLOCK, IQ, "high & 0x8000u", "high & 0x4000u"),
    (BLOCK, IQ, "scales >> 12 << (4 * i)", "scales >> 12 << (4 * (3 - i))"),
    (BLOCK, IQ, "scales >> (3 * j) & 7u", "scales >> (3 * j) & 3u"),
    (BLOCK, IQ, "high & 8u", "high & 4u"),
    # ---- real-valued weights
    (REAL, ISA + "real.inl", "halves.part[i] << 16", "halves.part[i] << 15"),
    (REAL, ISA + "real.inl", "(from, 256.0f)", "(from, 128.0f)"),
    (REAL, ISA + "real.inl", "(from, 128.0f)", "(from, 256.0f)"),
    (REAL, ISA + "real.inl", "load_e4m3<0x43f00000>", "load_e4m3<0x43e00000>"),
    (REAL, ISA + "real.inl", "load_e4m3<INT32_MIN>", "load_e4m3<0>"),
    (REAL, ISA + "real.inl", "(code & 127) << 21", "(code & 127) << 20"),
    (REAL, ISA + "real.inl", "0x1p111f", "0x1p112f"),
    (REAL, ISA + "real.inl", "(code == 128) & 0x7fc00000", "(code == 129) & 0x7fc00000"),
    (REAL, ISA + "real.inl", "load_first(x[j] + k, rest)", "load_first(x[j] + k, rest - 1)"),
    (REAL, ISA + "real.inl", "if (tile.first)", "if (true)"),
    (REAL, ISA + "real.inl", "job.bias == nullptr ? sums : sums + load(job.bias)", "sums"),
    (REAL, ISA + "real.inl", "first * kRealOutputs * kLanes;", "first * kLanes;"),
    (REAL, ISA + "real.inl", "columns, k == 0, nullptr", "columns, true, nullptr"),
    (REAL, ISA + "real.inl", "store_first(out, job.bias == nullptr ? sums : sums + bias, job.outputs)",
     "store_first(out, sums + bias, job.outputs)"),
    (REAL, ISA + "real_avx512.cc", "_mm512_shuffle_f32x4(a, b, 0xee)",
     "_mm512_shuffle_f32x4(a, b, 0xe4)"),
    (REAL, ISA + "real_avx512.cc", "_mm512_shuffle_ps(a, b, 0xdd)",
     "_mm512_shuffle_ps(a, b, 0xd8)"),
    (REAL, ISA + "real_avx512.cc", "0xbfff", "0xffff"),
    (REAL, ISA + "real_avx512.cc", "lanes + 12 * kLanes", "lanes + 11 * kLanes"),
    (REAL, ISA + "real_avx2.cc", "0xbfff", "0xffff"),
    (REAL, ISA + "real_avx2.cc", "permute2f128_ps(a, b, 0x31)", "permute2f128_ps(a, b, 0x30)"),
    (REAL, ISA + "real_avx2.cc", "sums8(lanes + 8 * kLanes)", "sums8(lanes)"),
    (REAL, ISA + "real_scalar.cc", "(from[i] & 0x7f) << 7", "(from[i] & 0x3f) << 7"),
    (REAL, ISA + "lanes_scalar.inl", "(bits & 1u) == 0", "(bits & 1u) == 1"),
    (REAL, ISA + "lanes_scalar.inl", "outward ? bits + 1 : bits - 1",
     "outward ? bits + 1 : bits + 1"),
    (REAL, ISA + "lanes_scalar.inl", "static_cast<float>(__builtin_bit_cast(double, bits))",
     "static_cast<float>(total)"),
    (REAL, ISA + "lanes.inl", "v[l] = v[l] + v[l + 8]", "v[l] = v[l] + v[15 - l]"),
    (REAL, ISA + "lanes.inl", "(v[0] + v[2]) + (v[1] + v[3])", "(v[0] + v[1]) + (v[2] + v[3])"),
    # ---- attention
    (ATTENTION, ISA + "attention.inl", "0.0001545316336f", "0.00016f"),
    (ATTENTION, ISA + "attention.inl", "0.2402265072f", "0.2402266f"),
    (ATTENTION, ISA + "attention.inl", "x.part[i] >= -126.0f", "x.part[i] >= -125.0f"),
    (ATTENTION, ISA + "attention.inl", "broadcast(1.44269504f)",
     "broadcast(1.4427f)", "softmax"),
    (ATTENTION, ISA + "attention.inl", "if (job.softcap > 0.0f)",
     "if (job.softcap > 31.0f)", "softmax"),
    (ATTENTION, ISA + "attention.inl", "scores[i] = -__builtin_inff()",
     "scores[i] = -1e30f", "softmax"),
    (ATTENTION, ISA + "attention.inl", "i = job.end; i < last; ++i) scores",
     "i = job.end + 1; i < last; ++i) scores", "softmax"),
    (ATTENTION, ISA + "attention.inl", "i = first; i < job.begin; ++i) scores",
     "i = first + 1; i < job.begin; ++i) scores", "softmax"),
    (ATTENTION, ISA + "attention.inl", "top >= 1e-30f", "top >= 1e-33f", "value_codes"),
    (ATTENTION, ISA + "attention.inl", "some ? 32767.0f / top : 0.0f",
     "some ? 32766.0f / top : 0.0f", "value_codes"),
    (ATTENTION, ISA + "attention.inl", "top / 32767.0f", "top * (1.0f / 32767.0f)", "value_codes"),
    (ATTENTION, ISA + "attention.inl", "broadcast(32767.0f));",
     "broadcast(32768.0f));", "value_codes"),
    (ATTENTION, ISA + "attention.inl", "i < job.begin; ++i) job.codes",
     "i < first; ++i) job.codes", "value_codes"),
    (ATTENTION, ISA + "attention.inl", "i = job.end; i < last; ++i) job.codes",
     "i = last; i < last; ++i) job.codes", "value_codes"),
    (ATTENTION, ISA + "attention.inl", "i % kPanelColumns", "0", "value_codes"),
    (ATTENTION, ISA + "attention.inl", "chunk.maximum > total.maximum ?",
     "chunk.maximum < total.maximum ?", "join"),
    (ATTENTION, ISA + "attention.inl", "fma(broadcast(chunk.sum), now, broadcast(total.sum) * before)",
     "fma(broadcast(total.sum), before, broadcast(chunk.sum) * now)", "join"),
    (ATTENTION, ISA + "attention.inl", "fma(load(chunk.values + i), now, load(total.values + i) * before)",
     "load(chunk.values + i) * now + load(total.values + i) * before", "join"),
    (ATTENTION, ISA + "attention.inl", "job.accumulate ? load(out", "true ? load(out", "products"),
    (ATTENTION, ISA + "attention.inl", "query * job.in_stride + rows.first;",
     "query * job.in_stride;", "products"),
    (ATTENTION, ISA + "attention.inl", "vector < vectors; ++vector) product_tile",
     "vector + 1 < vectors; ++vector) product_tile", "products"),
    (ATTENTION, ISA + "attention_avx512.cc", "-128 * job.sums[query + q]",
     "-127 * job.sums[query + q]", "key_dots"),
    (ATTENTION, ISA + "attention_avx512.cc", "row + 64 * v", "row + 32 * v", "key_dots"),
    (ATTENTION, ISA + "attention_avx512.cc", "job.scales + 16 * v",
     "job.scales + 8 * v", "key_dots"),
    (ATTENTION, ISA + "attention_avx512.cc", "rows.first * kValueCodeRow",
     "rows.first", "value_dots"),
    (ATTENTION, ISA + "attention_avx512.cc", "job.factors[query + q]",
     "job.factors[query]", "value_dots"),
    (ATTENTION, ISA + "attention_avx512.cc", "_mm512_cvtepi8_epi16(bytes)",
     "_mm512_cvtepu8_epi16(bytes)", "value_dots"),
    (ATTENTION, ISA + "attention_avx2.cc", "-128 * job.sums[query + q]",
     "-127 * job.sums[query + q]", "key_dots"),
    (ATTENTION, ISA + "attention_avx2.cc", "_mm256_cvtepu8_epi16(load_16(row + 16 * p))",
     "_mm256_cvtepi8_epi16(load_16(row + 16 * p))", "key_dots"),
    (ATTENTION, ISA + "attention_avx2.cc", "_MM_SHUFFLE(3, 1, 2, 0)",
     "_MM_SHUFFLE(3, 2, 1, 0)", "key_dots"),
    (ATTENTION, ISA + "attention_avx2.cc", "job.scales + key + 8 * h",
     "job.scales + key", "key_dots"),
    (ATTENTION, ISA + "attention_avxvnni.cc", "-128 * job.sums[query + q]",
     "-128 * job.sums[query]", "key_dots"),
    (ATTENTION, ISA + "attention_avxvnni.cc", "row + 32 * h", "row + 16 * h", "key_dots"),
    (ATTENTION, ISA + "attention_ymm.inl", "job.factors[query + q]",
     "job.factors[query]", "value_dots"),
    (ATTENTION, ISA + "attention_ymm.inl", "row + 16 * h", "row + 8 * h", "value_dots"),
    (ATTENTION, ISA + "attention_ymm.inl", "16 * vector + 8 * h", "16 * vector", "value_dots"),
    (ATTENTION, ISA + "attention_scalar.cc", "-128 * job.sums[m]",
     "-127 * job.sums[m]", "key_dots"),
    # ---- row operations
    (ROWS, ISA + "math.inl", "broadcast(-104.0f)", "broadcast(-103.0f)", "exponential"),
    (ROWS, ISA + "math.inl", "broadcast(89.0f)", "broadcast(88.0f)", "exponential"),
    (ROWS, ISA + "math.inl", "0.693359375f", "0.693359f", "exponential"),
    (ROWS, ISA + "math.inl", "-2.12194440e-4f", "-2.12e-4f", "exponential"),
    (ROWS, ISA + "math.inl", "0.00019891080464f", "0.00018f", "exponential"),
    (ROWS, ISA + "math.inl", "0.500000001354f", "0.50001f", "exponential"),
    (ROWS, ISA + "math.inl", "lower = whole >> 1", "lower = whole", "exponential"),
    (ROWS, ISA + "math.inl", "- 0x4b400000", "- 0x4b400001", "exponential"),
    (ROWS, ISA + "math.inl", "-0.006096714176f", "-0.005f", "tanh"),
    (ROWS, ISA + "math.inl", "size.part[i] < 0.625f", "size.part[i] < 0.825f", "tanh"),
    (ROWS, ISA + "math.inl", "0.03239865218f", "0.0324f", "gelu"),
    (ROWS, ISA + "math.inl", "-0.2189932848f", "-0.2189f", "gelu"),
    (ROWS, ISA + "math.inl", "0.707106781f", "0.7071f", "gelu"),
    (ROWS, ISA + "math.inl", "smaller(z, broadcast(10.0f))", "smaller(z, broadcast(4.0f))", "gelu"),
    (ROWS, ISA + "math.inl", "x.part[i] < 0.0f ? tail.part[i]",
     "x.part[i] > 0.0f ? tail.part[i]", "gelu"),
    (ROWS, ISA + "math.inl", "0.044715f", "0.0447f", "gelu"),
    (ROWS, ISA + "math.inl", "1.59576912f", "1.5957f", "gelu"),
    (ROWS, ISA + "rows.inl", "const float mean = sum(squares) / static_cast<float>(width)",
     "const float mean = sum(squares) * (1.0f / static_cast<float>(width))", "rms_norm"),
    (ROWS, ISA + "rows.inl", "__builtin_sqrtf(mean + eps)", "__builtin_sqrtf(mean + 2.0f * eps)", "rms_norm"),
    (ROWS, ISA + "rows.inl", "(in[j] * factor) * weight[j]",
     "in[j] * (factor * weight[j])", "rms_norm"),
    (ROWS, ISA + "rows.inl", "tail[i - whole] = in[i] - mean",
     "tail[i - whole] = in[i]", "layer_norm"),
    (ROWS, ISA + "rows.inl", "sum(squares) / count + eps", "sum(squares) / count + 2.0f * eps", "layer_norm"),
    (ROWS, ISA + "rows.inl", "x[i] + factor * y[i]",
     "__builtin_fmaf(factor, y[i], x[i])", "add_scaled"),
    (ROWS, ISA + "rows.inl", "load(rows + row * stride + v * kLanes)",
     "load(rows + row * (stride - 1) + v * kLanes)", "add_rows"),
    (ROWS, ISA + "rows.inl", "sum = fma(broadcast(factors[row]), last, sum)",
     "sum = sum + broadcast(factors[row]) * last", "add_rows"),
    (ROWS, ISA + "rows.inl", "2 * span == count ? broadcast(factor)",
     "span == count ? broadcast(factor)", "hadamard"),
    (ROWS, ISA + "rows.inl", "count == kBlock ? broadcast(factor)",
     "count != kBlock ? broadcast(factor)", "hadamard"),
    (ROWS, ISA + "rows.inl", "sign_where<1>(false", "sign_where<1>(true", "rotate"),
    (ROWS, ISA + "rows.inl", "second = b * cosine + a * sine",
     "second = b * cosine - a * sine", "rotate"),
    (ROWS, ISA + "rows.inl", "broadcast(127.0f), least", "broadcast(126.0f), least", "codes"),
    (ROWS, ISA + "rows.inl", "maximum > 1e-5f ? maximum : 1e-5f",
     "maximum > 1e-6f ? maximum : 1e-6f", "codes"),
    (ROWS, ISA + "rows.inl", "i = width; i < padded", "i = width + 1; i < padded", "codes"),
    (ROWS, ISA + "rows.inl", "maximum >= 1e-30f", "maximum >= 1e-37f", "codes"),
    (ROWS, ISA + "rows.inl", "*scale_out = maximum / 127.0f",
     "*scale_out = maximum * (1.0f / 127.0f)", "codes"),
    (ROWS, ISA + "rows.inl", "chunk.sum * correction[0] + sum(total)",
     "chunk.sum + sum(total)", "softmax_chunk"),
    (ROWS, ISA + "rows.inl", "found = broadcast(chunk.maximum)",
     "found = broadcast(-1e30f)", "softmax_chunk"),
    (ROWS, ISA + "lanes.inl", "12582912.0f", "8388608.0f"),
    (ROWS, ISA + "lanes_avx2.inl", "(halves, 0xd8)", "(halves, 0xe4)"),
    (ROWS, ISA + "lanes_avx2.inl", "_mm_set1_epi8(15)", "_mm_set1_epi8(7)", "decode"),
    (ROWS, ISA + "lanes_avx512.inl", "_mm512_set1_epi32(15)", "_mm512_set1_epi32(7)", "decode"),
    (ROWS, ISA + "half.inl", "0x38000000u;", "0x37800000u;", "half"),
    (ROWS, ISA + "half.inl", "0x477ff000u", "0x477fe000u", "half"),
    (ROWS, ISA + "half.inl", "(magnitude_bits >> 13 & 1u)", "1u", "half"),
    (ROWS, ISA + "half.inl", "magnitude_bits < 0x38800000u",
     "magnitude_bits < 0x38000000u", "half"),
    (ROWS, ISA + "decode.inl", "block += 34", "block += 36", "decode"),
    (ROWS, ISA + "decode.inl", "q.high - broadcast(8.0f)", "q.high - broadcast(7.0f)", "decode"),
    (ROWS, ISA + "decode.inl", "d * q.high + m", "d * q.high - m", "decode"),
    # ---- the step: how the backend cuts work and where it writes
    (STEP, "src/backend/cpu/joined_rows.cc", "rows.branch_scale == 1.0f",
     "rows.branch_scale != 2.0f", "joined"),
    (STEP, "src/backend/cpu/joined_rows.cc", "norm_row(rows.sum_norm, x, width, x)",
     "norm_row(rows.sum_norm, y, width, x)", "joined"),
    (STEP, "src/backend/cpu/joined_rows.cc", "norm.weight += part.norm_width",
     "norm.weight += 0", "joined"),
    (STEP, "src/backend/cpu/joined_rows.cc", "place.position * half",
     "place.position * table.dim", "joined"),
    (STEP, "src/backend/cpu/joined_rows.cc", "if (by_element) gate(",
     "if (!by_element) gate(", "joined"),
    (STEP, "src/backend/cpu/route.cc", "place > 0 && logits[expert] >",
     "place > 0 && logits[expert] >=", "route"),
    (STEP, "src/backend/cpu/route.cc", "(size + 15) / 16 * 16", "size / 16 * 16", "route"),
    (STEP, "src/backend/cpu/route.cc", "in[chosen[i]] - state.maximum", "in[chosen[i]]", "route"),
    (STEP, "src/backend/cpu/route.cc", "first < shape.expert_count; first += kRouteChunk",
     "first + 16 < shape.expert_count; first += kRouteChunk", "route"),
    (STEP, "src/backend/cpu/rows.cc", "elements + kElementBlock - 1", "elements", "row_operations"),
    (STEP, "src/backend/cpu/rows.cc", "if (inverse) turn(row)", "turn(row)", "row_operations"),
    (STEP, "src/backend/cpu/linear_block.cc", "scaled ? nullptr : bias", "bias", "linear"),
    (STEP, "src/backend/cpu/linear_block.cc", "if (!scaled) return",
     "if (scaled) return", "linear"),
    (STEP, "src/backend/cpu/linear_block.cc", "linear.scale = source.weight->scale",
     "linear.scale = 1.0f", "linear"),
    (STEP, "src/backend/cpu/linear_ternary.cc", "weights.scale);", "1.0f);", "linear"),
    (STEP, "src/backend/cpu/linear_ternary.cc", "if (weights.row_scales)", "if (false)"),
    (STEP, "src/backend/cpu/linear.cc", "strip -= (own + group - 1) / group * group",
     "strip -= own"),
    (STEP, "src/backend/cpu/linear.cc", "std::min(step, in.count - row)", "step", "linear"),
    (STEP, "src/backend/cpu/kv.cc", "scales + kPageTokens", "scales", "kv"),
    (STEP, "src/backend/cpu/kv.cc", "codes[i] ^ -128", "codes[i]", "kv"),
)]


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **options)


def copy_tree(target):
    names = run(["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others",
                 "--exclude-standard"]).stdout.split("\0")
    for name in filter(None, names):
        source, copy = ROOT / name, target / name
        if not source.is_file():
            continue
        data = source.read_bytes()
        if copy.is_file() and copy.read_bytes() == data:
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(data)
        copy.chmod(source.stat().st_mode)


def build(folder, programs, jobs):
    return run(["nice", "ninja", f"-j{jobs}", "-C", str(folder / "build"), *programs])


def rounds_of(mutants):
    """Mutants that can be judged after one build, since the tests of each see only its own fault."""
    rounds = []
    for mutant in mutants:
        for taken in rounds:
            same_text = any(mutant.path == other.path and
                            (mutant.find in other.find or other.find in mutant.find)
                            for other in taken)
            if not same_text and not any(mutant.disturbs(other) for other in taken):
                taken.append(mutant)
                break
        else:
            rounds.append([mutant])
    return rounds


def test(folder, mutant):
    program = folder / "build" / "tests" / mutant.family.program
    try:
        tested = run(["nice", str(program), f"--gtest_filter={mutant.tests}", "--gtest_fail_fast",
                      "--gtest_brief=1"], timeout=TIME_LIMIT, cwd=folder)
    except subprocess.TimeoutExpired:
        return "killed", "by the time limit"
    if "0 tests ran" in tested.stdout:
        return "UNTESTED", f"no test is named {mutant.tests}"
    if tested.returncode == 0:
        return "SURVIVED", mutant.tests
    failed = [line.split("]")[1].split(",")[0].strip() for line in tested.stdout.splitlines()
              if "[  FAILED  ]" in line]
    return "killed", failed[0] if failed else f"exit status {tested.returncode}"


def judge(folder, taken, jobs):
    """[(mutant, verdict, detail)] of a round."""
    originals, verdicts, applied = {}, [], []
    for mutant in taken:
        path = folder / "tree" / mutant.path
        text = path.read_text() if path.is_file() else ""
        if mutant.find not in text:
            verdicts.append((mutant, "GONE", "its text is not there"))
            continue
        originals.setdefault(path, text)
        path.write_text(text.replace(mutant.find, mutant.replacement, 1))
        applied.append(mutant)
    try:
        programs = sorted({mutant.family.program for mutant in applied})
        made = build(folder, programs, jobs) if applied else None
        if made is not None and made.returncode != 0:
            if len(applied) == 1:
                errors = [line for line in made.stdout.splitlines() if "error" in line]
                verdicts.append((applied[0], "UNBUILT", errors[0] if errors else ""))
            else:  # one by one then
                for path, text in originals.items():
                    path.write_text(text)
                originals = {}
                for mutant in applied:
                    verdicts += judge(folder, [mutant], jobs)
            return verdicts
        return verdicts + [(mutant, *test(folder, mutant)) for mutant in applied]
    finally:
        for path, text in originals.items():
            path.write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, nargs="?")
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    mutants = [mutant for mutant in MUTANTS if options.only in mutant.label]
    if options.list or options.folder is None:
        print("\n".join(mutant.label for mutant in mutants))
        return 0
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / "results.txt"
    known = results.read_text() if options.resume and results.is_file() else ""
    if not options.resume:
        results.write_text("")
    copy_tree(folder / "tree")  # of a run that was broken off, too
    if not (folder / "build" / "build.ninja").is_file():
        made = run(["cmake", "--preset", "release", "-B", str(folder / "build"),
                    "-DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON", "-DBITTERN_ORACLES=OFF"],
                   cwd=folder / "tree")
        if made.returncode != 0:
            sys.exit(made.stdout)
    mutants = [mutant for mutant in mutants if f"killed {mutant.label}" not in known]
    programs = sorted({mutant.family.program for mutant in mutants})
    made = build(folder, programs, options.jobs)
    if made.returncode != 0:
        sys.exit(made.stdout[-4000:])
    for tests in sorted({(mutant.family.program, mutant.tests) for mutant in mutants}):
        clean = run([str(folder / "build" / "tests" / tests[0]), f"--gtest_filter={tests[1]}",
                     "--gtest_brief=1"], cwd=folder)
        if clean.returncode != 0 or "0 tests ran" in clean.stdout:
            sys.exit(f"without any mutant, {tests[0]} {tests[1]}:\n{clean.stdout[-2000:]}")
    counts = {}
    rounds = rounds_of(mutants)
    for number, taken in enumerate(rounds, 1):
        begin = time.monotonic()
        for mutant, verdict, detail in judge(folder, taken, options.jobs):
            counts[verdict] = counts.get(verdict, 0) + 1
            line = f"{verdict} {mutant.label}  {detail}"
            print(f"{number}/{len(rounds)} {line}", flush=True)
            with results.open("a") as file:
                file.write(line + "\n")
        print(f"round {number}: {time.monotonic() - begin:.0f} s", flush=True)
    build(folder, programs, options.jobs)  # as it was
    print(", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
    return 0 if set(counts) <= {"killed"} else 1


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C")
    sys.exit(main())
