// Block formats on AVX2 with FMA and F16C. A half of a vector of 64 stored bytes is one ymm, as in
// block_avxvnni.cc; vpmaddubsw multiplies bytes by activations and adds pairs to int16.
//
//   bytes      greatest pair of sums        added in int16 before vpmaddwd widens them
//   0 to 31    2 * 31 * 127 =  7874         four vectors of a quad (31496)
//   0 to 63    2 * 63 * 127 = 16002         two (32004)
//   0 to 127   2 * 127 * 127 = 32258        none
//   signed     2 * 128 * 127 = 32512        none: magnitudes (128 fits a byte without sign) times
//                                           activations that vpsignb gave the weights' signs
//
// so nothing saturates, whatever the codes are. Four rows, per 32 columns and half: 8 loads,
// 32 vpbroadcastd and 32 vpmaddubsw, then
//   0 to 31    24 vpaddw,  8 vpmaddwd,  8 vpaddd
//   0 to 63    16 vpaddw, 16 vpmaddwd, 16 vpaddd
//   0 to 127   32 vpmaddwd, 32 vpaddd
//   signed     8 vpabsb, 32 vpsignb, 32 vpmaddwd, 32 vpaddd

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/block.h"

namespace bittern::kernel {
namespace {

constexpr bool kSignedCodes = true;  // vpmaddubsw would saturate with bytes above 128

#include "kernel/isa/block_lanes_avx2.inl"

#include "kernel/isa/block_codes.inl"
#include "kernel/isa/block_scales.inl"
#include "kernel/isa/block_sweep.inl"

// Adds products of pairs of int16.
[[gnu::always_inline]] inline Ints dot_pairs(Ints total, Ints a, Ints b) {
  return _mm256_add_epi32(total, _mm256_madd_epi16(a, b));
}

// Products of vector p of a quad with its four activations, in pairs: int16.
[[gnu::always_inline]] inline Ints products(const Quad& weights, const int8_t* codes, int p) {
  return _mm256_maddubs_epi16(weights.vector[p], broadcast_codes(codes + 4 * p));
}

// Signed bytes: magnitudes times activations with the weights' signs; at most 2 * 128 * 127.
[[gnu::always_inline]] inline Ints signed_products(Ints weights, const int8_t* codes) {
  const Ints signed_codes = _mm256_sign_epi8(broadcast_codes(codes), weights);
  return _mm256_maddubs_epi16(_mm256_abs_epi8(weights), signed_codes);
}

// Adds a quad of weights times 16 codes of an activation row.
template <Range kRange>
[[gnu::always_inline]] inline Ints dot_quad(Ints dot, const Quad& weights, const int8_t* codes,
                                            int) {
  const Ints ones = _mm256_set1_epi16(1);
  if constexpr (kRange == Range::full) {
#pragma GCC unroll 4
    for (int p = 0; p < 4; ++p)
      dot = dot_pairs(dot, signed_products(weights.vector[p], codes + 4 * p), ones);
    return dot;
  } else if constexpr (kRange == Range::wide) {
#pragma GCC unroll 4
    for (int p = 0; p < 4; ++p) dot = dot_pairs(dot, products(weights, codes, p), ones);
    return dot;
  } else {
    const Ints first = _mm256_add_epi16(products(weights, codes, 0), products(weights, codes, 1));
    const Ints second = _mm256_add_epi16(products(weights, codes, 2), products(weights, codes, 3));
    if constexpr (kRange == Range::medium)  // 4 * 63 * 127 each
      return dot_pairs(dot_pairs(dot, first, ones), second, ones);
    return dot_pairs(dot, _mm256_add_epi16(first, second), ones);  // 8 * 31 * 127
  }
}

#include "kernel/isa/block_dots.inl"
#include "kernel/isa/block_quantise.inl"

}  // namespace

constinit const BlockKernels avx2_block = {"avx2", dots, quantise, start, make_starts};

}  // namespace bittern::kernel
