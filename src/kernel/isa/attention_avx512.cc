// Attention with AVX-512 (F, BW, VL, DQ) and VNNI. A virtual vector is one zmm; tiles of six
// queries by four vectors keep 24 accumulators, four panel vectors and a broadcast in registers.
//
// int8, per 64 bytes of a panel: keys one load, then one vpdpbusd per query (u8 keys, s8 codes);
// values two vpmovsxbw, then two vpdpwssd per query. Neither saturates nor wraps: at most
// 255 * 128 * head_dim and 32767 * 127 * 256 < 2^31.

#if defined(__GNUC__) && !defined(__clang__)
// gcc 12's _mm512_undefined_* are variables initialised with themselves, and it warns about them.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/attention.h"
#include "kernel/kernel.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_avx512.inl"
#include "kernel/isa/math.inl"

constexpr int kProductQueries = 6;
constexpr int product_vectors(int) { return 4; }

#include "kernel/isa/attention.inl"

// In place by name: with the intrinsics gcc 12 copies every accumulator once per row of a panel,
// and spills what no longer fits.
[[gnu::always_inline]] inline void add_fours(__m512i& total, __m512i unsigned_bytes,
                                             __m512i signed_bytes) {
  asm("vpdpbusd %2, %1, %0" : "+v"(total) : "v"(unsigned_bytes), "v"(signed_bytes));
}
[[gnu::always_inline]] inline void add_pairs(__m512i& total, __m512i a, __m512i b) {
  asm("vpdpwssd %2, %1, %0" : "+v"(total) : "v"(a), "v"(b));
}

template <int kQueries>
[[gnu::always_inline]] inline void key_tile(const KeyDots& job, int64_t query) {
  constexpr int kVectors = 4;
  __m512i total[kQueries][kVectors];
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) total[q][v] = _mm512_set1_epi32(-128 * job.sums[query + q]);
  }
  const int8_t* codes = job.codes + query * job.code_stride;
  fetch<2 * kPanelColumns * 4>(reinterpret_cast<const uint8_t*>(job.scales));
  const auto use = [&](const uint8_t* row, int64_t r) __attribute__((always_inline)) {
    __m512i keys[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) keys[v] = _mm512_loadu_si512(row + 64 * v);
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
      const int32_t four = load_i32(codes + q * job.code_stride + r * kKeyCodeRow);
      const __m512i x = _mm512_set1_epi32(four);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) add_fours(total[q][v], keys[v], x);
    }
  };
  each_key_row<kPanelColumns>(job, query, 0, use);
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    const __m512 scales = _mm512_loadu_ps(job.scales + 16 * v);
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
      _mm512_storeu_ps(job.out + (query + q) * job.out_stride + 16 * v,
                       _mm512_mul_ps(_mm512_cvtepi32_ps(total[q][v]), scales));
    }
  }
}

struct KeyRun {
  static constexpr int kMost = kProductQueries;

  template <int kQueries>
  static void run(const KeyDots& job, int64_t query) {
    key_tile<kQueries>(job, query);
  }
};

void key_dots(const KeyDots& job) { each_run<KeyRun>(job); }

struct ValueTile {
  template <int kQueries, int kVectors>
  [[gnu::always_inline]] static inline void multiply(const ValueDots& job, int64_t query,
                                                     int64_t vector) {
    __m512i total[kQueries][kVectors];
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) total[q][v] = _mm512_setzero_si512();
    }
    const auto use = [&](const uint8_t* row, const int16_t* codes) __attribute__((always_inline)) {
      __m512i values[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        __m256i bytes;
        __builtin_memcpy(&bytes, row + 32 * v, sizeof(bytes));
        values[v] = _mm512_cvtepi8_epi16(bytes);
      }
#pragma GCC unroll 8
      for (int q = 0; q < kQueries; ++q) {
        const __m512i x = _mm512_set1_epi32(load_i32(codes + q * kAttendChunk));
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) add_pairs(total[q][v], values[v], x);
      }
    };
    each_value_row<kVectors>(job, query, vector, use);
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
      const __m512 factor = _mm512_set1_ps(job.factors[query + q]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        _mm512_storeu_ps(job.out + (query + q) * job.out_stride + 16 * (vector + v),
                         _mm512_mul_ps(_mm512_cvtepi32_ps(total[q][v]), factor));
      }
    }
  }
};

void value_dots(const ValueDots& job) { each_run<ColumnRun<ValueTile>>(job); }

}  // namespace

constinit const AttentionKernels avx512_attention = BITTERN_ATTENTION_TABLE("avx512-vnni");

}  // namespace bittern::kernel
