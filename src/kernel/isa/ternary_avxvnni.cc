// Ternary products with AVX-VNNI (256-bit vpdpbusd): T2 strips. A 64-byte line is two ymm, of
// outputs 0..7 and 8..15; everything else is as with AVX-512: planes are masked in place and come
// out times 1, 4, 16, 64, see ternary_avx512.cc and ternary_vnni.inl.
// Counted per line: 1 row 2 loads, 8 vpand, 4 broadcasts, 8 vpdpbusd, 1 prefetch; m rows
// 8 masked loads, 4 m broadcasts, 8 m vpdpbusd.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/ternary.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_avx2.inl"
#include "kernel/isa/ternary_scale.inl"

typedef __m256i Vector;
constexpr int kLineVectors = 2;

// An unaligned dword that may alias anything.
typedef int32_t Dword __attribute__((may_alias, aligned(1)));

[[gnu::always_inline]] inline Vector zero() { return _mm256_setzero_si256(); }
[[gnu::always_inline]] inline Vector set(int32_t value) { return _mm256_set1_epi32(value); }
[[gnu::always_inline]] inline Vector sum(Vector a, Vector b) { return _mm256_add_epi32(a, b); }
[[gnu::always_inline]] inline Vector shift_right(Vector a) { return _mm256_srai_epi32(a, 2); }
[[gnu::always_inline]] inline Vector load_dwords(const int32_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
[[gnu::always_inline]] inline void store_dwords(int32_t* to, Vector value) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), value);
}
[[gnu::always_inline]] inline void prefetch(const void* at) { _mm_prefetch(at, _MM_HINT_T0); }
[[gnu::always_inline]] inline Vector broadcast_codes(const int8_t* codes) {
  return _mm256_set1_epi32(*reinterpret_cast<const Dword*>(codes));
}
[[gnu::always_inline]] inline Vector mask_plane(Vector half, int plane) {
  return _mm256_and_si256(half, _mm256_set1_epi8(static_cast<char>(3 << 2 * plane)));
}
[[gnu::always_inline]] inline Vector load_masked(const uint8_t* at, int plane) {
  return mask_plane(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)), plane);
}
// In assembly, because gcc 12 copies the accumulator to and fro around the built-in.
[[gnu::always_inline]] inline void dot(Vector& total, Vector weights, Vector codes) {
  asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(total) : "x"(weights), "x"(codes));
}

#include "kernel/isa/ternary_vnni.inl"

constexpr int64_t kPrefetchBytes = 6144;  // as in ternary_avx512.cc

void strip_times_one(const TernaryDots& job, int64_t strip) {
  const uint8_t* line = job.strips + strip * job.strip_bytes;
  Vector total[2][4];
#pragma GCC unroll 8
  for (int p = 0; p < 8; ++p) total[p / 4][p % 4] = zero();
  for (int64_t k = 0; k < job.columns; k += 16, line += 64) {
    prefetch(line + kPrefetchBytes);
#pragma GCC unroll 4
    for (int p = 0; p < 4; ++p) {
      const Vector activations = broadcast_codes(job.codes + k + 4 * p);
      dot(total[0][p], load_masked(line, p), activations);
      dot(total[1][p], load_masked(line + 32, p), activations);
    }
  }
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    const Vector* planes = total[half];
    const Vector low = sum(planes[0], _mm256_srai_epi32(planes[1], 2));
    const Vector high = sum(_mm256_srai_epi32(planes[2], 4), _mm256_srai_epi32(planes[3], 6));
    store_dwords(job.out + strip * kStripRows + 8 * half, sum(sum(low, high), set(-job.sums[0])));
  }
}

void ternary_dots(const TernaryDots& job) {
  for (int64_t strip = 0; strip < job.strip_count; ++strip) {
    if (job.rows == 1) {
      strip_times_one(job, strip);
    } else {
      strips_times_rows<1>(job, strip);
    }
  }
}

}  // namespace

constinit const TernaryKernels avxvnni_ternary = {
    .name = "avxvnni", .dots = ternary_dots, .scale = ternary_scale, .dense = nullptr};

}  // namespace bittern::kernel
