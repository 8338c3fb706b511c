// bf16 products with AVX-512 BF16, in the order of pairs (bf16.h): one vdpbf16ps adds columns 2p +
// 1 and 2p of 16 outputs. Totals stay in registers over a block of columns and in scratch, [rows,
// strips, 16], between blocks.
//
// Many rows: a tile is 2 strips x 12 rows, 24 accumulators, 2 lines of weights and a broadcast pair
// of activations in 27 of the 32 registers. Per pair of columns 2 + 12 loads for 24 vdpbf16ps,
// which two ports take in 12 cycles (Zen 5; one port of Golden Cove in 24). Weights of a block stay
// in the second level of cache while tile after tile passes over them. Few rows: 4 strips are
// streamed side by side over all columns, 4 + r loads for 4r vdpbf16ps.
//
// Whichever tile reads weights first fetches them a little ahead, past the end of its block from
// the strips that come next: up to a tenth faster than if all tiles fetched parts of the next
// block, and for 12 to 48 rows a fifth.

#if defined(__GNUC__) && !defined(__clang__)
// gcc 12's _mm512_undefined_* are variables initialised with themselves, and it warns about them.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/bf16.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_avx512.inl"

#include "kernel/isa/bf16_encode.inl"

// In assembly: gcc 12 copies accumulators of the intrinsic.
[[gnu::always_inline]] inline void add_pairs(__m512& total, __m512i weights, __m512i pair) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(total) : "v"(weights), "v"(pair));
}

constexpr int64_t kRowBytes = kBf16Panel * 2;      // of a row in a panel of activations
constexpr int64_t kBlockColumns = 4 * kBf16Panel;  // of a block of weights: 64 KiB of two strips
constexpr int kTileRows = 12, kFewRows = 6;        // rows of a tile of 2 and of 4 strips
constexpr int64_t kStreamAhead = 2048;             // bytes of a strip that are fetched ahead
constexpr int64_t kTotals = kBf16Strips * kLanes;  // floats of scratch a row
constexpr int64_t kStepPairs = 4;                  // pairs of columns between two prefetches

struct Tile {
  const uint8_t* weights;  // of the first strip, at the block's first column
  int64_t strip_bytes;
  const uint8_t* codes;  // of the first row, at the block's first panel
  int64_t panel_bytes;
  int64_t columns;
  float* totals;      // of the first row and strip
  bool first, last;   // of the blocks: totals begin at zero, end in `out`
  const float* bias;  // of the first strip, or null
  float* out;         // of the first row and strip
  int64_t stride, outputs;
  int64_t fetched;  // strips whose weights this tile fetches: all where it reads them first, or 0
};

template <int kStrips, int kRows>
[[gnu::always_inline]] inline void tile_pair(const uint8_t* weights, int64_t strip_bytes,
                                             const uint8_t* pair, __m512 (&total)[kRows][kStrips]) {
  __m512i line[kStrips];
#pragma GCC unroll 16
  for (int s = 0; s < kStrips; ++s) line[s] = _mm512_load_si512(weights + s * strip_bytes);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    int32_t bits;
    __builtin_memcpy(&bits, pair + r * kRowBytes, sizeof(bits));
    const __m512i both = _mm512_set1_epi32(bits);
#pragma GCC unroll 16
    for (int s = 0; s < kStrips; ++s) add_pairs(total[r][s], line[s], both);
  }
}

template <int kStrips, int kRows>
[[gnu::always_inline]] inline void write_tile(const Tile& tile,
                                              const __m512 (&total)[kRows][kStrips]) {
#pragma GCC unroll 16
  for (int s = 0; s < kStrips; ++s) {
    const int64_t count = tile.outputs - s * kLanes;
    const auto there = static_cast<__mmask16>(count < kLanes ? (1u << (count & 15)) - 1 : 0xffff);
    const __m512 bias = tile.bias == nullptr ? _mm512_setzero_ps()
                                             : _mm512_maskz_loadu_ps(there, tile.bias + s * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const __m512 sum = tile.bias == nullptr ? total[r][s] : _mm512_add_ps(total[r][s], bias);
      _mm512_mask_storeu_ps(tile.out + r * tile.stride + s * kLanes, there, sum);
    }
  }
}

