// A tile: rows of activations times one block of a unit of strips, over what an ISA file defines as
// Ints and Floats (block_lanes_*.inl) and add_quad(). A vector is a register of codes of one strip
// (all of its 16 rows, or one of its parts); the vectors of a tile share what is read of the
// activations, its rows share what is read of the codes.
//
// The dot product of a piece (block.h: 16 columns of a narrow sub-block, else a run of 32) begins
// with its start (BlockRows), so that the stored bytes are multiplied as they are.

constexpr int kUnitVectors = kUnitStrips * kParts;
constexpr int kStripLanes = static_cast<int>(kBlockStripRows);

// One block of kUnitStrips strips; the last of them stands twice where it has no partner.
struct Unit {
  const Ready* ready[kUnitStrips];
  const uint8_t* codes[kUnitStrips];  // packed, or those of `ready`
  Expected* expected;                 // by tiles of packed codes
  int64_t scales, minima;             // from packed codes to those of the block
};

// Whether tiles read scales and minima as the strip has them, which `ready` then lacks: with packed
// codes, where their type is known here.
template <typename Source, Drain kDrain, bool kNarrow>
constexpr bool reads_scales() {
  if (!Source::kFromStrip || kDrain == Drain::floats_zeros) return false;
  return has_integers(kDrain) || kNarrow || Source::kHalfScales;
}

// kRows rows of a group from row `first` on, times kVectors vectors of a unit from vector kVector
// on.
template <typename Source, Drain kDrain, bool kNarrow, int kRows, int kVector, int kVectors>
struct Tile {
  static constexpr bool kInteger = has_integers(kDrain);
  static constexpr int kPieces = kNarrow ? 2 : 1, kQuads = 2 / kPieces;
  using Dots = Ints[kRows][kVectors];
  using Totals = Floats[kRows][kVectors];

  static constexpr int strip_of_vector(int v) { return (kVector + v) / kParts; }
  static constexpr int part_of(int v) { return (kVector + v) % kParts; }
  static constexpr int lane_of(int v) { return part_of(v) * kPartLanes; }

  static constexpr bool kReads = reads_scales<Source, kDrain, kNarrow>();

  // What the rows of vector v have for sub-block j, in the block or in what it was made.
  [[gnu::always_inline]] static inline const uint8_t* packed(const Unit& unit, int64_t from, int v,
                                                             int64_t j) {
    constexpr int64_t kBytes = kInteger ? 1 : 2;
    return unit.codes[strip_of_vector(v)] + from + (j * kBlockStripRows + lane_of(v)) * kBytes;
  }
  [[gnu::always_inline]] static inline Floats scale_of(const Unit& unit, int v, int64_t j) {
    if constexpr (kReads && kInteger)
      return to_floats(load_signed_bytes(packed(unit, unit.scales, v, j)));
    if constexpr (kReads) return load_f16(packed(unit, unit.scales, v, j));
    return load_floats(&unit.ready[strip_of_vector(v)]->scales[j][lane_of(v)]);
  }
  [[gnu::always_inline]] static inline Floats minimum(const Unit& unit, int v, int64_t j) {
    if constexpr (kReads && kInteger) return to_floats(load_bytes(packed(unit, unit.minima, v, j)));
    if constexpr (kReads) return load_f16(packed(unit, unit.minima, v, j));
    return load_floats(&unit.ready[strip_of_vector(v)]->minima[j][lane_of(v)]);
  }

  // The products of a piece, of the first one of a run or not: kQuads quads from `quads` bytes into
  // the codes on.
  template <bool kFirst = true>
  [[gnu::always_inline]] static inline void piece(const Unit& unit, int64_t j, int64_t quads,
                                                  const int8_t* activations, const int32_t* starts,
                                                  Dots& dot) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      constexpr int32_t kBase = kInteger && kFirst ? kFloatBase : 0;
      const Ints start = broadcast_int(has_minima(kDrain) ? kBase : starts[r * kBlockSums]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        dot[r][v] = start;
        if constexpr (kDrain == Drain::floats_zeros)
          dot[r][v] =
              multiply(start, load_ints(&unit.ready[strip_of_vector(v)]->offsets[j][lane_of(v)]));
      }
    }
