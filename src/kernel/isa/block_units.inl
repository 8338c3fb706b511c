// Products of strips and rows of activations, by tiles (block_tile.inl). Strips are taken by units
// of kUnitStrips, blocks of a unit in order, rows of a block in tiles that differ by at most one.
//
//   1 row        one strip at a time, codes from the strip to registers to the product
//   2, 3 rows    likewise: bound by reading, which is fastest from one place
//   few rows     a unit at a time, codes likewise: a line is unpacked for each tile anew, beside
//                the multipliers, which it does not slow down
//   more rows    the codes of a block are unpacked to bytes first (4 KiB a strip, which stay in L1)

constexpr int64_t kGroupRows = 128;  // rows between two unpackings of a block

// Up to so many rows one strip at a time is read, as fast as memory gives it; up to so many codes
// are multiplied as they are packed, in tiles of at most kPackedRows.
constexpr int64_t kFewestRows = 3, kFewRows = kPackedRows > 4 ? 48 : 8;

// Strips [first, first + kUnitStrips) of a job.
struct UnitJob {
  BlockDots job;  // its strip: the first; bias and out likewise
  int64_t strips;
  int64_t second;     // from the first strip to the last one of the unit
  int64_t next_unit;  // bytes to the strip that is multiplied after this unit
};

[[gnu::always_inline]] inline UnitJob unit_of(const BlockDots& job, int64_t strip, int most) {
  UnitJob unit = {strip_of(job, strip), 1, 0, job.strip_bytes};
  if (most == 2 && strip + 1 < job.strips) {
    unit.strips = 2;
    unit.second = job.strip_bytes;
    unit.next_unit = 2 * job.strip_bytes;
    const int64_t left = job.outputs - strip * kBlockStripRows;
    unit.job.outputs = left < 2 * kBlockStripRows ? left : 2 * kBlockStripRows;
  }
  return unit;
}

// From blocks of a unit's strips to what is to be asked for meanwhile.
struct Ahead {
  int64_t blocks;            // so many ahead in the strip
  int64_t bytes, next_unit;  // that is here, and behind the strip's end in the next unit's

  [[gnu::always_inline]] inline int64_t of(const UnitJob& unit, int64_t block) const {
    return block + blocks < unit.job.blocks ? bytes : next_unit;
  }
};

[[gnu::always_inline]] inline Ahead ahead_by(const UnitJob& unit, int64_t block_bytes,
                                             int64_t distance) {
  const int64_t blocks = (distance + block_bytes - 1) / block_bytes, bytes = blocks * block_bytes;
  return {blocks, bytes, bytes + unit.next_unit - unit.job.blocks * block_bytes};
}

[[gnu::always_inline]] inline void clear_totals(int64_t rows, float (*totals)[kUnitLanes]) {
  for (int64_t m = 0; m < rows; ++m) {
    for (int lane = 0; lane < kUnitLanes; lane += kPartLanes)
      store_floats(&totals[m][lane], broadcast_float(0.0f));
  }
}

// Lines of rows of the result that will be written soon. They lie a row of the result apart, so
// that the processor foresees none of them.
[[gnu::always_inline]] inline void expect_out(const UnitJob& unit, int64_t row, int64_t rows) {
  for (int64_t m = row; m < row + rows; ++m) {
    const float* out = unit.job.out + m * unit.job.stride;
    for (int64_t n = 0; n < unit.strips * kBlockStripRows; n += 16) prefetch_to_write(out + n);
  }
}

