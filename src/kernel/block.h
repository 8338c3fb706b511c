// Linear layers of block formats: integer codes with a scale (and a minimum) for each run of a few
// columns, times int8 activations with one scale for each 32. One arithmetic for one row and for
// a thousand, on every ISA, bit for bit (guarantees G1 to G6).
//
// Packed weights. Sixteen output rows make a strip, 256 columns a block (columns padded to whole
// blocks with codes that stand for zero). A strip is its blocks one after another, each padded to
// a multiple of 64 bytes:
//
//   codes    16 quads; quad q holds columns 16q .. 16q + 15 as four vectors of 64 codes;
//            byte 4n + i of vector p is the code of row n, column 16q + 4p + i  (p, i < 4, n < 16)
//              8 bits  4 lines of 64 bytes: the vectors
//              4 bits  2 lines: line h has vector 2h in the low nibbles, 2h + 1 in the high ones
//              2 bits  1 line: vector p in bits 2p, 2p + 1
//              1 bit   32 bytes: vector p as qword p, bit b of it for byte b of the vector
//              6 bits  3 lines: line h has vector h in the low bits, bits 2h and 2h + 1 of vector 3
//                      in the two highest
//              5, 3 bits  the 4 (2) low bits as above, then the high ones: 160 and 96 bytes a quad
//              3 bits of which 8 columns share the highest: the 2 low bits as above, then for
//                      columns 0 .. 7 of the quad and for 8 .. 15 a u16 with bit n for row n: 68
//                      bytes a quad
//   scales   for each sub-block of `sub` columns, 16 values (of the strip's rows): f16, or int8
//            sub-scales; e8m0 as in the file
//   minima   likewise, where the format has them: f16, or uint8
//   supers   with integer sub-scales: 16 f16 for the block; with integer minima 16 more
//
// so a vector is one operand of vpdpbusd against a broadcast dword of activations, and 64 columns
// of a strip unpacked to 8 bits are the bytes of an AMX B tile.
//
// Arithmetic. With w = code - zero (or codebook[code]), q the activation codes, a_i the activation
// scale of run i of 32 columns, for each row:
//
//   dot, asum = sums of w * q and of q over a piece: the columns of one sub-block and one run
//   (asum and float(asum) * a_i are made with the codes, for every piece of 16 and of 32 columns)
//   float scales      for pieces ascending: total = fma(float(dot) * a_i, scale_j, total), then,
//                     with minima, total = fma(float(asum) * a_i, minimum_j, total)
//   integer scales    for each block: p = 0; for runs ascending: p = fma(float(sum over the run's
//                     pieces of scale_j * dot), a_i, p); total = fma(p, super / 2^fraction_bits,
//                     total);
//                     with minima l = 0; for pieces ascending: l = fma(float(minimum_j),
//                     float(asum) * a_i, l); total = fma(l, -super_minimum, total)
//   out = total (+ bias), total from 0 over the blocks ascending; all sums of integers exact
//
// With `zeros` the minima are uint8 zero points z of the sub-blocks instead (GPTQ, AWQ): w = code -
// z, and there is no other zero.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/block_start.h"

namespace bittern::kernel {

inline constexpr int64_t kBlockColumns = 256;
inline constexpr int64_t kBlockStripRows = 16;
// Strips that share what is read of the activations, and from which kernels read in turn: a caller
// who has as many gives them together.
inline constexpr int64_t kBlockStrips = 8;
// A run of activations has one scale.
inline constexpr int64_t kBlockRun = 32;
inline constexpr int64_t kBlockRuns = kBlockColumns / kBlockRun;
// Sums of a block of activations: of each 16 codes, then of each run.
inline constexpr int64_t kBlockSums = 16 + kBlockRuns;

enum class BlockScales : uint8_t {
  f16,
  f16_minima,      // value = scale * code + minimum
  f16_zeros,       // value = scale * (code - zero point)
  bf16_zeros,      // likewise, scales of bf16
  e8m0,            // 2^(byte - 128): the codebook of FP4 is doubled
  integer,         // value = (super / 2^fraction_bits * scale) * (code - zero)
  integer_minima,  // value = (super * scale) * code - super_minimum * minimum
};

enum class BlockCodebook : uint8_t {
  none,
  iq4_nl,   // -127 -104 -83 -65 -49 -35 -22 -10 1 13 25 38 53 69 89 113
  fp4,      // E2M1 doubled: 0 1 2 3 4 6 8 12 and their negatives
  iq3_xxs,  // 2 6 10 14 18 22 26 31 and their negatives
  iq3_s,    // 1 3 5 7 9 11 13 15 and their negatives
  iq2,      // of 3 bits: 8 25 43 0 and their negatives
  iq1       // of 3 bits: -7 1 9 0 -9 -1 7 0
};

// One packed format; plain data, the rows of block_layouts().
struct BlockLayout {
  const char* name;  // "q4_k"
  int code_bits;     // 1 to 6, or 8
  int sub;           // columns of a sub-block: 16, 32, 64, 128, 256
  int zero;          // subtracted from every code
  BlockScales scales;
  BlockCodebook codebook = BlockCodebook::none;
  bool doubled = false;  // 1-bit codes count as 0 and 2 (so that zero = 1 gives -1 and +1)
  // Integer scales without minima: what a codebook counts in is 2^-this, taken off the super-scale
  // as a float32, where it costs no bit (the f16 could become subnormal).
  int fraction_bits = 0;
  bool shared_bit = false;  // the third bit of a code is one for 8 columns
};

// Coded activations: rows of some blocks, block by block, so that rows stand close together: rows a
// power of two apart would share a few sets of L1, which costs more than half of the speed.
struct BlockRows {
  int8_t* codes;       // [blocks, pitch, 256], padding 0
  float* scales;       // [blocks, pitch, kBlockRuns]
  int32_t* sums;       // [blocks, pitch, kBlockSums]
  float* scaled_sums;  // [blocks, pitch, kBlockSums]: times the scale of their run
  // [blocks, pitch, kBlockSums]: what products start from, made of the sums by
  // BlockKernels::starts(). Layouts with minima do not read them; null for quantise() alone.
  int32_t* starts;
  int64_t pitch;  // rows in all

