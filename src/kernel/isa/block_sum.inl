// Scales and sums of the eight runs of a block on x86 with AVX2 or more: what is one number for a
// run is made for all of them at once.

// |x| of the largest value of a run in each of eight parts; NaN is passed over.
[[gnu::always_inline]] inline __m256 largest_magnitudes(const float* run) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  __m256 found = _mm256_setzero_ps();
#pragma GCC unroll 4
  for (int k = 0; k < kBlockRun; k += 8)
    found = _mm256_max_ps(_mm256_andnot_ps(sign, _mm256_loadu_ps(run + k)), found);
  return found;
}
// Of each lane of a and b the larger half: a0 b0 a1 b1 of each 16 bytes; then of pairs of them.
[[gnu::always_inline]] inline __m256 larger_halves(__m256 a, __m256 b) {
  return _mm256_max_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
}
[[gnu::always_inline]] inline __m256 larger_pairs(__m256 a, __m256 b) {
  const __m256d x = _mm256_castps_pd(a), y = _mm256_castps_pd(b);
  return _mm256_max_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(x, y)),
                       _mm256_castpd_ps(_mm256_unpackhi_pd(x, y)));
}

// Of each run the factor from values to codes and the scale back, which is 0 where codes are.
[[gnu::always_inline]] inline void scales_of_runs(const float* block, float* factors,
                                                  float* scales) {
  __m256 pairs[4], fours[2];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
    pairs[i] = larger_halves(largest_magnitudes(block + 2 * i * kBlockRun),
                             largest_magnitudes(block + (2 * i + 1) * kBlockRun));
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) fours[i] = larger_pairs(pairs[2 * i], pairs[2 * i + 1]);
  const __m256 largest = _mm256_max_ps(_mm256_permute2f128_ps(fours[0], fours[1], 0x20),
                                       _mm256_permute2f128_ps(fours[0], fours[1], 0x31));
  const __m256 most = _mm256_set1_ps(127.0f);
  // Below, 127 / largest would overflow.
  const __m256 coded = _mm256_cmp_ps(largest, _mm256_set1_ps(1e-30f), _CMP_GE_OQ);
  _mm256_storeu_ps(factors, _mm256_div_ps(most, largest));
  _mm256_storeu_ps(scales, _mm256_and_ps(coded, _mm256_div_ps(largest, most)));
}

// Sums of pairs in 16 bits, of fours and more in 32.
[[gnu::always_inline]] inline __m256i sums_of_four(const int8_t* codes) {
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes));
  return _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes), _mm256_set1_epi16(1));
}
// Adds neighbours: those of a, then those of b, in each 16 bytes.
[[gnu::always_inline]] inline __m256i added(__m256i a, __m256i b) {
  return _mm256_hadd_epi32(a, b);
}

// Sums of each 16 codes of a block.
[[gnu::always_inline]] inline void sums_of_pieces(const int8_t* codes, int32_t* sums) {
  // Of 128 codes, piece 2 i + h stands in dword i of half h.
  const __m256i in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half, codes += 128, sums += 8) {
    const __m256i low = added(sums_of_four(codes), sums_of_four(codes + 32));
    const __m256i high = added(sums_of_four(codes + 64), sums_of_four(codes + 96));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums),
                        _mm256_permutevar8x32_epi32(added(low, high), in_order));
  }
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