template <int kStrips, int kRows>
void multiply_tile(const Tile& tile) {
  __m512 total[kRows][kStrips];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int s = 0; s < kStrips; ++s) {
      total[r][s] =
          tile.first ? _mm512_setzero_ps() : _mm512_load_ps(tile.totals + r * kTotals + s * kLanes);
    }
  }
  const uint8_t* weights = tile.weights;
  const uint8_t* panel = tile.codes;
  const int64_t block_bytes = tile.columns / 2 * kBf16LineBytes;
  const uint8_t* near_end = weights + block_bytes - kStreamAhead;
  const int64_t jump = kStrips * tile.strip_bytes - block_bytes;  // to the strips that come next
  for (int64_t k = 0; k < tile.columns; k += kBf16Panel, panel += tile.panel_bytes) {
    const int64_t columns = tile.columns - k < kBf16Panel ? tile.columns - k : kBf16Panel;
    for (const uint8_t *pair = panel, *end = panel + columns * 2; pair < end;) {
      // A loop, not a condition: gcc would make two loops of one, and spill.
      const uint8_t* ahead = weights + kStreamAhead + (weights >= near_end ? jump : 0);
      for (int64_t s = 0; s < tile.fetched; ++s, ahead += tile.strip_bytes) {
#pragma GCC unroll 4
        for (int64_t p = 0; p < kStepPairs; ++p) __builtin_prefetch(ahead + p * kBf16LineBytes);
      }
#pragma GCC unroll 4
      for (int64_t p = 0; p < kStepPairs; ++p) {
        tile_pair<kStrips, kRows>(weights, tile.strip_bytes, pair, total);
        weights += kBf16LineBytes;
        pair += sizeof(int32_t);
      }
    }
  }
  if (tile.last) return write_tile<kStrips, kRows>(tile, total);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int s = 0; s < kStrips; ++s)
      _mm512_store_ps(tile.totals + r * kTotals + s * kLanes, total[r][s]);
  }
}

// A tile of `rows` <= kMost rows.
template <int kStrips, int kMost>
void tile_of(const Tile& tile, int64_t rows) {
  if (rows == kMost) return multiply_tile<kStrips, kMost>(tile);
  if constexpr (kMost > 1) tile_of<kStrips, kMost - 1>(tile, rows);
}

// All rows of one block of columns of kStrips strips, in tiles of about equal height.
template <int kStrips>
void multiply_block(const Bf16Dots& job, Tile tile) {
  const int64_t tiles = (job.rows + kTileRows - 1) / kTileRows;
  for (int64_t row = 0, left = tiles; left > 0; --left) {
    const int64_t rows = (job.rows - row + left - 1) / left;
    tile.fetched = row == 0 ? kStrips : 0;
    tile_of<kStrips, kTileRows>(tile, rows);
    tile.codes += rows * kRowBytes;
    tile.totals += rows * kTotals;
    tile.out += rows * tile.stride;
    row += rows;
  }
}

void many_rows(const Bf16Dots& job, Tile tile) {
  const uint8_t* weights = tile.weights;
  const auto* codes = tile.codes;
  // One tile reads each line once, so there is nothing to keep.
  const int64_t block = job.rows <= kTileRows ? job.columns : kBlockColumns;
  for (int64_t k = 0; k < job.columns; k += block) {
    tile.columns = job.columns - k < block ? job.columns - k : block;
    tile.first = k == 0;
    tile.last = k + block >= job.columns;
    tile.codes = codes + k / kBf16Panel * tile.panel_bytes;
    for (int64_t s = 0; s < job.strip_count; s += 2) {
      tile.weights = weights + s * tile.strip_bytes + k / 2 * kBf16LineBytes;
      tile.totals = job.scratch + s * kLanes;
      tile.bias = job.bias == nullptr ? nullptr : job.bias + s * kLanes;
      tile.out = job.out + s * kLanes;
      tile.outputs = job.outputs - s * kLanes;
      if (s + 2 <= job.strip_count) {
        multiply_block<2>(job, tile);
      } else {
        multiply_block<1>(job, tile);
      }
    }
  }
}

void bf16_dots(const Bf16Dots& job) {
  const Tile tile = {.weights = job.strips,
                     .strip_bytes = job.columns / 2 * kBf16LineBytes,
                     .codes = reinterpret_cast<const uint8_t*>(job.codes),
                     .panel_bytes = job.pitch * kRowBytes,
                     .columns = job.columns,
                     .totals = job.scratch,
                     .first = true,
                     .last = true,
                     .bias = job.bias,
                     .out = job.out,
                     .stride = job.stride,
                     .outputs = job.outputs,
                     .fetched = kBf16Strips};
  if (job.rows <= kFewRows && job.strip_count == kBf16Strips) {
    tile_of<kBf16Strips, kFewRows>(tile, job.rows);
  } else {
    many_rows(job, tile);
  }
}

}  // namespace

constinit const Bf16Kernels avx512bf16_bfloat = {.name = "avx512-bf16",
                                                 .order = Bf16Order::pairs,
                                                 .needs = Bf16Needs::avx512_bf16,
                                                 .dots = bf16_dots,
                                                 .encode = bf16_encode,
                                                 .fallback = &avx512_bfloat};

}  // namespace bittern::kernel
