// Real-valued weights with AVX-512 (F, BW, VL, DQ). A virtual vector is one zmm.
//
// A tile of a panel is 4 weights x 6 rows: 24 accumulators, 6 inputs and a weight in 31 of the 32
// registers; per 16 columns 10 loads for 24 fused multiply-adds, which two ports take in 12 cycles.
// One row straight from the file: per 16 columns of a weight row a load that decodes (f16, bf16
// with a shift), a fused multiply-add with the input in memory, a prefetch.

#if defined(__GNUC__) && !defined(__clang__)
// gcc 12's _mm512_undefined_* are variables initialised with themselves, and it warns about them.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/real.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_avx512.inl"

constexpr int64_t kFewRows = 16;
constexpr int kDirectRows = 6;
constexpr int kDirectWeights = 2, kDirectLanes = 24;
constexpr int kPanelWeights = 4, kPanelRows = 6;

struct IntLanes {
  IntPart part[kParts];
};

[[gnu::always_inline]] inline IntLanes load_bytes(const uint8_t* from) {
  return {{IntPart(_mm512_cvtepu8_epi32(load_16(from)))}};
}

[[gnu::always_inline]] inline IntLanes load_halves(const uint8_t* from) {
  __m256i halves;
  __builtin_memcpy(&halves, from, sizeof(halves));
  return {{IntPart(_mm512_cvtepu16_epi32(halves))}};
}

// Sixteen words of a byte each, the byte on top.
[[gnu::always_inline]] inline __m256i upper_bytes(const uint8_t* from) {
  return _mm256_slli_epi16(_mm256_cvtepu8_epi16(load_16(from)), 8);
}

[[gnu::always_inline]] inline Lanes load_upper_halves(const uint8_t* from) {
  return {{FloatPart(_mm512_cvtph_ps(upper_bytes(from)))}};
}

[[gnu::always_inline]] inline Lanes load_lower_halves(const uint8_t* from) {
  const __m256i halves = _mm256_srai_epi16(upper_bytes(from), 1);
  const __m256i no_second = _mm256_set1_epi16(static_cast<int16_t>(0xbfff));
  return {{FloatPart(_mm512_cvtph_ps(_mm256_and_si256(halves, no_second)))}};
}

// Two vectors a, b to one: sums of their halves (of 8, 4, 2 or 1 lanes), a's below b's in each
// run of twice as many lanes.
[[gnu::always_inline]] inline __m512 halves8(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
}
[[gnu::always_inline]] inline __m512 halves4(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
}
[[gnu::always_inline]] inline __m512 halves2(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xee));
}
[[gnu::always_inline]] inline __m512 halves1(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xdd));
}

// Vectors n, n + 4, n + 8, n + 12 meet in the 128-bit quarters of one, in this order.
[[gnu::always_inline]] inline __m512 quarter_sums(const float* lanes) {
  const __m512 low = halves8(_mm512_loadu_ps(lanes), _mm512_loadu_ps(lanes + 4 * kLanes));
  const __m512 high =
      halves8(_mm512_loadu_ps(lanes + 8 * kLanes), _mm512_loadu_ps(lanes + 12 * kLanes));
  return halves4(low, high);
}

[[gnu::always_inline]] inline Lanes sums16(const float* lanes) {
  const __m512 even = halves2(quarter_sums(lanes), quarter_sums(lanes + kLanes));
  const __m512 odd = halves2(quarter_sums(lanes + 2 * kLanes), quarter_sums(lanes + 3 * kLanes));
  return {{FloatPart(halves1(even, odd))}};
}

#include "kernel/isa/real.inl"

}  // namespace

constinit const RealKernels avx512_real = {"avx512", real_dots};

}  // namespace bittern::kernel
