// bf16 products with AMX, in the order of tiles (bf16.h). Written from the manual and tested in
// software (tests/kernel/amx_emulator_support.h); its speed has not been measured.
//
// The 16 lines of a chunk are a tile B as they lie, 16 rows of a panel of activations a tile A.
// 32 rows x 2 strips are a block of 2 x 2 tiles of totals:
//
//   per 32 columns of 32 rows x 32 outputs: 4 tileloadd, 4 tdpbf16ps     64 cycles, the
//   multiplier's
//
// Weights of a block of columns stay in the second level of cache while all rows pass over them.
// What is left of the rows gets tiles of fewer rows.
//
// Few rows, which wait for memory anyway, take the weights through vdpbf16ps, each line once with
// its odd columns masked and once with its even ones, so that even and odd products have chains of
// their own, at half the rate of the plain instruction. What is masked is -0 of the weights and +0
// of the activations: its product, -0, is the one number that changes no sum, zeros of either sign,
// infinities and NaN included. So it is TDPBF16PS to the bit on any numbers.

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
#include "kernel/isa/bf16_totals.inl"
#include "kernel/isa/tiles.inl"

constexpr int64_t kRowBytes = kBf16Panel * 2;  // of a row in a panel of activations
constexpr int64_t kTileBytes = 1024;           // of a chunk of a strip
constexpr int64_t kTileRows = 16;
constexpr int64_t kBlockColumns = 4 * kBf16Panel;  // of a block of weights: 64 KiB of two strips
constexpr int64_t kStreamAhead = 2048;             // bytes of a strip that are fetched ahead
constexpr int64_t kFewRows = 4;

// ---- tiles

struct Block {
  const uint8_t* weights;  // of the first strip, at the block's first column
  int64_t strip_bytes;
  const uint8_t* codes;  // of the first row, at the block's first panel
  int64_t panel_bytes;
  int64_t columns;
  float* totals;  // of the first row and strip
  bool first;     // of the blocks: totals begin at zero
};

// Tiles 0 to 3 are totals (of rows 0.. of strips 0 and 1, then of rows 16..), 4 and 5 the two of
// activations, 6 and 7 weights.
template <bool kTwoRows, bool kTwoStrips>
void multiply_tiles(const Block& block) {
  constexpr int64_t kStride = kTotals * 4;
  float* lower = block.totals + kTileRows * kTotals;
  if (block.first) {
    zero_tile<0>();
    zero_tile<1>();
    zero_tile<2>();
    zero_tile<3>();
  } else {
    load_tile<0>(block.totals, kStride);
    if constexpr (kTwoStrips) load_tile<1>(block.totals + kLanes, kStride);
    if constexpr (kTwoRows) load_tile<2>(lower, kStride);
    if constexpr (kTwoRows && kTwoStrips) load_tile<3>(lower + kLanes, kStride);
  }
  const uint8_t* weights = block.weights;
  for (int64_t k = 0; k < block.columns; k += kBf16Chunk, weights += kTileBytes) {
    const uint8_t* codes = block.codes + k / kBf16Panel * block.panel_bytes + k % kBf16Panel * 2;
    load_tile<4>(codes, kRowBytes);
    load_tile<6>(weights, kBf16LineBytes);
    multiply_bfloats<0, 4, 6>();
    if constexpr (kTwoStrips) {
      load_tile<7>(weights + block.strip_bytes, kBf16LineBytes);
      multiply_bfloats<1, 4, 7>();
    }
    if constexpr (kTwoRows) {
      load_tile<5>(codes + kTileRows * kRowBytes, kRowBytes);
      multiply_bfloats<2, 5, 6>();
      if constexpr (kTwoStrips) multiply_bfloats<3, 5, 7>();
    }
  }
  store_tile<0>(block.totals, kStride);
  if constexpr (kTwoStrips) store_tile<1>(block.totals + kLanes, kStride);
  if constexpr (kTwoRows) store_tile<2>(lower, kStride);
  if constexpr (kTwoRows && kTwoStrips) store_tile<3>(lower + kLanes, kStride);
}

// Tiles of activations and totals of `upper` and `lower` rows, 1 to 16.
TileConfig config_of(int64_t upper, int64_t lower) {
  TileConfig config = whole_tiles();
  config.rows[0] = config.rows[1] = config.rows[4] = static_cast<uint8_t>(upper);
  config.rows[2] = config.rows[3] = config.rows[5] = static_cast<uint8_t>(lower);
  return config;
}

// `rows` rows, in blocks of 32 or all at once, times all strips.
void multiply_rows(const Bf16Dots& job, int64_t row, int64_t rows) {
  const int64_t step = rows < 2 * kTileRows ? rows : 2 * kTileRows;
  const bool two_rows = step > kTileRows;
  const TileConfig config =
      config_of(two_rows ? kTileRows : step, two_rows ? step - kTileRows : kTileRows);
  load_tile_config(config);
  Block block = {};
  block.strip_bytes = job.columns / 2 * kBf16LineBytes;
  block.panel_bytes = job.pitch * kRowBytes;
  const auto* codes = reinterpret_cast<const uint8_t*>(job.codes);
  for (int64_t k = 0; k < job.columns; k += kBlockColumns) {
    block.first = k == 0;
    block.columns = job.columns - k < kBlockColumns ? job.columns - k : kBlockColumns;
    for (int64_t s = 0; s < job.strip_count; s += 2) {
      block.weights = job.strips + s * block.strip_bytes + k / 2 * kBf16LineBytes;
      const bool two_strips = s + 2 <= job.strip_count;
      for (int64_t r = row; r < row + rows; r += step) {
        block.codes = codes + k / kBf16Panel * block.panel_bytes + r * kRowBytes;
        block.totals = job.scratch + r * kTotals + s * kLanes;
        if (two_rows) {
          two_strips ? multiply_tiles<true, true>(block) : multiply_tiles<true, false>(block);
        } else {
          two_strips ? multiply_tiles<false, true>(block) : multiply_tiles<false, false>(block);
        }
      }
    }
  }
}

