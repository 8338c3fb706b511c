// What AVX-512 (F, BW, VL, DQ) gives the shared sources: a virtual vector is one zmm. Included in
// the unnamed namespace of an ISA file, before them.

constexpr int kPartBytes = 64;

#include "kernel/isa/lanes.inl"

// Lane by lane a > b ? a : b (smaller: a < b ? a : b), which is what the instruction computes; a
// NaN in a is passed over.
[[gnu::always_inline]] inline Lanes larger(const Lanes& a, const Lanes& b) {
  return {{FloatPart(_mm512_max_ps(__m512(a.part[0]), __m512(b.part[0])))}};
}

[[gnu::always_inline]] inline Lanes smaller(const Lanes& a, const Lanes& b) {
  return {{FloatPart(_mm512_min_ps(__m512(a.part[0]), __m512(b.part[0])))}};
}

[[gnu::always_inline]] inline FloatPart fma_part(FloatPart a, FloatPart b, FloatPart c) {
  return FloatPart(_mm512_fmadd_ps(__m512(a), __m512(b), __m512(c)));
}

[[gnu::always_inline]] inline Lanes fma(const Lanes& a, const Lanes& b, const Lanes& c) {
  return {{fma_part(a.part[0], b.part[0], c.part[0])}};
}

[[gnu::always_inline]] inline __m128i load_16(const void* from) {
  __m128i bytes;
  __builtin_memcpy(&bytes, from, sizeof(bytes));
  return bytes;
}

[[gnu::always_inline]] inline Lanes load_i8(const int8_t* from) {
  return {{FloatPart(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load_16(from))))}};
}

// Integers in [-128, 127].
[[gnu::always_inline]] inline void store_i8(int8_t* to, const Lanes& lanes) {
  const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(__m512(lanes.part[0])));
  __builtin_memcpy(to, &bytes, sizeof(bytes));
}

struct Nibbles {
  Lanes low, high;
};

[[gnu::always_inline]] inline Nibbles load_nibbles(const uint8_t* from) {
  const __m512i bytes = _mm512_cvtepu8_epi32(load_16(from));
  const __m512i low = _mm512_and_si512(bytes, _mm512_set1_epi32(15));
  return {{{FloatPart(_mm512_cvtepi32_ps(low))}},
          {{FloatPart(_mm512_cvtepi32_ps(_mm512_srli_epi32(bytes, 4)))}}};
}

[[gnu::always_inline]] inline float half_value(uint16_t bits) { return _cvtsh_ss(bits); }

[[gnu::always_inline]] inline Lanes load_f16(const uint8_t* from) {
  __m256i halves;
  __builtin_memcpy(&halves, from, sizeof(halves));
  return {{FloatPart(_mm512_cvtph_ps(halves))}};
}

[[gnu::always_inline]] inline void store_f16(uint16_t* to, const Lanes& lanes) {
  const __m256i halves = _mm512_cvtps_ph(__m512(lanes.part[0]), _MM_FROUND_TO_NEAREST_INT);
  __builtin_memcpy(to, &halves, sizeof(halves));
}
