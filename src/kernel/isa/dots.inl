// Float products in tiles of kWeights x kRows: each pair keeps one 16-lane accumulator over the
// whole of k, so the tile's shape never touches the arithmetic. An ISA file sets the shape of
// its register file before it includes this: kSingleWeights for one row of activations (enough
// chains to hide the latency of fma), kTileWeights x kTileRows for many.

template <int kWeights, int kRows>
[[gnu::always_inline]] inline void dot_tile(const FloatDots& dots, int64_t weight, int64_t row) {
  const float* w[kWeights];
  const float* x[kRows];
  for (int i = 0; i < kWeights; ++i) w[i] = dots.weights + (weight + i) * dots.weight_stride;
  for (int j = 0; j < kRows; ++j) x[j] = dots.in + (row + j) * dots.in_stride;
  Lanes total[kWeights][kRows];
#pragma GCC unroll 8
  for (int i = 0; i < kWeights; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < kRows; ++j) total[i][j] = broadcast(0.0f);
  }
  int64_t k = 0;
  for (; k + kLanes <= dots.columns; k += kLanes) {
    Lanes inputs[kRows];
#pragma GCC unroll 8
    for (int j = 0; j < kRows; ++j) inputs[j] = load(x[j] + k);
#pragma GCC unroll 8
    for (int i = 0; i < kWeights; ++i) {
      const Lanes weights = load(w[i] + k);
#pragma GCC unroll 8
      for (int j = 0; j < kRows; ++j) total[i][j] = fma(weights, inputs[j], total[i][j]);
    }
  }
  if (k < dots.columns) {
    const int64_t rest = dots.columns - k;
#pragma GCC unroll 8
    for (int i = 0; i < kWeights; ++i) {
      const Lanes weights = load_first(w[i] + k, rest);
#pragma GCC unroll 8
      for (int j = 0; j < kRows; ++j)
        total[i][j] = fma(weights, load_first(x[j] + k, rest), total[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kWeights; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < kRows; ++j)
      dots.out[(row + j) * dots.out_stride + weight + i] = sum(total[i][j]);
  }
}

template <int kWeights, int kRows>
void dot_rows(const FloatDots& dots, int64_t row) {
  int64_t weight = 0;
  for (; weight + kWeights <= dots.weight_rows; weight += kWeights)
    dot_tile<kWeights, kRows>(dots, weight, row);
  for (; weight < dots.weight_rows; ++weight) dot_tile<1, kRows>(dots, weight, row);
}

void float_dots(const FloatDots& dots) {
  int64_t row = 0;
  for (; row + kTileRows <= dots.rows; row += kTileRows)
    dot_rows<kTileWeights, kTileRows>(dots, row);
  for (; row < dots.rows; ++row) dot_rows<kSingleWeights, 1>(dots, row);
}