void many_rows(const Bf16Dots& job) {
  const int64_t whole = job.rows / (2 * kTileRows) * (2 * kTileRows);
  if (whole > 0) multiply_rows(job, 0, whole);
  if (whole < job.rows) multiply_rows(job, whole, job.rows - whole);
  release_tiles();
}

// ---- few rows

// `line` where `mask` is set, -0 in the other half of each dword.
[[gnu::always_inline]] inline __m512i weights_of(__m512i line, __m512i mask, __m512i minus_zero) {
  constexpr int kAndThenOr = 0xea;  // (line & mask) | minus_zero
  return _mm512_ternarylogic_epi32(line, mask, minus_zero, kAndThenOr);
}

[[gnu::always_inline]] inline void add_pairs(__m512& total, __m512i weights, __m512i pair) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(total) : "v"(weights), "v"(pair));
}

// All columns of kRows rows and kStrips strips.
template <int kStrips, int kRows>
void stream_rows(const Bf16Dots& job, int64_t strip) {
  const int64_t strip_bytes = job.columns / 2 * kBf16LineBytes;
  const uint8_t* weights = job.strips + strip * strip_bytes;
  const __m512i odd_columns = _mm512_set1_epi32(INT32_C(-0x10000));
  const __m512i even_columns = _mm512_set1_epi32(0xffff);
  const __m512i even_zeros = _mm512_set1_epi32(0x8000), odd_zeros = _mm512_set1_epi32(INT32_MIN);
  __m512 total[kRows][kStrips], even[kRows][kStrips], odd[kRows][kStrips];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int s = 0; s < kStrips; ++s) total[r][s] = _mm512_setzero_ps();
  }
  for (int64_t k = 0; k < job.columns; k += kBf16Chunk) {
    const uint16_t* pair = job.codes + k / kBf16Panel * job.pitch * kBf16Panel + k % kBf16Panel;
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (int s = 0; s < kStrips; ++s) even[r][s] = odd[r][s] = _mm512_setzero_ps();
    }
    for (int64_t p = 0; p < kBf16Chunk / 2; ++p, pair += 2, weights += kBf16LineBytes) {
      __m512i evens[kStrips], odds[kStrips];
#pragma GCC unroll 16
      for (int s = 0; s < kStrips; ++s) {
        __builtin_prefetch(weights + s * strip_bytes + kStreamAhead);
        const __m512i line = _mm512_load_si512(weights + s * strip_bytes);
        odds[s] = weights_of(line, odd_columns, even_zeros);
        evens[s] = weights_of(line, even_columns, odd_zeros);
      }
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        int32_t bits;
        __builtin_memcpy(&bits, pair + r * kBf16Panel, sizeof(bits));
        const __m512i both = _mm512_set1_epi32(bits);
        const __m512i x_even = _mm512_and_si512(both, even_columns);
        const __m512i x_odd = _mm512_and_si512(both, odd_columns);
#pragma GCC unroll 16
        for (int s = 0; s < kStrips; ++s) {
          add_pairs(even[r][s], evens[s], x_even);
          add_pairs(odd[r][s], odds[s], x_odd);
        }
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (int s = 0; s < kStrips; ++s)
        total[r][s] = _mm512_add_ps(total[r][s], _mm512_add_ps(even[r][s], odd[r][s]));
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int s = 0; s < kStrips; ++s)
      _mm512_store_ps(job.scratch + r * kTotals + (strip + s) * kLanes, total[r][s]);
  }
}

template <int kStrips, int kMost>
void stream_of(const Bf16Dots& job, int64_t strip) {
  if (job.rows == kMost) return stream_rows<kStrips, kMost>(job, strip);
  if constexpr (kMost > 1) stream_of<kStrips, kMost - 1>(job, strip);
}

[[gnu::noinline]] void few_rows(const Bf16Dots& job) {
  for (int64_t s = 0; s < job.strip_count;) {
    const int64_t left = job.strip_count - s;
    if (left >= 4 && job.rows <= 2) {
      stream_of<4, 2>(job, s);
      s += 4;
    } else if (left >= 2) {
      stream_of<2, kFewRows>(job, s);
      s += 2;
    } else {
      stream_of<1, kFewRows>(job, s);
      ++s;
    }
  }
}

void bf16_dots(const Bf16Dots& job) {
  if (job.rows <= kFewRows) {
    constexpr uint32_t kFlushing = 0x1f80 | 0x8040;  // for the sums of chains: FTZ and DAZ
    const uint32_t former = _mm_getcsr();
    _mm_setcsr(kFlushing);
    few_rows(job);
    _mm_setcsr(former);
  } else {
    many_rows(job);
  }
  write_totals(job);
}

}  // namespace

constinit const Bf16Kernels amx_bfloat = {.name = "amx-bf16",
                                          .order = Bf16Order::tiles,
                                          .needs = Bf16Needs::amx_bf16,
                                          .dots = bf16_dots,
                                          .encode = bf16_encode,
                                          .fallback = &avx512bf16_bfloat};

}  // namespace bittern::kernel
