// Attention with AVX2, FMA, F16C and AVX-VNNI: as avx2, the products of int8 by vpdpbusd (u8 keys,
// s8 codes) and vpdpwssd, which neither saturate nor wrap.

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

// In place by name, as in attention_avx512.cc.
[[gnu::always_inline]] inline void add_fours(__m256i& total, __m256i unsigned_bytes,
                                             __m256i signed_bytes) {
  asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(total) : "x"(unsigned_bytes), "x"(signed_bytes));
}
[[gnu::always_inline]] inline void add_pairs(__m256i& total, __m256i a, __m256i b) {
  asm("%{vex%} vpdpwssd %2, %1, %0" : "+x"(total) : "x"(a), "x"(b));
}

#include "kernel/isa/attention_ymm.inl"

// 8 * kHalves keys from `key` on.
template <int kQueries, int kHalves>
[[gnu::always_inline]] inline void key_tile(const KeyDots& job, int64_t query, int64_t key) {
  __m256i total[kQueries][kHalves];
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 8
    for (int h = 0; h < kHalves; ++h) total[q][h] = _mm256_set1_epi32(-128 * job.sums[query + q]);
  }
  const int8_t* codes = job.codes + query * job.code_stride;
  const auto use = [&](const uint8_t* row, int64_t r) __attribute__((always_inline)) {
    __m256i keys[kHalves];
#pragma GCC unroll 8
    for (int h = 0; h < kHalves; ++h) __builtin_memcpy(&keys[h], row + 32 * h, sizeof(keys[h]));
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
      const int32_t four = load_i32(codes + q * job.code_stride + r * kKeyCodeRow);
      const __m256i x = _mm256_set1_epi32(four);
#pragma GCC unroll 8
      for (int h = 0; h < kHalves; ++h) add_fours(total[q][h], keys[h], x);
    }
  };
  each_key_row<8 * kHalves>(job, query, key, use);
#pragma GCC unroll 8
  for (int h = 0; h < kHalves; ++h) {
    const __m256 scales = _mm256_loadu_ps(job.scales + key + 8 * h);
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
      _mm256_storeu_ps(job.out + (query + q) * job.out_stride + key + 8 * h,
                       _mm256_mul_ps(_mm256_cvtepi32_ps(total[q][h]), scales));
    }
  }
}

struct KeyRun {
  static constexpr int kMost = kProductQueries;

  template <int kQueries>
  static void run(const KeyDots& job, int64_t query) {
    constexpr int kHalves = 2 * product_vectors(kQueries);
    for (int64_t key = 0; key < kPanelColumns; key += 8 * kHalves)
      key_tile<kQueries, kHalves>(job, query, key);
  }
};

void key_dots(const KeyDots& job) { each_run<KeyRun>(job); }

}  // namespace

constinit const AttentionKernels avxvnni_attention = BITTERN_ATTENTION_TABLE("avxvnni");

}  // namespace bittern::kernel
