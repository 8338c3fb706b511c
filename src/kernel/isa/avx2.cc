// AVX2 with FMA and F16C. A virtual vector is two ymm.
//
// Ternary, per 64 columns of one half strip (8 rows): a line is two ymm; the four planes are
// shifted down to codes 0..2 once and serve up to four rows of activations. vpmaddubsw multiplies
// u8 codes by s8 activations and adds pairs: at most 2 * 2 * 127 = 508, sixteen of them per int16
// lane before vpmaddwd widens to int32: at most 8128, so nothing saturates or wraps.
// Per 256 weights and row: 8 vpbroadcastd, 8 vpmaddubsw, 8 vpaddw, and a share of 2 loads,
// 8 ands, 6 shifts, and of one widening per 64 columns.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/kernel.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_avx2.inl"

constexpr int kSingleWeights = 4, kTileWeights = 2, kTileRows = 2;

#include "kernel/isa/decode.inl"
#include "kernel/isa/dots.inl"
#include "kernel/isa/math.inl"
#include "kernel/isa/rows.inl"

[[gnu::always_inline]] inline __m256i broadcast_codes(const int8_t* codes) {
  int32_t four;
  __builtin_memcpy(&four, codes, sizeof(four));
  return _mm256_set1_epi32(four);
}

// Rows 8 * half .. 8 * half + 7 of the strip against kRows rows of activations from `row`.
template <int kRows>
void ternary_half(const TernaryDots& job, int64_t half, int64_t row) {
  const __m256i mask = _mm256_set1_epi8(3);
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i total[kRows];
  for (int j = 0; j < kRows; ++j) total[j] = _mm256_setzero_si256();
  for (int64_t k = 0; k < job.columns; k += kColumnPadding) {
    __m256i narrow[kRows];
    for (int j = 0; j < kRows; ++j) narrow[j] = _mm256_setzero_si256();
    for (int64_t line = k; line < k + kColumnPadding; line += 16) {
      const uint8_t* at = job.strip + line * 4 + half * 32;
      const __m256i packed = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
      const __m256i plane[4] = {_mm256_and_si256(packed, mask),
                                _mm256_and_si256(_mm256_srli_epi16(packed, 2), mask),
                                _mm256_and_si256(_mm256_srli_epi16(packed, 4), mask),
                                _mm256_and_si256(_mm256_srli_epi16(packed, 6), mask)};
      for (int j = 0; j < kRows; ++j) {
        const int8_t* codes = job.codes + (row + j) * job.columns + line;
        for (int p = 0; p < 4; ++p) {
          const __m256i pairs = _mm256_maddubs_epi16(plane[p], broadcast_codes(codes + 4 * p));
          narrow[j] = _mm256_add_epi16(narrow[j], pairs);
        }
      }
    }
    for (int j = 0; j < kRows; ++j)
      total[j] = _mm256_add_epi32(total[j], _mm256_madd_epi16(narrow[j], ones));
  }
  for (int j = 0; j < kRows; ++j) {
    const __m256i result = _mm256_sub_epi32(total[j], _mm256_set1_epi32(job.sums[row + j]));
    int32_t* out = job.out + (row + j) * kStripRows + half * 8;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), result);
  }
}

void ternary_dots(const TernaryDots& job) {
  for (int64_t half = 0; half < 2; ++half) {
    int64_t row = 0;
    for (; row + 4 <= job.rows; row += 4) ternary_half<4>(job, half, row);
    for (; row < job.rows; ++row) ternary_half<1>(job, half, row);
  }
}

#include "kernel/isa/table.inl"

}  // namespace

constinit const Table avx2_table = make_table("avx2", "avx2", nullptr);

}  // namespace bittern::kernel
