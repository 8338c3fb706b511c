// Sums of codes on x86 with AVX2 or more.

// The sum of 16 codes: as bytes from 0 to 255, by the instruction that adds them up.
[[gnu::always_inline]] inline int32_t sum_of_codes(const int8_t* codes) {
  const __m128i signed_codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes));
  const __m128i raised = _mm_xor_si128(signed_codes, _mm_set1_epi8(static_cast<char>(0x80)));
  const __m128i halves = _mm_sad_epu8(raised, _mm_setzero_si128());
  return _mm_cvtsi128_si32(_mm_add_epi32(halves, _mm_unpackhi_epi64(halves, halves))) - 16 * 128;
}

// Sums of the codes of eight runs, times their scales.
[[gnu::always_inline]] inline void scale_runs(const int32_t* sums, const float* scales, float* to) {
  const __m256i eight = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums));
  _mm256_storeu_ps(to, _mm256_mul_ps(_mm256_cvtepi32_ps(eight), _mm256_loadu_ps(scales)));
}

// Of sixteen pieces, two to a scale.
[[gnu::always_inline]] inline void scale_pieces(const int32_t* sums, const float* scales,
                                                float* to) {
  const __m256 all = _mm256_loadu_ps(scales);
  alignas(32) float each[16];
  _mm256_store_ps(each, _mm256_permutevar8x32_ps(all, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3)));
  _mm256_store_ps(each + 8,
                  _mm256_permutevar8x32_ps(all, _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7)));
  scale_runs(sums, each, to);
  scale_runs(sums + 8, each + 8, to + 8);
}
