// Products of strips and rows of activations, by tiles (block_tile.inl). Strips are taken by
// sweeps: one block of each, then the next one of each; within a block by units, strips side by
// side in a tile; its rows in tiles that differ by at most one.
//
//   1 row        codes go from the strip to registers to the product
//   2, 3 rows    likewise: bound by reading
//   few rows     likewise, by units of kPackedStrips: a line is unpacked for each tile anew
//   more rows    the codes of a block are unpacked to bytes first (4 KiB a strip, which stay in L1)

constexpr int64_t kGroupRows = 128;  // rows between two unpackings of a block

// Up to so many rows units are one strip; up to so many codes are multiplied as they are packed, in
// tiles of at most kPackedRows.
constexpr int kFewestRows = 3, kFewRows = kPackedRows > 4 ? 48 : 8;
constexpr int kPackedStrips = (kPackedVectors + kParts - 1) / kParts;

template <int kLanes>
[[gnu::always_inline]] inline void clear_totals(int64_t rows, float (*totals)[kLanes]) {
  for (int64_t m = 0; m < rows; ++m) {
    for (int lane = 0; lane < kLanes; lane += kPartLanes)
      store_floats(&totals[m][lane], broadcast_float(0.0f));
  }
}

// Lines of rows of the result that will be written soon: of `strips` from `strip` on. They lie a
// row of the result apart, so that the processor foresees none of them.
[[gnu::always_inline]] inline void expect_out(const BlockDots& job, int64_t strip, int64_t strips,
                                              int64_t row, int64_t rows) {
  for (int64_t m = row; m < row + rows; ++m) {
    const float* out = job.out + m * job.stride + strip * kBlockStripRows;
    for (int64_t n = 0; n < strips * kBlockStripRows; n += 16) prefetch_to_write(out + n);
  }
}

// Totals of rows `row` .. `row + rows` of the job's strips from `strip` on, with the bias.
template <int kLanes>
[[gnu::noinline]] void write_out(const BlockDots& job, int64_t strip, int64_t row, int64_t rows,
                                 const float (*totals)[kLanes]) {
  const int64_t first = strip * kBlockStripRows, left = job.outputs - first;
  const int64_t outputs = left < kLanes ? left : kLanes;
  const int64_t whole = outputs / kPartLanes * kPartLanes;
  const float* bias = job.bias == nullptr ? nullptr : job.bias + first;
  for (int64_t m = 0; m < rows; ++m) {
    float* out = job.out + (row + m) * job.stride + first;
    for (int64_t n = 0; n < whole; n += kPartLanes) {
      Floats total = load_floats(totals[m] + n);
      if (bias != nullptr) total = add(total, load_floats(bias + n));
      store_floats(out + n, total);
    }
    for (int64_t n = whole; n < outputs; ++n)
      out[n] = bias == nullptr ? totals[m][n] : totals[m][n] + bias[n];
  }
}

// A block whose codes are multiplied as they are packed: of its scales what tiles do not read from
// the strip itself.
template <typename Source, Drain kDrain, bool kNarrow>
[[gnu::always_inline]] inline void ready_packed(const Shape& shape, const uint8_t* block,
                                                int64_t ahead, Ready& ready) {
  if constexpr (!reads_scales<Source, kDrain, kNarrow>())
    return load_scales(shape, block, ahead, ready);
  expect_scales(shape, block, ahead);
  if constexpr (has_integers(kDrain)) load_integer_supers(shape, block, has_minima(kDrain), ready);
}

// All vectors of a unit for a tile's rows.
template <typename Source, Drain kDrain, bool kNarrow, int kRows, int kVectors, int kVector = 0,
          int kLanes>
[[gnu::always_inline]] inline void tile_vectors(const Shape& shape, const Unit& unit,
                                                const BlockRows& in, int64_t first,
                                                float (*totals)[kLanes]) {
  constexpr int kMost = Source::kFromStrip ? kPackedVectors : kTileVectors;
  constexpr int kStep = kVectors < kMost ? kVectors : kMost;
  Tile<Source, kDrain, kNarrow, kRows, kVector, kStep>::run(shape, unit, in, first, totals);
  if constexpr (kVectors > kStep)
    tile_vectors<Source, kDrain, kNarrow, kRows, kVectors - kStep, kVector + kStep>(shape, unit, in,
                                                                                    first, totals);
}

// Rows [first, first + kRows), or fewer: `rows` of them.
template <typename Source, Drain kDrain, bool kNarrow, int kVectors, int kRows, int kLanes>
[[gnu::noinline]] void tile_rows(int64_t rows, const Shape& shape, const Unit& unit,
                                 const BlockRows& in, int64_t first, float (*totals)[kLanes]) {
  if constexpr (kRows > 1) {
    if (rows < kRows)
      return tile_rows<Source, kDrain, kNarrow, kVectors, kRows - 1>(rows, shape, unit, in, first,
                                                                     totals);
  }
  tile_vectors<Source, kDrain, kNarrow, kRows, kVectors>(shape, unit, in, first, totals);
}

