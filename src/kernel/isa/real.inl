// Linear layers of real-valued weights, see real.h: the formats, the two ways through a call and
// their tiles. A tile of weights x rows keeps one 16-lane accumulator for each pair, so its shape
// never touches the arithmetic. The ISA file sets before it includes this:
//   kFewRows             up to this many rows take the weights straight from the file,
//   kDirectRows          so many at a time, with at most kDirectLanes accumulators in a tile;
//   kDirectWeights       weight rows of a tile of one row, twice as many for f32
//   kPanelWeights, kPanelRows  the tile of a panel, in parts of a virtual vector
// and defines
//   load_bytes, load_halves   16 of 8 or 16 bits to 32, zeros above
//   load_upper_halves  16 bytes, each the upper byte of a half (E5M2), as floats
//   load_lower_halves  16 bytes, each the sign of a half and, after a zero, its next seven bits
//   sums16             16 virtual vectors in memory to the lanes of one: their sums

[[gnu::always_inline]] inline FloatPart load_part(const float* from) {
  FloatPart part;
  __builtin_memcpy(&part, from, sizeof(part));
  return part;
}

[[gnu::always_inline]] inline void store_part(float* to, FloatPart part) {
  __builtin_memcpy(to, &part, sizeof(part));
}

// How 16 consecutive weights become lanes. kBytes a weight; `load` reads 16 of them.
struct WeightF32 {
  static constexpr int64_t kBytes = 4;
  [[gnu::always_inline]] static inline Lanes load(const uint8_t* from) {
    Lanes result;
    for (int i = 0; i < kParts; ++i) {
      FloatPart part;
      __builtin_memcpy(&part, from + i * kPartBytes, sizeof(part));
      result.part[i] = part;
    }
    return result;
  }
};

struct WeightF16 {
  static constexpr int64_t kBytes = 2;
  [[gnu::always_inline]] static inline Lanes load(const uint8_t* from) { return load_f16(from); }
};

struct WeightBf16 {
  static constexpr int64_t kBytes = 2;
  [[gnu::always_inline]] static inline Lanes load(const uint8_t* from) {
    const IntLanes halves = load_halves(from);
    Lanes result;
    for (int i = 0; i < kParts; ++i)
      result.part[i] = reinterpret_cast<FloatPart>(halves.part[i] << 16);
    return result;
  }
};

// Eight-bit floats with the exponents of a half: the upper half of one.
struct WeightE5M2 {
  static constexpr int64_t kBytes = 1;
  [[gnu::always_inline]] static inline Lanes load(const uint8_t* from) {
    return load_upper_halves(from);
  }
};

// Four bits of exponent: the seven lower bits of a code one place lower in a half, times 2^8 or
// 2^7, the difference of the biases, which is exact. The code kNan & 255 (of either sign where it
// is 0x7f) is NaN, but would come out as kNanValue.
template <int kNanValue>
[[gnu::always_inline]] inline Lanes load_e4m3(const uint8_t* from, float factor) {
  Lanes result = load_lower_halves(from) * broadcast(factor);
  for (int i = 0; i < kParts; ++i) {
    const IntPart bits = reinterpret_cast<IntPart>(result.part[i]);
    const IntPart marked = kNanValue < 0 ? bits : bits & 0x7fffffff;
    result.part[i] = reinterpret_cast<FloatPart>(bits | ((marked == kNanValue) & 0x7fc00000));
  }
  return result;
}

struct WeightE4M3 {
  static constexpr int64_t kBytes = 1;
  [[gnu::always_inline]] static inline Lanes load(const uint8_t* from) {
    return load_e4m3<0x43f00000>(from, 256.0f);  // 480, where 448 is the greatest
  }
};

struct WeightE4M3Fnuz {
  static constexpr int64_t kBytes = 1;
  [[gnu::always_inline]] static inline Lanes load(const uint8_t* from) {
    return load_e4m3<INT32_MIN>(from, 128.0f);  // -0
  }
};

