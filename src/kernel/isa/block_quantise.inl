// int8 activations of block formats: a scale for each run of 32 values, and the sums of their
// codes.

// |x| of the largest value of a run; NaN is passed over.
[[gnu::always_inline]] inline float largest_magnitude(const float* in) {
  Floats found[kParts];
  for (int part = 0; part < kParts; ++part) found[part] = broadcast_float(0.0f);
  for (int64_t k = 0; k < kBlockRun; k += 16) {
    for (int part = 0; part < kParts; ++part)
      found[part] = larger(magnitude(load_floats(in + k + part * kPartLanes)), found[part]);
  }
  for (int part = 1; part < kParts; ++part) found[0] = larger(found[0], found[part]);
  return largest_lane(found[0]);
}

// Codes of a run; returns its scale.
[[gnu::always_inline]] inline float quantise_run(const float* in, int8_t* codes) {
  const float maximum = largest_magnitude(in);
  if (!(maximum >= 1e-30f)) {  // 127 / maximum would overflow
    __builtin_memset(codes, 0, kBlockRun);
    return 0.0f;
  }
  const float factor = 127.0f / maximum;
  store_codes(in, factor, codes);
  store_codes(in + 16, factor, codes + 16);
  return maximum / 127.0f;
}

void quantise(const float* in, int64_t width, int64_t blocks, int64_t pitch, int8_t* codes,
              float* scales, int32_t* sums) {
  for (int64_t b = 0; b < blocks; ++b) {
    int8_t* block = codes + b * pitch * kBlockColumns;
    for (int64_t i = 0; i < kBlockRuns; ++i) {
      const int64_t first = b * kBlockColumns + i * kBlockRun;
      float tail[kBlockRun];
      const float* run = in + first;
      if (first + kBlockRun > width) {  // the last values, or none
        for (int64_t k = 0; k < kBlockRun; ++k) tail[k] = first + k < width ? in[first + k] : 0.0f;
        run = tail;
      }
      scales[b * pitch * kBlockRuns + i] = quantise_run(run, block + i * kBlockRun);
    }
    int32_t* total = sums + b * pitch * kBlockSums;
    for (int64_t i = 0; i < 16; ++i) total[i] = sum_of_codes(block + 16 * i);
    for (int64_t i = 0; i < kBlockRuns; ++i) total[16 + i] = total[2 * i] + total[2 * i + 1];
  }
}
