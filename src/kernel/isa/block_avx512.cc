// Block formats on AVX-512 (F, BW, VL, DQ) with VNNI: vpdpbusd of 64 stored bytes (one zmm, four
// columns of 16 rows) and a dword of activations in every lane.
//
//                 lane 0            lane 1              lane 15
//   zmm, vector p row 0, k to k+3   row 1, k to k+3 ... row 15, k to k+3       k = 16q + 4p
//   activations   x[k] .. x[k+3]    the same          ...
//   int32 sums    row 0             row 1             ... row 15
//
// One row, per 16 columns: 4 vpbroadcastd, 4 vpdpbusd, and to unpack
//   8 bits  4 loads                        5 bits  as 4, 4 kmovq, 4 masked vpaddb
//   4 bits  2 loads, 2 vpsrlw, 4 vpandd    6 bits  as 4, 1 load, 3 shifts, 4 vpternlogd
//   2 bits  1 load, 3 vpsrlw, 4 vpandd     codebooks  as 4, 4 vpshufb
// Twelve rows, per 32 columns of float scales: 8 loads, 96 vpdpbusd, 72 vpbroadcastd (nine rows),
// 6 vbroadcasti32x4 and 24 vpshufd (the other three), 12 vpmulld (the zero), 12 vcvtdq2ps, 12 fma;
// of integer scales 12 vpmulld and 12 vpaddd for the last three.

#if defined(__GNUC__) && !defined(__clang__)
// gcc 12's _mm512_undefined_* are variables initialised with themselves, and it warns about them.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/block.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/block_lanes_avx512.inl"

#include "kernel/isa/block_codes.inl"
#include "kernel/isa/block_scales.inl"

[[gnu::always_inline]] inline Ints broadcast_codes(const int8_t* codes) {
  int32_t four;
  __builtin_memcpy(&four, codes, sizeof(four));
  return _mm512_set1_epi32(four);
}

// Every so many rows the broadcasts are shuffles of one load: two loads a cycle alone would not
// keep two vpdpbusd a cycle busy (measured: 2 to 6 % for 12 rows).
constexpr int kShuffleEvery = 4;

// Adds a quad of weights times 16 codes of activation row `row` of a tile.
template <Range>
[[gnu::always_inline]] inline Ints dot_quad(Ints dot, const Quad& weights, const int8_t* codes,
                                            int row) {
  if (row % kShuffleEvery == 1) {
    const Spread four = spread(codes);
#pragma GCC unroll 4
    for (int p = 0; p < 4; ++p) dot = _mm512_dpbusd_epi32(dot, weights.vector[p], four.dword[p]);
    return dot;
  }
#pragma GCC unroll 4
  for (int p = 0; p < 4; ++p)
    dot = _mm512_dpbusd_epi32(dot, weights.vector[p], broadcast_codes(codes + 4 * p));
  return dot;
}

#include "kernel/isa/block_dots.inl"
#include "kernel/isa/block_quantise.inl"

}  // namespace

constinit const BlockKernels avx512_block = {"avx512-vnni", dots, quantise};

}  // namespace bittern::kernel