// Totals of rows `row` .. `row + rows`, with the bias.
[[gnu::noinline]] void write_out(const UnitJob& unit, int64_t row, int64_t rows,
                                 const float (*totals)[kUnitLanes]) {
  const BlockDots& job = unit.job;
  const int64_t whole = job.outputs / kPartLanes * kPartLanes;
  for (int64_t m = 0; m < rows; ++m) {
    float* out = job.out + (row + m) * job.stride;
    for (int64_t n = 0; n < whole; n += kPartLanes) {
      Floats total = load_floats(totals[m] + n);
      if (job.bias != nullptr) total = add(total, load_floats(job.bias + n));
      store_floats(out + n, total);
    }
    for (int64_t n = whole; n < job.outputs; ++n)
      out[n] = job.bias == nullptr ? totals[m][n] : totals[m][n] + job.bias[n];
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
template <typename Source, Drain kDrain, bool kNarrow, int kRows, int kVectors, int kVector = 0>
[[gnu::always_inline]] inline void tile_vectors(const Shape& shape, const Unit& unit,
                                                const BlockRows& in, int64_t first,
                                                float (*totals)[kUnitLanes]) {
  constexpr int kMost = Source::kFromStrip ? kPackedVectors : kTileVectors;
  constexpr int kStep = kVectors < kMost ? kVectors : kMost;
  Tile<Source, kDrain, kNarrow, kRows, kVector, kStep>::run(shape, unit, in, first, totals);
  if constexpr (kVectors > kStep)
    tile_vectors<Source, kDrain, kNarrow, kRows, kVectors - kStep, kVector + kStep>(shape, unit, in,
                                                                                    first, totals);
}

// Rows [first, first + kRows), or fewer: `rows` of them.
template <typename Source, Drain kDrain, bool kNarrow, int kVectors, int kRows>
[[gnu::noinline]] void tile_rows(int64_t rows, const Shape& shape, const Unit& unit,
                                 const BlockRows& in, int64_t first, float (*totals)[kUnitLanes]) {
  if constexpr (kRows > 1) {
    if (rows < kRows)
      return tile_rows<Source, kDrain, kNarrow, kVectors, kRows - 1>(rows, shape, unit, in, first,
                                                                     totals);
  }
  tile_vectors<Source, kDrain, kNarrow, kRows, kVectors>(shape, unit, in, first, totals);
}

// All rows of a block in tiles of at most kMost rows whose sizes differ by at most one. What codes
// are asked for is spread over the tiles: by the first one alone it would be more at a time than
// memory gives, and wait (8 rows of Q6_K +20 %, Q4_0 +12 %, Emerald Rapids).
template <typename Source, Drain kDrain, bool kNarrow, int kVectors, int kMost>
[[gnu::always_inline]] inline void block_rows(const Shape& shape, const Unit& unit,
                                              const BlockRows& in, int64_t rows,
                                              float (*totals)[kUnitLanes]) {
  int64_t row = 0, left = (rows + kMost - 1) / kMost;
  Unit own = unit;
  own.spread = left >= 8 ? 3 : left >= 4 ? 2 : left >= 2 ? 1 : 0;
  const int64_t part = kBlockColumns / 16 * Source::kQuadBytes >> own.spread;
  for (; left > 0; --left, own.ahead += part) {
    const int64_t count = (rows - row + left - 1) / left;
    tile_rows<Source, kDrain, kNarrow, kVectors, kMost>(count, shape, own, in, row, totals);
    row += count;
  }
}

template <Codes kCodes, Drain kDrain, bool kNarrow>
void one_row(const UnitJob& unit_job, const Shape& shape) {
  using Source = PackedForRow<kCodes>;
  const BlockDots& job = unit_job.job;
  Ready ready;
  alignas(64) float totals[1][kUnitLanes];
  const Ahead far = ahead_by(unit_job, shape.at.bytes, kAheadOfRow);
  clear_totals(1, totals);
  for (int64_t b = 0; b < job.blocks; ++b) {
    const uint8_t* block = job.strip + b * shape.at.bytes;
    const int64_t ahead = far.of(unit_job, b);
    ready_packed<Source, kDrain, kNarrow>(shape, block, ahead, ready);
    Unit unit;
    unit.ahead = ahead;
    unit.spread = 0;
    unit.scales = shape.at.scales;
    unit.minima = shape.at.minima;
    for (int s = 0; s < kUnitStrips; ++s) {
      unit.ready[s] = &ready;
      unit.codes[s] = block;
    }
    tile_vectors<Source, kDrain, kNarrow, 1, kParts>(shape, unit, inputs_at(job, shape, b, 0), 0,
                                                     totals);
  }
  write_out(unit_job, 0, 1, totals);
}

template <Codes kCodes, Drain kDrain, bool kNarrow, int kStrips>
void few_rows(const UnitJob& unit_job, const Shape& shape) {
  constexpr int kMost = kStrips < kUnitStrips ? static_cast<int>(kFewestRows)
                        : kNarrow             ? kPackedNarrowRows
                                              : kPackedRows;
  const BlockDots& job = unit_job.job;
  const Ahead far = ahead_by(unit_job, shape.at.bytes, kAheadOfUnpacking / kStrips);
  Ready ready[kStrips];
  alignas(64) float totals[kFewRows][kUnitLanes];
  clear_totals(job.rows, totals);
  for (int64_t b = 0; b < job.blocks; ++b) {
    if (b + 1 == job.blocks) expect_out(unit_job, 0, job.rows);
    Unit unit;
    unit.ahead = far.of(unit_job, b);
    unit.scales = shape.at.scales;
    unit.minima = shape.at.minima;
    for (int s = 0; s < kStrips; ++s) {
      const bool own = s < unit_job.strips;
      unit.codes[s] = job.strip + (own ? s : s - 1) * unit_job.second + b * shape.at.bytes;
      unit.ready[s] = &ready[own ? s : s - 1];
      if (own)
        ready_packed<Packed<kCodes>, kDrain, kNarrow>(shape, unit.codes[s], unit.ahead, ready[s]);
    }
    block_rows<Packed<kCodes>, kDrain, kNarrow, kStrips * kParts, kMost>(
        shape, unit, inputs_at(job, shape, b, 0), job.rows, totals);
  }
  write_out(unit_job, 0, job.rows, totals);
}

template <Range kRange, Drain kDrain, bool kNarrow>
[[gnu::noinline]] void many_rows(const UnitJob& unit_job, const Shape& shape, UnpackCodes* unpack) {
  constexpr int kRows = kNarrow ? kNarrowRows : kUnpackedRows;
  const BlockDots& job = unit_job.job;
  const Ahead far = ahead_by(unit_job, shape.at.bytes, kAheadOfUnpacking);
  Ready ready[kUnitStrips];
  alignas(64) float totals[kGroupRows][kUnitLanes];
  for (int64_t row = 0; row < job.rows; row += kGroupRows) {
    const int64_t rows = job.rows - row < kGroupRows ? job.rows - row : kGroupRows;
    clear_totals(rows, totals);
    for (int64_t b = 0; b < job.blocks; ++b) {
      const BlockRows in = inputs_at(job, shape, b, row);
      Unit unit = {};
      for (int s = 0; s < kUnitStrips; ++s) {
        const bool own = s < unit_job.strips;
        unit.ready[s] = &ready[own ? s : s - 1];
        unit.codes[s] = unit.ready[s]->codes;
        if (!own) continue;
        const uint8_t* block = job.strip + s * unit_job.second + b * shape.at.bytes;
        const int64_t ahead = far.of(unit_job, b);
        load_scales(shape, block, ahead, ready[s]);
        unpack(block, ahead, ready[s].codes);
      }
      if (b + 1 == job.blocks) expect_out(unit_job, row, rows);
      block_rows<Unpacked<kRange>, kDrain, kNarrow, kUnitVectors, kRows>(shape, unit, in, rows,
                                                                         totals);
    }
    write_out(unit_job, row, rows, totals);
  }
}

template <Codes kCodes, Drain kDrain, bool kNarrow = false>
void any_rows(const BlockDots& job) {
  static_assert(!has_minima(kDrain) || bias_of(kCodes) == 0);
  const Shape shape = shape_of(*job.layout, bias_of(kCodes));
  const int most = job.rows <= kFewestRows ? 1 : kUnitStrips;
  for (int64_t s = 0; s < job.strips; s += most) {
    const UnitJob unit = unit_of(job, s, most);
    if (job.rows == 1)
      one_row<kCodes, kDrain, kNarrow>(unit, shape);
    else if (job.rows <= kFewestRows)
      few_rows<kCodes, kDrain, kNarrow, 1>(unit, shape);
    else if (job.rows <= kFewRows)
      few_rows<kCodes, kDrain, kNarrow, kUnitStrips>(unit, shape);
    else
      many_rows<range_of(kCodes), kDrain, kNarrow>(unit, shape, unpack_codes<kCodes>);
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