  // Without the first `row` of them.
  [[gnu::always_inline]] inline BlockRows from(int64_t row) const {
    return {codes + row * kBlockColumns,
            scales + row * kBlockRuns,
            sums + row * kBlockSums,
            scaled_sums + row * kBlockSums,
            starts == nullptr ? nullptr : starts + row * kBlockSums,
            pitch};
  }
};

// Strips times `rows` rows of activations: output n of strip s is output 16 s + n of the job.
struct BlockDots {
  const BlockLayout* layout;
  const uint8_t* strip;  // the first one: `blocks` blocks, 64-byte aligned
  int64_t strips;        // 1..kBlockStrips
  int64_t strip_bytes;   // from one to the next
  int64_t blocks;
  BlockRows in;
  int64_t rows;
  int64_t outputs;    // that are real: 16 of every strip, 1..16 of the last
  const float* bias;  // [outputs], or null
  float* out;         // out[m * stride + 16 * s + n]
  int64_t stride;
};

struct BlockKernels {
  const char* name;  // "avx512-vnni"
  void (*dots)(const BlockDots&);
  // The first row of `to`, all but its starts: `blocks` blocks from `width` values, the rest zero.
  // Per run: scale = absmax / 127, code = round half even(x * (127 / absmax)); a run whose absmax
  // is below 1e-30 is stored as zeros with scale 0.
  void (*quantise)(const float* in, int64_t width, int64_t blocks, const BlockRows& to);
  // What these kernels multiply is the stored code, or a byte near it: the weight is that plus
  // the factor of this, for layouts without minima. {1, 0} where sub-blocks have zero points.
  using Start = BlockStart(const BlockLayout&);
  Start* start;
  // From `count` sums, those of whole blocks: to[i] = sums[i] * factor, plus the base for pieces of
  // 16 columns with which a run begins and for pieces of 32.
  void (*starts)(const int32_t* sums, int64_t count, BlockStart start, int32_t* to);
};

// Whether products of a layout begin with starts.
[[gnu::always_inline]] constexpr inline bool has_starts(const BlockLayout& layout) {
  return layout.scales != BlockScales::f16_minima && layout.scales != BlockScales::integer_minima;
}

// Strip s of a job as a job of its own.
[[gnu::always_inline]] inline BlockDots strip_of(const BlockDots& job, int64_t s) {
  BlockDots one = job;
  const int64_t first = s * kBlockStripRows, left = job.outputs - first;
  one.strip += s * job.strip_bytes;
  one.strips = 1;
  one.outputs = left < kBlockStripRows ? left : kBlockStripRows;
  if (one.bias != nullptr) one.bias += first;
  one.out += first;
  return one;
}

extern const BlockKernels scalar_block;
#if defined(__x86_64__)
extern const BlockKernels avx2_block;
extern const BlockKernels avxvnni_block;
extern const BlockKernels avx512_block;
extern const BlockKernels avx512dual_block;
extern const BlockKernels amx_block;
#elif defined(__aarch64__)
extern const BlockKernels neon_block;
#endif

// Bytes of a quad of codes; of one block of a strip, and where its parts begin. Plain arithmetic
// that ISA files use too.
[[gnu::always_inline]] constexpr inline int64_t block_quad_bytes(const BlockLayout& layout) {
  return layout.shared_bit ? 68 : 16 * kBlockStripRows * layout.code_bits / 8;
}
struct BlockOffsets {
  int64_t scales, minima, supers, bytes;
};
[[gnu::always_inline]] constexpr inline BlockOffsets block_offsets(const BlockLayout& layout) {
  const bool integer =
      layout.scales == BlockScales::integer || layout.scales == BlockScales::integer_minima;
  const bool bytes_only = integer || layout.scales == BlockScales::e8m0;
  const int64_t subs = kBlockColumns / layout.sub;
  const int64_t code_bytes = kBlockColumns / 16 * block_quad_bytes(layout);
  const int64_t scale_bytes = subs * kBlockStripRows * (bytes_only ? 1 : 2);
  int64_t minimum_bytes = 0;
  if (layout.scales == BlockScales::f16_minima) minimum_bytes = scale_bytes;
  if (layout.scales == BlockScales::f16_zeros || layout.scales == BlockScales::bf16_zeros ||
      layout.scales == BlockScales::integer_minima)
    minimum_bytes = subs * kBlockStripRows;
  int64_t super_bytes = 0;
  if (integer) super_bytes = layout.scales == BlockScales::integer_minima ? 64 : 32;
  const int64_t supers = code_bytes + scale_bytes + minimum_bytes;
  return {code_bytes, code_bytes + scale_bytes, supers, (supers + super_bytes + 63) / 64 * 64};
}

}  // namespace bittern::kernel
