// Ternary products with AVX2 (vpmaddubsw): T2 strips.
//
// Per 64 columns of one half strip (8 outputs): a line is two ymm; the four planes are shifted down
// to codes 0..2 once and serve up to four rows of activations. vpmaddubsw multiplies u8 codes by
// s8 activations and adds pairs: at most 2 * 2 * 127 = 508, sixteen of them per int16 lane before
// vpmaddwd widens to int32: at most 8128, so nothing saturates or wraps.
// Per 256 weights and row: 8 vpbroadcastd, 8 vpmaddubsw, 8 vpaddw, and a share of 2 loads, 8 ands,
// 6 shifts, and of one widening per 64 columns.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/ternary.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_avx2.inl"
#include "kernel/isa/ternary_scale.inl"

constexpr int64_t kPrefetchBytes = 6144;  // as in ternary_avx512.cc

[[gnu::always_inline]] inline __m256i broadcast_codes(const int8_t* codes) {
  int32_t four;
  __builtin_memcpy(&four, codes, sizeof(four));
  return _mm256_set1_epi32(four);
}

// Outputs 8 * half .. 8 * half + 7 of a strip against kRows rows of activations from `row`.
template <int kRows>
void half_times_rows(const TernaryDots& job, int64_t strip, int64_t half, int64_t row) {
  const __m256i mask = _mm256_set1_epi8(3);
  const __m256i ones = _mm256_set1_epi16(1);
  const uint8_t* lines = job.strips + strip * job.strip_bytes + half * 32;
  __m256i total[kRows];
  for (int j = 0; j < kRows; ++j) total[j] = _mm256_set1_epi32(-job.sums[row + j]);
  for (int64_t k = 0; k < job.columns; k += kColumnPadding) {
    __m256i narrow[kRows];
    for (int j = 0; j < kRows; ++j) narrow[j] = _mm256_setzero_si256();
    for (int64_t line = k; line < k + kColumnPadding; line += 16) {
      const uint8_t* at = lines + line * 4;
      _mm_prefetch(at + kPrefetchBytes, _MM_HINT_T0);
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
    int32_t* out = job.out + (strip * job.rows + row + j) * kStripRows + half * 8;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), total[j]);
  }
}

void ternary_dots(const TernaryDots& job) {
  for (int64_t strip = 0; strip < job.strip_count; ++strip) {
    for (int64_t half = 0; half < 2; ++half) {
      int64_t row = 0;
      for (; row + 4 <= job.rows; row += 4) half_times_rows<4>(job, strip, half, row);
      for (; row < job.rows; ++row) half_times_rows<1>(job, strip, half, row);
    }
  }
}

}  // namespace

constinit const TernaryKernels avx2_ternary = {
    .name = "avx2", .dots = ternary_dots, .scale = ternary_scale, .dense = nullptr};

}  // namespace bittern::kernel
