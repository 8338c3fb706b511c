// Values of int8 in 256-bit registers, for ISA files that give add_pairs(): eight int32 lanes that
// each gain two products of int16.

struct ValueTile {
  template <int kQueries, int kVectors>
  [[gnu::always_inline]] static inline void multiply(const ValueDots& job, int64_t query,
                                                     int64_t vector) {
    constexpr int kHalves = 2 * kVectors;  // of 8 columns
    __m256i total[kQueries][kHalves];
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 8
      for (int h = 0; h < kHalves; ++h) total[q][h] = _mm256_setzero_si256();
    }
    const auto use = [&](const uint8_t* row, const int16_t* codes) __attribute__((always_inline)) {
      __m256i values[kHalves];
#pragma GCC unroll 8
      for (int h = 0; h < kHalves; ++h) values[h] = _mm256_cvtepi8_epi16(load_16(row + 16 * h));
#pragma GCC unroll 8
      for (int q = 0; q < kQueries; ++q) {
        const __m256i x = _mm256_set1_epi32(load_i32(codes + q * kAttendChunk));
#pragma GCC unroll 8
        for (int h = 0; h < kHalves; ++h) add_pairs(total[q][h], values[h], x);
      }
    };
    each_value_row<kVectors>(job, query, vector, use);
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
      const __m256 factor = _mm256_set1_ps(job.factors[query + q]);
#pragma GCC unroll 8
      for (int h = 0; h < kHalves; ++h) {
        _mm256_storeu_ps(job.out + (query + q) * job.out_stride + 16 * vector + 8 * h,
                         _mm256_mul_ps(_mm256_cvtepi32_ps(total[q][h]), factor));
      }
    }
  }
};

void value_dots(const ValueDots& job) { each_run<ColumnRun<ValueTile>>(job); }
