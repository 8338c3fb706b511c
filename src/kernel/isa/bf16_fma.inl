// bf16 products by fused multiply-adds in the order of pairs (bf16.h), over
// lanes_*.inl: a bf16 is the upper half of a float, so a line of weights is two
// vectors after a mask and a shift, the odd columns and the even ones.
//
// The ISA file sets kTileStrips x kTileRows, the tile of many rows, kFewStrips x kFewRows, and
// kDirectRows, up to which lines are decoded in registers.
// More rows: a panel of kColumns columns of all strips is decoded once, then every tile of rows,
// decoded in its turn, passes over the strips. Fewer decode each line in registers, once for every
// tile: lines come from memory meanwhile, not all before. Totals wait in scratch between panels.
//
// The unit for bf16 flushes denormals; here MXCSR does, for the length of a call (elsewhere the ISA
// file defines bf16_dots).

constexpr int64_t kColumns = 128, kPairs = kColumns / 2;  // of a decoded panel
constexpr int64_t kStripFloats = kColumns * kLanes;       // of a decoded panel of a strip
constexpr int64_t kStreamAhead = 2048;                    // bytes of a strip that are fetched ahead
static_assert(kBf16Strips * kStripFloats + kTileRows * kColumns <= 64 * kBf16Panel);

struct Panel {
  const uint8_t* lines;  // of the first strip, as packed
  int64_t strip_bytes;
  const float* weights;  // of the first strip, decoded: odd columns, even ones, for each pair
  const float* inputs;   // of a tile of rows: kPairs odd columns, then as many even ones
  int64_t pairs;
  float* totals;  // of the first row and strip
};

[[gnu::always_inline]] inline FloatPart odd_part(const uint8_t* from) {
  IntPart pairs;
  __builtin_memcpy(&pairs, from, sizeof(pairs));
  return reinterpret_cast<FloatPart>(pairs & INT32_C(-0x10000));
}

[[gnu::always_inline]] inline FloatPart even_part(const uint8_t* from) {
  IntPart pairs;
  __builtin_memcpy(&pairs, from, sizeof(pairs));
  return reinterpret_cast<FloatPart>(pairs << 16);
}

[[gnu::always_inline]] inline FloatPart load_part(const float* from) {
  FloatPart part;
  __builtin_memcpy(&part, from, sizeof(part));
  return part;
}

[[gnu::always_inline]] inline void store_part(float* to, FloatPart part) {
  __builtin_memcpy(to, &part, sizeof(part));
}

[[gnu::always_inline]] inline FloatPart broadcast_part(float value) { return value - FloatPart{}; }

[[gnu::always_inline]] inline void decode_part(const uint8_t* from, float* odd, float* even) {
  store_part(odd, odd_part(from));
  store_part(even, even_part(from));
}

void decode_weights(const uint8_t* lines, int64_t pairs, float* out) {
  for (int64_t p = 0; p < pairs; ++p, lines += kBf16LineBytes, out += 2 * kLanes) {
    __builtin_prefetch(lines + kPairs * kBf16LineBytes);
    for (int i = 0; i < kParts; ++i)
      decode_part(lines + i * kPartBytes, out + i * kPartLanes, out + kLanes + i * kPartLanes);
  }
}

// Pairs are a multiple of 16 in every row of activations.
void decode_inputs(const uint16_t* codes, int64_t rows, int64_t pairs, float* out) {
  for (int64_t r = 0; r < rows; ++r, codes += kBf16Panel, out += kColumns) {
    const auto* from = reinterpret_cast<const uint8_t*>(codes);
    for (int64_t p = 0; p < pairs; p += kPartLanes)
      decode_part(from + p * 4, out + p, out + kPairs + p);
  }
}

