// int8 activations of block formats: a scale for each run of 32 values, the sums of their codes and
// what is made of them.

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

void quantise(const float* in, int64_t width, int64_t blocks, const BlockRows& to) {
  for (int64_t b = 0; b < blocks; ++b) {
    const BlockRows block = to.from(b * to.pitch);
    for (int64_t i = 0; i < kBlockRuns; ++i) {
      const int64_t first = b * kBlockColumns + i * kBlockRun;
      float tail[kBlockRun];
      const float* run = in + first;
      if (first + kBlockRun > width) {  // the last values, or none
        for (int64_t k = 0; k < kBlockRun; ++k) tail[k] = first + k < width ? in[first + k] : 0.0f;
        run = tail;
      }
      block.scales[i] = quantise_run(run, block.codes + i * kBlockRun);
    }
    int32_t* sums = block.sums;
    for (int64_t i = 0; i < 16; ++i) sums[i] = sum_of_codes(block.codes + 16 * i);
    for (int64_t i = 0; i < kBlockRuns; ++i) sums[16 + i] = sums[2 * i] + sums[2 * i + 1];
    scale_pieces(sums, block.scales, block.scaled_sums);
    scale_runs(sums + 16, block.scales, block.scaled_sums + 16);
  }
}

int32_t start_factor(const BlockLayout& layout) {
  if (layout.scales == BlockScales::f16_zeros || layout.scales == BlockScales::bf16_zeros) return 1;
  return shape_of(layout, bias_of(codes_of(layout))).offset;
}

void make_starts(const int32_t* sums, int64_t count, int32_t factor, int32_t* to) {
  const Ints factors = broadcast_int(factor);
  int64_t i = 0;
  for (; i + kPartLanes <= count; i += kPartLanes)
    store_ints(to + i, multiply(load_ints(sums + i), factors));
  for (; i < count; ++i) to[i] = sums[i] * factor;
}