// All rows of a block in tiles of at most kMost rows whose sizes differ by at most one.
template <typename Source, Drain kDrain, bool kNarrow, int kVectors, int kMost, int kLanes>
[[gnu::always_inline]] inline void block_rows(const Shape& shape, const Unit& unit,
                                              const BlockRows& in, int64_t rows,
                                              float (*totals)[kLanes]) {
  if constexpr (kMost == 1)
    return tile_vectors<Source, kDrain, kNarrow, 1, kVectors>(shape, unit, in, 0, totals);
  int64_t row = 0;
  for (int64_t left = (rows + kMost - 1) / kMost; left > 0; --left) {
    const int64_t count = (rows - row + left - 1) / left;
    tile_rows<Source, kDrain, kNarrow, kVectors, kMost>(count, shape, unit, in, row, totals);
    row += count;
  }
}

// How often tiles ask, where each block has so many of them: by the first one alone it would be
// more at a time than memory gives, and wait (8 rows of Q6_K +20 %, Q4_0 +12 %, Emerald Rapids).
[[gnu::always_inline]] inline int64_t seldom(int64_t tiles) {
  return tiles >= 8 ? 7 : tiles >= 4 ? 3 : tiles >= 2 ? 1 : 0;
}

// A sweep of units of kStrips strips, rows in tiles of at most kMost; what lies `kDistance` bytes
// ahead is asked for.
template <typename Source, Drain kDrain, bool kNarrow, int kStrips, int kMost, int64_t kDistance>
void few_rows(const Sweep& sweep, const Shape& shape) {
  constexpr int kTotals = kMost == 1 ? 1 : kFewRows;
  const BlockDots& job = sweep.job;
  const Ahead far = ahead_by(sweep, shape.at.bytes, kDistance);
  Ready ready[kStrips];
  alignas(64) float totals[kSweepUnits][kTotals][kStrips * kStripLanes];
  const int64_t strips = kSweepUnits * kStrips == 1 ? 1 : job.strips;
  const int64_t units = (strips + kStrips - 1) / kStrips;
  for (int64_t u = 0; u < units; ++u) clear_totals(job.rows, totals[u]);
  for (int64_t b = 0; b < job.blocks; ++b) {
    const int64_t ahead = far.of(sweep, b);
    Expected expected = {sweep.block(0, b, shape) + ahead, job.strip_bytes, strips, strips,
                         kMost == 1 ? 0 : seldom((job.rows + kMost - 1) / kMost)};
    for (int64_t u = 0; u < units; ++u) {
      if (b + 1 == job.blocks) expect_out(job, u * kStrips, kStrips, 0, job.rows);
      Unit unit;
      unit.expected = &expected;
      unit.scales = shape.at.scales;
      unit.minima = shape.at.minima;
      for (int s = 0; s < kStrips; ++s) {
        const bool own = u * kStrips + s < strips;
        unit.codes[s] = sweep.block(u * kStrips + (own ? s : s - 1), b, shape);
        unit.ready[s] = &ready[own ? s : s - 1];
        if (own) ready_packed<Source, kDrain, kNarrow>(shape, unit.codes[s], ahead, ready[s]);
      }
      block_rows<Source, kDrain, kNarrow, kStrips * kParts, kMost>(
          shape, unit, inputs_at(job, shape, b, 0), job.rows, totals[u]);
    }
  }
  for (int64_t u = 0; u < units; ++u) write_out(job, u * kStrips, 0, job.rows, totals[u]);
}

template <Range kRange, Drain kDrain, bool kNarrow>
[[gnu::noinline]] void many_rows(const Sweep& sweep, const Shape& shape, UnpackCodes* unpack) {
  constexpr int kRows = kNarrow ? kNarrowRows : kUnpackedRows;
  const BlockDots& job = sweep.job;
  const Ahead far = ahead_by(sweep, shape.at.bytes, job.strips * kAheadOfUnpacking);
  Ready ready[kUnitStrips];
  alignas(64) float totals[kGroupRows][kUnitStrips * kStripLanes];
  for (int64_t row = 0; row < job.rows; row += kGroupRows) {
    const int64_t rows = job.rows - row < kGroupRows ? job.rows - row : kGroupRows;
    clear_totals(rows, totals);
    for (int64_t b = 0; b < job.blocks; ++b) {
      const BlockRows in = inputs_at(job, shape, b, row);
      Unit unit = {};
      for (int s = 0; s < kUnitStrips; ++s) {
        const bool own = s < job.strips;
        unit.ready[s] = &ready[own ? s : s - 1];
        unit.codes[s] = unit.ready[s]->codes;
        if (!own) continue;
        const uint8_t* block = sweep.block(s, b, shape);
        const int64_t ahead = far.of(sweep, b);
        load_scales(shape, block, ahead, ready[s]);
        unpack(block, ahead, ready[s].codes);
      }
      if (b + 1 == job.blocks) expect_out(job, 0, job.strips, row, rows);
      block_rows<Unpacked<kRange>, kDrain, kNarrow, kUnitVectors, kRows>(shape, unit, in, rows,
                                                                         totals);
    }
    write_out(job, 0, row, rows, totals);
  }
}

