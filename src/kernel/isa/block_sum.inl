// The sum of 16 codes: as bytes from 0 to 255, by the instruction that adds them up.
[[gnu::always_inline]] inline int32_t sum_of_codes(const int8_t* codes) {
  const __m128i signed_codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes));
  const __m128i raised = _mm_xor_si128(signed_codes, _mm_set1_epi8(static_cast<char>(0x80)));
  const __m128i halves = _mm_sad_epu8(raised, _mm_setzero_si128());
  return _mm_cvtsi128_si32(_mm_add_epi32(halves, _mm_unpackhi_epi64(halves, halves))) - 16 * 128;
}