// The greatest exponents of E5M2FNUZ are infinity and NaN in a half, so its seven lower bits are
// placed in a float, times the power of two between the biases: exact, but slow for denormals.
struct WeightE5M2Fnuz {
  static constexpr int64_t kBytes = 1;
  [[gnu::always_inline]] static inline Lanes load(const uint8_t* from) {
    const IntLanes codes = load_bytes(from);
    Lanes result;
    for (int i = 0; i < kParts; ++i) {
      const IntPart code = codes.part[i];
      const IntPart placed = (code & 128) << 24 | (code & 127) << 21;
      const IntPart bits =
          reinterpret_cast<IntPart>(reinterpret_cast<FloatPart>(placed) * 0x1p111f);
      result.part[i] = reinterpret_cast<FloatPart>(bits | ((code == 128) & 0x7fc00000));
    }
    return result;
  }
};

// The first `count` < 16 weights, zeros behind them.
template <typename Weight>
[[gnu::always_inline]] inline Lanes load_last(const uint8_t* from, int64_t count) {
  uint8_t padded[kLanes * Weight::kBytes] = {};
  __builtin_memcpy(padded, from, static_cast<size_t>(count * Weight::kBytes));
  return Weight::load(padded);
}

// ---- few rows

// Bytes that a weight row is fetched ahead; rows follow one another in the file.
constexpr int64_t kRealPrefetch = 4096;

// Columns k .. k + 15 of a tile.
template <typename Weight, int kWeights, int kRows>
[[gnu::always_inline]] inline void direct_step(const uint8_t* const (&w)[kWeights],
                                               const float* const (&x)[kRows], int64_t k,
                                               const Lanes& scale,
                                               Lanes (&total)[kWeights][kRows]) {
#pragma GCC unroll 16
  for (int i = 0; i < kWeights; ++i) {
    const Lanes weights = Weight::load(w[i] + k * Weight::kBytes) * scale;
#pragma GCC unroll 16
    for (int j = 0; j < kRows; ++j) total[i][j] = fma(weights, load(x[j] + k), total[i][j]);
  }
}

