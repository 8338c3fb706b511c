// Real-valued weights with AVX2, FMA and F16C. A virtual vector is two ymm.
//
// A tile of a panel is 4 weights x 3 rows of half a virtual vector: 12 accumulators, 3 inputs and
// a weight are the 16 registers; per 8 lanes 7 loads for 12 fused multiply-adds. The other half of
// the lanes is a second pass over the panel, which lies in the first level of cache.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/real.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_avx2.inl"

constexpr int64_t kFewRows = 4;
constexpr int kDirectRows = 2;
constexpr int kDirectWeights = 2, kDirectLanes = 4;
constexpr int kPanelWeights = 4, kPanelRows = 3;

struct IntLanes {
  IntPart part[kParts];
};

[[gnu::always_inline]] inline IntLanes load_bytes(const uint8_t* from) {
  const __m128i bytes = load_16(from);
  const auto low = IntPart(_mm256_cvtepu8_epi32(bytes));
  const auto high = IntPart(_mm256_cvtepu8_epi32(_mm_unpackhi_epi64(bytes, bytes)));
  return {{low, high}};
}

[[gnu::always_inline]] inline IntLanes load_halves(const uint8_t* from) {
  const __m128i low = load_16(from), high = load_16(from + 16);
  const auto first = IntPart(_mm256_cvtepu16_epi32(low));
  const auto second = IntPart(_mm256_cvtepu16_epi32(high));
  return {{first, second}};
}

// Words of a byte each, the byte on top.
[[gnu::always_inline]] inline __m256i upper_bytes(const uint8_t* from) {
  return _mm256_slli_epi16(_mm256_cvtepu8_epi16(load_16(from)), 8);
}

[[gnu::always_inline]] inline Lanes from_halves(__m256i halves) {
  const auto low = FloatPart(_mm256_cvtph_ps(_mm256_castsi256_si128(halves)));
  const auto high = FloatPart(_mm256_cvtph_ps(_mm256_extracti128_si256(halves, 1)));
  return {{low, high}};
}

[[gnu::always_inline]] inline Lanes load_upper_halves(const uint8_t* from) {
  return from_halves(upper_bytes(from));
}

[[gnu::always_inline]] inline Lanes load_lower_halves(const uint8_t* from) {
  const __m256i no_second = _mm256_set1_epi16(static_cast<int16_t>(0xbfff));
  return from_halves(_mm256_and_si256(_mm256_srai_epi16(upper_bytes(from), 1), no_second));
}

// Lanes l + (l + 8) of a virtual vector.
[[gnu::always_inline]] inline __m256 folded(const float* lanes) {
  return _mm256_add_ps(_mm256_loadu_ps(lanes), _mm256_loadu_ps(lanes + 8));
}

// Vectors n and n + 4 meet in the halves of one, folded to four lanes each.
[[gnu::always_inline]] inline __m256 half_sums(const float* lanes) {
  const __m256 a = folded(lanes), b = folded(lanes + 4 * kLanes);
  return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}

[[gnu::always_inline]] inline __m256 halves2(__m256 a, __m256 b) {
  return _mm256_add_ps(_mm256_shuffle_ps(a, b, 0x44), _mm256_shuffle_ps(a, b, 0xee));
}
[[gnu::always_inline]] inline __m256 halves1(__m256 a, __m256 b) {
  return _mm256_add_ps(_mm256_shuffle_ps(a, b, 0x88), _mm256_shuffle_ps(a, b, 0xdd));
}

[[gnu::always_inline]] inline __m256 sums8(const float* lanes) {
  const __m256 even = halves2(half_sums(lanes), half_sums(lanes + kLanes));
  const __m256 odd = halves2(half_sums(lanes + 2 * kLanes), half_sums(lanes + 3 * kLanes));
  return halves1(even, odd);
}

[[gnu::always_inline]] inline Lanes sums16(const float* lanes) {
  const auto low = FloatPart(sums8(lanes)), high = FloatPart(sums8(lanes + 8 * kLanes));
  return {{low, high}};
}

#include "kernel/isa/real.inl"

}  // namespace

constinit const RealKernels avx2_real = {"avx2", real_dots};

}  // namespace bittern::kernel