template <Codes kCodes, Drain kDrain, bool kNarrow = false>
void any_rows(const BlockDots& job) {
  static_assert(!has_minima(kDrain) || bias_of(kCodes) == 0);
  using Source = Packed<kCodes>;
  using RowSource = PackedForRow<kCodes>;
  constexpr int kMost = kNarrow ? kPackedNarrowRows : kPackedRows;
  const Shape shape = shape_of(*job.layout, bias_of(kCodes));
  if (job.rows == 1) {
    by_sweeps(job, kSweepUnits, [&](const Sweep& sweep) {
      few_rows<RowSource, kDrain, kNarrow, 1, 1, kAheadOfRow>(sweep, shape);
    });
  } else if (job.rows <= kFewestRows) {
    by_sweeps(job, kSweepUnits, [&](const Sweep& sweep) {
      few_rows<Source, kDrain, kNarrow, 1, kFewestRows, kAheadOfUnpacking>(sweep, shape);
    });
  } else if (job.rows <= kFewRows) {
    by_sweeps(job, kSweepUnits * kPackedStrips, [&](const Sweep& sweep) {
      few_rows<Source, kDrain, kNarrow, kPackedStrips, kMost, kAheadOfUnpacking>(sweep, shape);
    });
  } else {
    by_sweeps(job, kUnitStrips, [&](const Sweep& sweep) {
      many_rows<range_of(kCodes), kDrain, kNarrow>(sweep, shape, unpack_codes<kCodes>);
    });
  }
}

void nibble_dots(const BlockDots& job) {
  switch (job.layout->scales) {
    case BlockScales::f16_zeros:
    case BlockScales::bf16_zeros:
      return any_rows<Codes::bits_4, Drain::floats_zeros>(job);
    case BlockScales::f16_minima:
      return any_rows<Codes::bits_4, Drain::floats_minima>(job);
    case BlockScales::integer_minima:
      return any_rows<Codes::bits_4, Drain::integers_minima>(job);
    default:
      return any_rows<Codes::bits_4, Drain::floats>(job);
  }
}

// Formats of codebooks of vectors (IQ1 to IQ3): integer scales.
void grid_dots(const BlockDots& job) {
  const bool narrow = job.layout->sub == 16;
  switch (job.layout->codebook) {
    case BlockCodebook::iq3_xxs:
      return any_rows<Codes::iq3_xxs, Drain::integers>(job);
    case BlockCodebook::iq3_s:
      return any_rows<Codes::iq3_s, Drain::integers>(job);
    case BlockCodebook::iq2:
      if (narrow) return any_rows<Codes::iq2, Drain::integers, true>(job);
      return any_rows<Codes::iq2, Drain::integers>(job);
    default:
      if (narrow) return any_rows<Codes::iq1, Drain::integers, true>(job);
      return any_rows<Codes::iq1, Drain::integers>(job);
  }
}

// Every pair of codes and scales that a layout has (block_layouts()).
void dots(const BlockDots& job) {
  const BlockLayout& layout = *job.layout;
  const bool zeros =
      layout.scales == BlockScales::f16_zeros || layout.scales == BlockScales::bf16_zeros;
  if (layout.codebook == BlockCodebook::iq4_nl) {
    if (layout.scales == BlockScales::integer) return any_rows<Codes::iq4_nl, Drain::integers>(job);
    return any_rows<Codes::iq4_nl, Drain::floats>(job);
  }
  if (layout.codebook == BlockCodebook::fp4) {
    if (layout.sub == 16) return any_rows<Codes::fp4, Drain::floats, true>(job);
    return any_rows<Codes::fp4, Drain::floats>(job);
  }
  if (layout.codebook != BlockCodebook::none) return grid_dots(job);
  switch (layout.code_bits) {
    case 1:
      return any_rows<Codes::bits_1_doubled, Drain::floats>(job);
    case 2:
      if (zeros) return any_rows<Codes::bits_2, Drain::floats_zeros>(job);
      if (layout.scales == BlockScales::integer_minima)
        return any_rows<Codes::bits_2, Drain::integers_minima, true>(job);
      return any_rows<Codes::bits_2, Drain::floats>(job);
    case 3:
      if (zeros) return any_rows<Codes::bits_3, Drain::floats_zeros>(job);
      return any_rows<Codes::bits_3, Drain::integers, true>(job);
    case 4:
      return nibble_dots(job);
    case 5:
      if (layout.scales == BlockScales::integer_minima)
        return any_rows<Codes::bits_5, Drain::integers_minima>(job);
      if (layout.scales == BlockScales::f16_minima)
        return any_rows<Codes::bits_5, Drain::floats_minima>(job);
      return any_rows<Codes::bits_5, Drain::floats>(job);
    case 6:
      return any_rows<Codes::bits_6, Drain::integers, true>(job);
    default:
      if (zeros) return any_rows<Codes::bits_8, Drain::floats_zeros>(job);
      return any_rows<Codes::bits_8, Drain::floats>(job);
  }
}
