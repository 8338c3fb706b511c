// Attention with AVX2, FMA and F16C. A virtual vector is two ymm; tiles keep at most twelve of the
// sixteen registers for accumulators.
//
// int8: bytes are widened to int16 and multiplied by vpmaddwd, whose pair sums are exact in int32
// (vpmaddubsw would saturate: 2 * 255 * 127). Keys leave two int32 for each key, added at the end.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/attention.h"
#include "kernel/kernel.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_avx2.inl"
#include "kernel/isa/math.inl"

constexpr int kProductQueries = 6;
constexpr int product_vectors(int queries) { return queries == 1 ? 4 : queries <= 3 ? 2 : 1; }

#include "kernel/isa/attention.inl"

[[gnu::always_inline]] inline void add_pairs(__m256i& total, __m256i a, __m256i b) {
  total = _mm256_add_epi32(total, _mm256_madd_epi16(a, b));
}

#include "kernel/isa/attention_ymm.inl"

// Sixteen keys from `key` on: four accumulators of four keys, two lanes each.
template <int kQueries>
[[gnu::always_inline]] inline void key_tile(const KeyDots& job, int64_t query, int64_t key) {
  constexpr int kQuarters = 4;
  __m256i total[kQueries][kQuarters];
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 8
    for (int p = 0; p < kQuarters; ++p) total[q][p] = _mm256_setzero_si256();
  }
  const int8_t* codes = job.codes + query * job.code_stride;
  const auto use = [&](const uint8_t* row, int64_t r) __attribute__((always_inline)) {
    __m256i x[kQueries];
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
      const int32_t four = load_i32(codes + q * job.code_stride + r * kKeyCodeRow);
      x[q] = _mm256_cvtepi8_epi16(_mm_set1_epi32(four));
    }
#pragma GCC unroll 8
    for (int p = 0; p < kQuarters; ++p) {
      const __m256i keys = _mm256_cvtepu8_epi16(load_16(row + 16 * p));
#pragma GCC unroll 8
      for (int q = 0; q < kQueries; ++q) add_pairs(total[q][p], keys, x[q]);
    }
  };
  each_key_row<4 * kQuarters>(job, query, key, use);
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
    const __m256i shift = _mm256_set1_epi32(-128 * job.sums[query + q]);
    float* out = job.out + (query + q) * job.out_stride + key;
#pragma GCC unroll 8
    for (int h = 0; h < 2; ++h) {
      // vphaddd works within 128-bit halves: keys 0 1 4 5 | 2 3 6 7.
      const __m256i mixed = _mm256_hadd_epi32(total[q][2 * h], total[q][2 * h + 1]);
      const __m256i dots = _mm256_permute4x64_epi64(mixed, _MM_SHUFFLE(3, 1, 2, 0));
      const __m256 scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_add_epi32(dots, shift)),
                                          _mm256_loadu_ps(job.scales + key + 8 * h));
      _mm256_storeu_ps(out + 8 * h, scaled);
    }
  }
}

struct KeyRun {
  static constexpr int kMost = 2;

  template <int kQueries>
  static void run(const KeyDots& job, int64_t query) {
    for (int64_t key = 0; key < kPanelColumns; key += 16) key_tile<kQueries>(job, query, key);
  }
};

void key_dots(const KeyDots& job) { each_run<KeyRun>(job); }

}  // namespace

constinit const AttentionKernels avx2_attention = BITTERN_ATTENTION_TABLE("avx2");

}  // namespace bittern::kernel