template <typename Weight, int kWeights, int kRows>
[[gnu::always_inline]] inline void direct_tile(const RealDots& job, int64_t weight, int64_t row,
                                               float* lanes) {
  const uint8_t* w[kWeights];
  const float* x[kRows];
  for (int i = 0; i < kWeights; ++i) w[i] = job.weights[weight + i];
  for (int j = 0; j < kRows; ++j) x[j] = job.in + (row + j) * job.in_stride;
  Lanes total[kWeights][kRows];
#pragma GCC unroll 16
  for (int i = 0; i < kWeights; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < kRows; ++j) total[i][j] = broadcast(0.0f);
  }
  const Lanes scale = broadcast(job.scale);
  constexpr int64_t kLine = 64 / Weight::kBytes;  // weights of a line of the cache
  const int64_t row_bytes = job.columns * Weight::kBytes;
  const int64_t next_tile =
      kWeights > 1 ? kWeights * (w[kWeights - 1] - w[0]) / (kWeights - 1) : row_bytes;
  int64_t ahead = kRealPrefetch;
  int64_t k = 0;
  for (; k + kLine <= job.columns; k += kLine) {
    if (k * Weight::kBytes + kRealPrefetch >= row_bytes)
      ahead = kRealPrefetch + next_tile - row_bytes;
#pragma GCC unroll 16
    for (int i = 0; i < kWeights; ++i) __builtin_prefetch(w[i] + k * Weight::kBytes + ahead);
#pragma GCC unroll 16
    for (int64_t part = 0; part < kLine; part += kLanes)
      direct_step<Weight>(w, x, k + part, scale, total);
  }
  for (; k + kLanes <= job.columns; k += kLanes) direct_step<Weight>(w, x, k, scale, total);
  if (const int64_t rest = job.columns - k; rest > 0) {
#pragma GCC unroll 16
    for (int i = 0; i < kWeights; ++i) {
      const Lanes weights = load_last<Weight>(w[i] + k * Weight::kBytes, rest) * scale;
#pragma GCC unroll 16
      for (int j = 0; j < kRows; ++j)
        total[i][j] = fma(weights, load_first(x[j] + k, rest), total[i][j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kWeights; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < kRows; ++j)
      store(lanes + (j * kRealOutputs + weight + i) * kLanes, total[i][j]);
  }
}

// Sums of the 16 x rows accumulators in `lanes` to results; those of outputs that are not there
// hold what an earlier call left.
[[gnu::always_inline]] inline void finish_rows(const RealDots& job, int64_t row, int64_t rows,
                                               const float* lanes) {
  for (int64_t j = 0; j < rows; ++j) {
    const Lanes sums = sums16(lanes + j * kRealOutputs * kLanes);
    float* out = job.out + (row + j) * job.stride;
    if (job.outputs == kRealOutputs) {
      store(out, job.bias == nullptr ? sums : sums + load(job.bias));
    } else {
      const Lanes bias = job.bias == nullptr ? broadcast(0.0f) : load_first(job.bias, job.outputs);
      store_first(out, job.bias == nullptr ? sums : sums + bias, job.outputs);
    }
  }
}

template <typename Weight, int kRows>
void direct_rows(const RealDots& job, int64_t row) {
  // Weights of four bytes want more streams in flight than narrower ones, which decode longer.
  constexpr int kStreams = Weight::kBytes < 4 ? kDirectWeights : 2 * kDirectWeights;
  constexpr int kFit = kDirectLanes / kRows < 4 ? kDirectLanes / kRows : 4;
  constexpr int kWeights = kRows == 1 ? kStreams : kFit;
  int64_t weight = 0;
  for (; weight + kWeights <= job.outputs; weight += kWeights)
    direct_tile<Weight, kWeights, kRows>(job, weight, row, job.scratch);
  for (; weight < job.outputs; ++weight)
    direct_tile<Weight, 1, kRows>(job, weight, row, job.scratch);
  finish_rows(job, row, kRows, job.scratch);
}

// ---- many rows

// Columns [first, first + columns) of the weights into panel[16][kRealPanel], whole lanes.
template <typename Weight>
void decode_panel(const RealDots& job, int64_t first, int64_t columns, float* panel) {
  const Lanes scale = broadcast(job.scale);
  for (int64_t n = 0; n < kRealOutputs; ++n) {
    float* to = panel + n * kRealPanel;
    if (n >= job.outputs) {
      for (int64_t k = 0; k < columns; k += kLanes) store(to + k, broadcast(0.0f));
      continue;
    }
    const uint8_t* from = job.weights[n] + first * Weight::kBytes;
    int64_t k = 0;
    for (; k + kLanes <= columns; k += kLanes)
      store(to + k, Weight::load(from + k * Weight::kBytes) * scale);
    if (k < columns)
      store(to + k, load_last<Weight>(from + k * Weight::kBytes, columns - k) * scale);
  }
}

struct PanelTile {
  const float* weights;  // [kPanelWeights] rows of the panel
  const float* in;       // row 0, column 0 of the tile
  int64_t in_stride;
  int64_t columns;
  bool first;          // of its panels: totals begin at zero
  const float* ahead;  // rows that the next tiles read, fetched a line with every step
  float* totals;       // [rows][16 outputs][16 lanes], of row 0 and output 0 of the tile
};

template <int kWeights, int kRows>
[[gnu::always_inline]] inline void panel_tile(const PanelTile& tile) {
  for (int part = 0; part < kParts; ++part) {
    const int64_t offset = part * kPartLanes;
    FloatPart total[kWeights][kRows];
#pragma GCC unroll 16
    for (int j = 0; j < kRows; ++j) {
#pragma GCC unroll 16
      for (int i = 0; i < kWeights; ++i) {
        if (tile.first) {
          total[i][j] = FloatPart{};
        } else {
          total[i][j] = load_part(tile.totals + (j * kRealOutputs + i) * kLanes + offset);
        }
      }
    }
    int64_t k = 0;
    for (; k + kLanes <= tile.columns; k += kLanes) {
      if (offset == 0) {
        __builtin_prefetch(tile.ahead + k);
        __builtin_prefetch(tile.ahead + 4 * tile.in_stride + k);
      }
      FloatPart inputs[kRows];
#pragma GCC unroll 16
      for (int j = 0; j < kRows; ++j)
        inputs[j] = load_part(tile.in + j * tile.in_stride + k + offset);
#pragma GCC unroll 16
      for (int i = 0; i < kWeights; ++i) {
        const FloatPart weights = load_part(tile.weights + i * kRealPanel + k + offset);
#pragma GCC unroll 16
        for (int j = 0; j < kRows; ++j) total[i][j] = fma_part(weights, inputs[j], total[i][j]);
      }
    }
    if (const int64_t rest = tile.columns - k; rest > 0) {
#pragma GCC unroll 16
      for (int j = 0; j < kRows; ++j) {
        const FloatPart inputs = load_first(tile.in + j * tile.in_stride + k, rest).part[part];
#pragma GCC unroll 16
        for (int i = 0; i < kWeights; ++i)
          total[i][j] =
              fma_part(load_part(tile.weights + i * kRealPanel + k + offset), inputs, total[i][j]);
      }
    }
#pragma GCC unroll 16
    for (int j = 0; j < kRows; ++j) {
#pragma GCC unroll 16
      for (int i = 0; i < kWeights; ++i)
        store_part(tile.totals + (j * kRealOutputs + i) * kLanes + offset, total[i][j]);
    }
  }
}

// All 16 outputs of kRows rows.
template <int kRows>
void panel_rows(PanelTile tile) {
  for (int64_t n = 0; n < kRealOutputs; n += kPanelWeights) {
    panel_tile<kPanelWeights, kRows>(tile);
    tile.weights += kPanelWeights * kRealPanel;
    tile.totals += kPanelWeights * kLanes;
    tile.ahead += tile.in_stride;
  }
}

// The rows that do not fill a tile, fewer than kMost + 1.
template <int kMost>
void last_rows(const PanelTile& tile, int64_t rows) {
  if (rows == kMost) return panel_rows<kMost>(tile);
  if constexpr (kMost > 1) last_rows<kMost - 1>(tile, rows);
}

template <typename Weight>
void many_rows(const RealDots& job) {
  float* panel = job.scratch;
  float* totals = panel + kRealOutputs * kRealPanel;
  for (int64_t block = 0; block < job.rows; block += kRealRowBlock) {
    const int64_t left = job.rows - block;
    const int64_t rows = left < kRealRowBlock ? left : kRealRowBlock;
    for (int64_t k = 0; k < job.columns; k += kRealPanel) {
      const int64_t rest = job.columns - k;
      const int64_t columns = rest < kRealPanel ? rest : kRealPanel;
      decode_panel<Weight>(job, k, columns, panel);
      PanelTile tile = {panel, nullptr, job.in_stride, columns, k == 0, nullptr, nullptr};
      int64_t row = 0;
      // The tile from row `first`; a share of the weights' next panel is fetched beside it.
      const auto at = [&](int64_t first) {
        tile.in = job.in + (block + first) * job.in_stride + k;
        tile.ahead = tile.in + kPanelRows * job.in_stride;
        const int64_t ahead = (k + kRealPanel) * Weight::kBytes;
        for (int64_t n = first * kRealOutputs / rows;
             n < (first + kPanelRows) * kRealOutputs / rows && n < job.outputs; ++n) {
          for (int64_t line = 0; line < kRealPanel * Weight::kBytes; line += 64)
            __builtin_prefetch(job.weights[n] + ahead + line, 0, 2);
        }
        tile.totals = totals + first * kRealOutputs * kLanes;
        return tile;
      };
      for (; row + kPanelRows <= rows; row += kPanelRows) panel_rows<kPanelRows>(at(row));
      if (row < rows) last_rows<kPanelRows - 1>(at(row), rows - row);
    }
    finish_rows(job, block, rows, totals);
  }
}

// The last rows of few, fewer than kMost + 1.
template <typename Weight, int kMost>
void last_direct_rows(const RealDots& job, int64_t row) {
  if (job.rows - row == kMost) return direct_rows<Weight, kMost>(job, row);
  if constexpr (kMost > 1) last_direct_rows<Weight, kMost - 1>(job, row);
}

template <typename Weight>
void dots_of(const RealDots& job) {
  if (job.rows > kFewRows) return many_rows<Weight>(job);
  int64_t row = 0;
  for (; row + kDirectRows <= job.rows; row += kDirectRows)
    direct_rows<Weight, kDirectRows>(job, row);
  if constexpr (kDirectRows > 1) last_direct_rows<Weight, kDirectRows - 1>(job, row);
}

void real_dots(const RealDots& job) {
  switch (job.format) {
    case RealFormat::f32:
      return dots_of<WeightF32>(job);
    case RealFormat::f16:
      return dots_of<WeightF16>(job);
    case RealFormat::bf16:
      return dots_of<WeightBf16>(job);
    case RealFormat::f8_e4m3:
      return dots_of<WeightE4M3>(job);
    case RealFormat::f8_e5m2:
      return dots_of<WeightE5M2>(job);
    case RealFormat::f8_e4m3fnuz:
      return dots_of<WeightE4M3Fnuz>(job);
    case RealFormat::f8_e5m2fnuz:
      return dots_of<WeightE5M2Fnuz>(job);
  }
}
