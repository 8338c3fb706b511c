// What AVX2 with FMA and F16C gives the shared sources: a virtual vector is two ymm. Included in the
// unnamed namespace of an ISA file, before them.

constexpr int kPartBytes = 32;

#include "kernel/isa/lanes.inl"

[[gnu::always_inline]] inline Lanes fma(const Lanes& a, const Lanes& b, const Lanes& c) {
  Lanes result;
  for (int i = 0; i < kParts; ++i)
    result.part[i] =
        FloatPart(_mm256_fmadd_ps(__m256(a.part[i]), __m256(b.part[i]), __m256(c.part[i])));
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
  return {
      {FloatPart(_mm256_cvtph_ps(load_16(from))), FloatPart(_mm256_cvtph_ps(load_16(from + 16)))}};
}

[[gnu::always_inline]] inline void store_f16(uint16_t* to, const Lanes& lanes) {
  for (int i = 0; i < kParts; ++i) {
    const __m128i half = _mm256_cvtps_ph(__m256(lanes.part[i]), _MM_FROUND_TO_NEAREST_INT);
    __builtin_memcpy(to + 8 * i, &half, sizeof(half));
  }
}