// One column of pair `p`: the odd one, or the even one.
template <bool kDecoded, bool kOdd, int kStrips, int kRows>
[[gnu::always_inline]] inline void add_column(const Panel& panel, int64_t p,
                                              FloatPart (&total)[kRows][kStrips * kParts]) {
  FloatPart weights[kStrips * kParts];
#pragma GCC unroll 16
  for (int s = 0; s < kStrips; ++s) {
#pragma GCC unroll 16
    for (int i = 0; i < kParts; ++i) {
      if constexpr (kDecoded) {
        weights[s * kParts + i] =
            load_part(panel.weights + s * kStripFloats + (2 * p + !kOdd) * kLanes + i * kPartLanes);
      } else {
        const uint8_t* line =
            panel.lines + s * panel.strip_bytes + p * kBf16LineBytes + i * kPartBytes;
        weights[s * kParts + i] = kOdd ? odd_part(line) : even_part(line);
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    const FloatPart input = broadcast_part(panel.inputs[r * kColumns + (kOdd ? 0 : kPairs) + p]);
#pragma GCC unroll 16
    for (int i = 0; i < kStrips * kParts; ++i)
      total[r][i] = fma_part(weights[i], input, total[r][i]);
  }
}

template <bool kDecoded, int kStrips, int kRows>
void multiply_tile(const Panel& panel) {
  FloatPart total[kRows][kStrips * kParts];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kStrips * kParts; ++i)
      total[r][i] = load_part(panel.totals + r * kTotals + i * kPartLanes);
  }
  for (int64_t p = 0; p < panel.pairs; ++p) {
    if constexpr (!kDecoded) {
#pragma GCC unroll 16
      for (int s = 0; s < kStrips; ++s)
        __builtin_prefetch(panel.lines + s * panel.strip_bytes + p * kBf16LineBytes + kStreamAhead);
    }
    add_column<kDecoded, true, kStrips>(panel, p, total);
    add_column<kDecoded, false, kStrips>(panel, p, total);
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kStrips * kParts; ++i)
      store_part(panel.totals + r * kTotals + i * kPartLanes, total[r][i]);
  }
}

// A tile of `rows` <= kMost rows.
template <bool kDecoded, int kStrips, int kMost>
void tile_of(const Panel& panel, int64_t rows) {
  if (rows == kMost) return multiply_tile<kDecoded, kStrips, kMost>(panel);
  if constexpr (kMost > 1) tile_of<kDecoded, kStrips, kMost - 1>(panel, rows);
}

// One tile of rows times all strips, kStrips at once.
template <bool kDecoded, int kStrips, int kMost>
void all_strips(const Bf16Dots& job, Panel panel, int64_t rows) {
  for (int64_t s = 0; s < job.strip_count;) {
    const bool whole = s + kStrips <= job.strip_count;
    if (whole) {
      tile_of<kDecoded, kStrips, kMost>(panel, rows);
    } else {
      tile_of<kDecoded, 1, kMost>(panel, rows);
    }
    const int64_t step = whole ? kStrips : 1;
    panel.lines += step * panel.strip_bytes;
    panel.weights += step * kStripFloats;
    panel.totals += step * kLanes;
    s += step;
  }
}

[[gnu::noinline]] void multiply(const Bf16Dots& job) {
  const bool few = job.rows <= kFewRows;
  const bool direct = job.rows <= kDirectRows;
  const int64_t most = few ? kFewRows : kTileRows;
  float* weights = job.scratch + kBf16Rows * kTotals;
  float* inputs = weights + kBf16Strips * kStripFloats;
  for (int64_t i = 0; i < job.rows * kTotals; i += kLanes) store(job.scratch + i, broadcast(0.0f));
  const int64_t strip_bytes = job.columns / 2 * kBf16LineBytes;
  for (int64_t k = 0; k < job.columns; k += kColumns) {
    Panel panel = {.lines = job.strips + k / 2 * kBf16LineBytes,
                   .strip_bytes = strip_bytes,
                   .weights = weights,
                   .inputs = inputs,
                   .pairs = (job.columns - k < kColumns ? job.columns - k : kColumns) / 2,
                   .totals = job.scratch};
    for (int64_t s = 0; !direct && s < job.strip_count; ++s)
      decode_weights(panel.lines + s * strip_bytes, panel.pairs, weights + s * kStripFloats);
    const uint16_t* codes = job.codes + k / kBf16Panel * job.pitch * kBf16Panel + k % kBf16Panel;
    int64_t row = 0;
    for (int64_t left = (job.rows + most - 1) / most; left > 0; --left) {
      // Tiles that decode are alike in size; of the others as many as can be are whole.
      const int64_t rows = direct     ? (job.rows - row + left - 1) / left
                           : left > 1 ? most
                                      : job.rows - row;
      decode_inputs(codes + row * kBf16Panel, rows, panel.pairs, inputs);
      if (few) {
        all_strips<false, kFewStrips, kFewRows>(job, panel, rows);
      } else if (direct) {
        all_strips<false, kTileStrips, kTileRows>(job, panel, rows);
      } else {
        all_strips<true, kTileStrips, kTileRows>(job, panel, rows);
      }
      panel.totals += rows * kTotals;
      row += rows;
    }
  }
}

#if defined(__x86_64__)
void bf16_dots(const Bf16Dots& job) {
  constexpr uint32_t kFlushing = 0x1f80 | 0x8040;  // masked exceptions, to nearest; FTZ and DAZ
  const uint32_t former = _mm_getcsr();
  _mm_setcsr(kFlushing);
  multiply(job);
  _mm_setcsr(former);
  write_totals(job);
}
#endif
