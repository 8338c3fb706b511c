// Block formats on AVX-VNNI (AVX2 with FMA, F16C and the 256-bit vpdpbusd). A half of a vector of
// 64 stored bytes is one ymm: four columns of rows 0 to 7 of a strip, then of rows 8 to 15; the
// halves are two passes over a block, which lies in L1 (one row: over its packed lines).
//
//                 lane 0            lane 1              lane 7
//   ymm, vector p row 0, k to k+3   row 1, k to k+3 ... row 7, k to k+3        k = 16q + 4p
//   activations   x[k] .. x[k+3]    the same          ...
//
// Four rows, per 32 columns of float scales and half: 8 loads, 32 vpbroadcastd, 32 vpdpbusd,
// 4 vpmulld (the zero), 4 vcvtdq2ps, 4 fma. One row is unpacked as in block_avx512.cc.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/block.h"

namespace bittern::kernel {
namespace {

constexpr bool kSignedCodes = false;  // vpdpbusd takes codes as bytes from 0 to 255

#include "kernel/isa/block_lanes_avx2.inl"

#include "kernel/isa/block_codes.inl"
#include "kernel/isa/block_scales.inl"

// Adds a quad of weights times 16 codes of an activation row.
template <Range>
[[gnu::always_inline]] inline Ints dot_quad(Ints dot, const Quad& weights, const int8_t* codes,
                                            int) {
#pragma GCC unroll 4
  for (int p = 0; p < 4; ++p)
    dot = _mm256_dpbusd_avx_epi32(dot, weights.vector[p], broadcast_codes(codes + 4 * p));
  return dot;
}

#include "kernel/isa/block_dots.inl"
#include "kernel/isa/block_quantise.inl"

}  // namespace

constinit const BlockKernels avxvnni_block = {"avx-vnni", dots, quantise};

}  // namespace bittern::kernel