#pragma GCC unroll 2
    for (int q = 0; q < kQuads; ++q) {
      const uint8_t* quad[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v)
        quad[v] = unit.codes[strip_of_vector(v)] + quads + q * Source::kQuadBytes;
      add_quad<Source, kVector % kParts>(dot, quad, activations + 16 * q);
    }
  }

  // A piece's products with float scales, added to the totals.
  [[gnu::always_inline]] static inline void add_floats(const Unit& unit, int64_t j, const Dots& dot,
                                                       const float* scales, const float* sums,
                                                       Totals& total) {
    Floats scale[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) scale[v] = scale_of(unit, v, j);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Floats of_row = broadcast_float(scales[r * kBlockRuns]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v)
        total[r][v] = fused(multiply(to_floats(dot[r][v]), of_row), scale[v], total[r][v]);
    }
    if constexpr (kDrain == Drain::floats_minima) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) scale[v] = minimum(unit, v, j);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const Floats sum = broadcast_float(sums[r * kBlockSums]);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) total[r][v] = fused(sum, scale[v], total[r][v]);
      }
    }
  }

  // Integer scales times a piece's products, gathered over a run. In floats, whose multiplier is
  // faster; those of a run's first piece are floats already, kFloatOffset too large, which times
  // a scale of 8 bits is exact. Where a run has two pieces the first product fits 24 bits (65024 *
  // 128), so the sum is rounded once, as that of integers would be.
  template <bool kFirst>
  [[gnu::always_inline]] static inline void add_integers(const Unit& unit, int64_t j,
                                                         const Dots& dot, Totals& whole) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const Floats scale = scale_of(unit, v, j);
      const Floats lower = multiply(scale, broadcast_float(-kFloatOffset));
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        whole[r][v] = kFirst ? fused(as_floats(dot[r][v]), scale, lower)
                             : fused(to_floats(dot[r][v]), scale, whole[r][v]);
      }
    }
  }

  [[gnu::always_inline]] static inline void add_run(const Totals& whole, const float* scales,
                                                    Totals& product) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Floats of_row = broadcast_float(scales[r * kBlockRuns]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) product[r][v] = fused(whole[r][v], of_row, product[r][v]);
    }
  }

  // What a block of integer scales adds to the totals.
  template <int kLanes>
  [[gnu::always_inline]] static inline void add_block(const Unit& unit, const Totals& product,
                                                      const float* sums, float (*totals)[kLanes]) {
    Totals lowered;
    if constexpr (kDrain == Drain::integers_minima) {
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) lowered[r][v] = broadcast_float(0.0f);
      }
#pragma GCC unroll 4
      for (int64_t j = 0; j < (kNarrow ? 16 : kBlockRuns); ++j)
        add_minima(unit, sums + j, j, lowered);
    }
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const Ready& ready = *unit.ready[strip_of_vector(v)];
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        float* at = totals[r] + (kVector + v) * kPartLanes;
        Floats total =
            fused(product[r][v], load_floats(&ready.supers[0][lane_of(v)]), load_floats(at));
        if constexpr (kDrain == Drain::integers_minima)
          total = fused(lowered[r][v], load_floats(&ready.supers[1][lane_of(v)]), total);
        store_floats(at, total);
      }
    }
  }

  // The minima of sub-block j times the scaled sums of the rows' activations.
  [[gnu::always_inline]] static inline void add_minima(const Unit& unit, const float* sums,
                                                       int64_t j, Totals& lowered) {
    Floats least[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) least[v] = minimum(unit, v, j);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Floats sum = broadcast_float(sums[r * kBlockSums]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) lowered[r][v] = fused(least[v], sum, lowered[r][v]);
    }
  }

  template <int kLanes>
  [[gnu::always_inline]] static inline void run(const Shape& shape, const Unit& unit,
                                                const BlockRows& group, int64_t first,
                                                float (*totals)[kLanes]) {
    const BlockRows in = group.from(first);
    totals += first;
    // Totals; or, with integer scales, what the block adds to them before its super-scale.
    Totals total;
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v)
        total[r][v] =
            kInteger ? broadcast_float(0.0f) : load_floats(totals[r] + (kVector + v) * kPartLanes);
    }
    const int8_t* activations = in.codes;
    const float *scales = in.scales, *sums = in.scaled_sums;
    const int32_t* starts = in.starts;
    int64_t quads = 0;
#pragma GCC unroll 1
    for (int64_t i = 0; i < kBlockRuns; ++i) {
      if constexpr (Source::kFromStrip) {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
          if (part_of(v) == 0) unit.expected->template next<2 * Source::kQuadBytes>(i);
        }
      }
      Dots dot;
      Totals whole;  // integer scales: sum of scale times dot over the run
      if constexpr (kNarrow) {
        piece(unit, 2 * i, quads, activations, starts + 2 * i, dot);
        if constexpr (kInteger)
          add_integers<true>(unit, 2 * i, dot, whole);
        else
          add_floats(unit, 2 * i, dot, scales + i, sums + 2 * i, total);
        const int64_t j = 2 * i + 1;
        piece<false>(unit, j, quads + Source::kQuadBytes, activations + 16, starts + j, dot);
        if constexpr (kInteger)
          add_integers<false>(unit, j, dot, whole);
        else
          add_floats(unit, j, dot, scales + i, sums + j, total);
      } else {
        const int64_t j = i >> shape.run_shift;
        piece(unit, j, quads, activations, starts + i, dot);
        if constexpr (kInteger)
          add_integers<true>(unit, j, dot, whole);
        else
          add_floats(unit, j, dot, scales + i, sums + i, total);
      }
      if constexpr (kInteger) add_run(whole, scales + i, total);
      quads += 2 * Source::kQuadBytes;
      activations += kBlockRun;
    }
    if constexpr (kInteger) {
      add_block(unit, total, sums, totals);
    } else {
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v)
          store_floats(totals[r] + (kVector + v) * kPartLanes, total[r][v]);
      }
    }
  }
};
