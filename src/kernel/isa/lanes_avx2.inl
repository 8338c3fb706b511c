// What AVX2 with FMA and F16C gives the shared sources: a virtual vector is two ymm. Included in
// the unnamed namespace of an ISA file, before them.

constexpr int kPartBytes = 32;

#include "kernel/isa/lanes.inl"

// Lane by lane a > b ? a : b (smaller: a < b ? a : b), which is what the instruction computes; a
// NaN in a is passed over.
[[gnu::always_inline]] inline Lanes larger(const Lanes& a, const Lanes& b) {
  Lanes result;
  for (int i = 0; i < kParts; ++i)
    result.part[i] = FloatPart(_mm256_max_ps(__m256(a.part[i]), __m256(b.part[i])));
  return result;
}

[[gnu::always_inline]] inline Lanes smaller(const Lanes& a, const Lanes& b) {
  Lanes result;
  for (int i = 0; i < kParts; ++i)
    result.part[i] = FloatPart(_mm256_min_ps(__m256(a.part[i]), __m256(b.part[i])));
  return result;
}

[[gnu::always_inline]] inline FloatPart fma_part(FloatPart a, FloatPart b, FloatPart c) {
  return FloatPart(_mm256_fmadd_ps(__m256(a), __m256(b), __m256(c)));
}

[[gnu::always_inline]] inline Lanes fma(const Lanes& a, const Lanes& b, const Lanes& c) {
  Lanes result;
  for (int i = 0; i < kParts; ++i) result.part[i] = fma_part(a.part[i], b.part[i], c.part[i]);
  return result;
}

[[gnu::always_inline]] inline Lanes from_bytes(__m128i bytes, bool is_signed) {
  const __m128i upper = _mm_unpackhi_epi64(bytes, bytes);
  const __m256i low = is_signed ? _mm256_cvtepi8_epi32(bytes) : _mm256_cvtepu8_epi32(bytes);
  const __m256i high = is_signed ? _mm256_cvtepi8_epi32(upper) : _mm256_cvtepu8_epi32(upper);
  return {{FloatPart(_mm256_cvtepi32_ps(low)), FloatPart(_mm256_cvtepi32_ps(high))}};
}

[[gnu::always_inline]] inline __m128i load_16(const void* from) {
  __m128i bytes;
  __builtin_memcpy(&bytes, from, sizeof(bytes));
  return bytes;
}

[[gnu::always_inline]] inline Lanes load_i8(const int8_t* from) {
  return from_bytes(load_16(from), true);
}

// Integers in [-128, 127].
[[gnu::always_inline]] inline void store_i8(int8_t* to, const Lanes& lanes) {
  const __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(__m256(lanes.part[0])),
                                           _mm256_cvtps_epi32(__m256(lanes.part[1])));
  const __m128i halves =  // dwords 0, 2, 1, 3 of the result
      _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  const __m128i bytes = _mm_shuffle_epi32(halves, 0xd8);
  __builtin_memcpy(to, &bytes, sizeof(bytes));
}

struct Nibbles {
  Lanes low, high;
};

[[gnu::always_inline]] inline Nibbles load_nibbles(const uint8_t* from) {
  const __m128i bytes = load_16(from);
  const __m128i mask = _mm_set1_epi8(15);
  return {from_bytes(_mm_and_si128(bytes, mask), false),
          from_bytes(_mm_and_si128(_mm_srli_epi16(bytes, 4), mask), false)};
}

[[gnu::always_inline]] inline float half_value(uint16_t bits) { return _cvtsh_ss(bits); }

[[gnu::always_inline]] inline Lanes load_f16(const uint8_t* from) {
  const __m128i low = load_16(from), high = load_16(from + 16);
  const auto first = FloatPart(_mm256_cvtph_ps(low)), second = FloatPart(_mm256_cvtph_ps(high));
  return {{first, second}};
}

[[gnu::always_inline]] inline void store_f16(uint16_t* to, const Lanes& lanes) {
  for (int i = 0; i < kParts; ++i) {
    const __m128i half = _mm256_cvtps_ph(__m256(lanes.part[i]), _MM_FROUND_TO_NEAREST_INT);
    __builtin_memcpy(to + 8 * i, &half, sizeof(half));
  }
}
