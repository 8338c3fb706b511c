// int8 activations of block formats: a scale for each run of 32 values, the sums of their codes and
// what is made of them.

void quantise(const float* in, int64_t width, int64_t blocks, const BlockRows& to) {
  for (int64_t b = 0; b < blocks; ++b, in += kBlockColumns, width -= kBlockColumns) {
    const BlockRows block = to.from(b * to.pitch);
    float tail[kBlockColumns];
    const float* values = in;
    if (width < kBlockColumns) {  // the last values, or none
      for (int64_t k = 0; k < kBlockColumns; ++k) tail[k] = k < width ? in[k] : 0.0f;
      values = tail;
    }
    float factors[kBlockRuns];
    scales_of_runs(values, factors, block.scales);
    for (int64_t i = 0; i < kBlockRuns; ++i) {
      int8_t* codes = block.codes + i * kBlockRun;
      if (block.scales[i] == 0.0f) {
        __builtin_memset(codes, 0, kBlockRun);
        continue;
      }
      store_codes(values + i * kBlockRun, factors[i], codes);
      store_codes(values + i * kBlockRun + 16, factors[i], codes + 16);
    }
    int32_t* sums = block.sums;
    sums_of_pieces(block.codes, sums);
    for (int64_t i = 0; i < kBlockRuns; ++i) sums[16 + i] = sums[2 * i] + sums[2 * i + 1];
    scale_pieces(sums, block.scales, block.scaled_sums);
    scale_runs(sums + 16, block.scales, block.scaled_sums + 16);
  }
}

BlockStart start(const BlockLayout& layout) {
  if (layout.scales == BlockScales::f16_zeros || layout.scales == BlockScales::bf16_zeros)
    return {1, 0};
  const int32_t factor = shape_of(layout, bias_of(codes_of(layout))).offset;
  return {factor, layout.scales == BlockScales::integer ? kFloatBase : 0};
}

void make_starts(const int32_t* sums, int64_t count, BlockStart start, int32_t* to) {
  int32_t bases[kBlockSums];
  for (int64_t i = 0; i < kBlockSums; ++i) bases[i] = i >= 16 || i % 2 == 0 ? start.base : 0;
  for (int64_t first = 0; first < count; first += kBlockSums) {
    for (int64_t i = 0; i < kBlockSums; ++i)
      to[first + i] = sums[first + i] * start.factor + bases[i];
  }
}
