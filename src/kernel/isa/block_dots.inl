// Products of strips and rows of activations for instruction sets without vpdpbusd
// (block_units.inl has it), over what an ISA file defines as Ints and Floats (block_lanes_*.inl)
// and dot_quad(): a quad at a time, as vpmaddubsw needs it to gather pairs.
//
// One row: codes go from the strip to registers to the product, a block's scales by way of the
// stack, blocks of all strips of a job in turn. More rows: a block is unpacked to bytes once (4
// KiB, which stay in L1), then tiles of rows pass over it; what they have gathered from earlier
// blocks waits in `totals`.
//
// The dot product of a piece (block.h: 16 columns of a narrow sub-block, else a run of 32) begins
// with its start (BlockRows), so that the stored bytes are multiplied as they are.

constexpr int64_t kGroupRows = 128;  // rows between two unpackings of a block

// What a block of integer scales adds to the totals.
template <Drain kDrain, bool kNarrow, int kRows>
[[gnu::always_inline]] inline void add_block(const Ready& ready, int lane,
                                             const Floats (&product)[kRows], const float* sums,
                                             float (*totals)[kBlockStripRows]) {
  const Floats super = load_floats(&ready.supers[0][lane]);
  Floats lowered[kRows];
  if constexpr (kDrain == Drain::integers_minima) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) lowered[r] = broadcast_float(0.0f);
    for (int64_t j = 0; j < (kNarrow ? 16 : kBlockRuns); ++j) {
      const Floats minimum = load_floats(&ready.minima[j][lane]);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r)
        lowered[r] = fused(minimum, broadcast_float(sums[r * kBlockSums + j]), lowered[r]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    float* at = totals[r] + lane;
    Floats total = fused(product[r], super, load_floats(at));
    if constexpr (kDrain == Drain::integers_minima)
      total = fused(lowered[r], load_floats(&ready.supers[1][lane]), total);
    store_floats(at, total);
  }
}

// The products of piece `j` with kRows rows: kQuads quads from `quad` on.
template <typename Source, Drain kDrain, int kQuads, int kRows>
[[gnu::always_inline]] inline void piece_dots(const Ready& ready, int64_t offset_row, bool first,
                                              int part, const uint8_t* quad,
                                              const int8_t* activations, const int32_t* starts,
                                              Ints (&dot)[kRows]) {
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    const int32_t base = has_integers(kDrain) && first ? kFloatBase : 0;
    dot[r] = broadcast_int(has_minima(kDrain) ? base : starts[r * kBlockSums]);
    if constexpr (kDrain == Drain::floats_zeros)
      dot[r] = multiply(dot[r], load_ints(&ready.offsets[offset_row][part * kPartLanes]));
  }
#pragma GCC unroll 2
  for (int q = 0; q < kQuads; ++q) {
    const Quad weights = load_quad<Source>(quad, part);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r)
      dot[r] = dot_quad<Source::kRange>(dot[r], weights, activations + r * kBlockColumns, r);
    quad += Source::kQuadBytes;
    activations += 16;
  }
}

// kRows rows from row `first` of a group on, times one block: added to their totals. kNarrow: a
// run is two pieces of 16 columns, else one of 32. `expected`: by packed codes.
template <typename Source, Drain kDrain, bool kNarrow, int kRows>
[[gnu::always_inline]] inline void block_tile(const Shape& shape, const Ready& ready,
                                              const uint8_t* codes, const BlockRows& group,
                                              int64_t first, float (*totals)[kBlockStripRows],
                                              Expected* expected = nullptr) {
  constexpr bool kInteger = has_integers(kDrain);
  constexpr int kPieces = kNarrow ? 2 : 1, kQuads = 2 / kPieces;
  const BlockRows in = group.from(first);
  totals += first;
  for (int part = 0; part < kParts; ++part) {
    const int lane = part * kPartLanes;
    // Totals; or, with integer scales, what the block adds to them before its super-scale.
    Floats total[kRows];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r)
      total[r] = kInteger ? broadcast_float(0.0f) : load_floats(totals[r] + lane);
    const uint8_t* quad = codes;
    const int8_t* activations = in.codes;
    const float *scales = in.scales, *sums = in.scaled_sums;
    const int32_t* starts = in.starts;
#pragma GCC unroll 1
    for (int64_t i = 0; i < kBlockRuns; ++i, ++scales) {
      if (Source::kFromStrip && part == 0) expected->next<2 * Source::kQuadBytes>(i);
      Floats whole[kRows];  // integer scales: sum of scale times dot over the run
#pragma GCC unroll 2
      for (int piece = 0; piece < kPieces; ++piece, ++starts, ++sums) {
        const int64_t j = kNarrow ? 2 * i + piece : i >> shape.run_shift;
        Ints dot[kRows];
        piece_dots<Source, kDrain, kQuads>(ready, j, piece == 0, part, quad, activations, starts,
                                           dot);
        quad += kQuads * Source::kQuadBytes;
        activations += kQuads * 16;
        const Floats scale = load_floats(&ready.scales[j][lane]);
        if constexpr (kInteger) {
          // In floats: a first product is one already, kFloatOffset too large, and fits 24 bits, so
          // the sum is rounded once.
          const Floats lower = multiply(scale, broadcast_float(-kFloatOffset));
#pragma GCC unroll 16
          for (int r = 0; r < kRows; ++r) {
            whole[r] = piece == 0 ? fused(as_floats(dot[r]), scale, lower)
                                  : fused(to_floats(dot[r]), scale, whole[r]);
          }
        } else {
#pragma GCC unroll 16
          for (int r = 0; r < kRows; ++r) {
            const Floats product =
                multiply(to_floats(dot[r]), broadcast_float(scales[r * kBlockRuns]));
            total[r] = fused(product, scale, total[r]);
          }
        }
        if constexpr (kDrain == Drain::floats_minima) {
          const Floats minimum = load_floats(&ready.minima[j][lane]);
#pragma GCC unroll 16
          for (int r = 0; r < kRows; ++r)
            total[r] = fused(broadcast_float(sums[r * kBlockSums]), minimum, total[r]);
        }
      }
      if constexpr (kInteger) {
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r)
          total[r] = fused(whole[r], broadcast_float(scales[r * kBlockRuns]), total[r]);
      }
    }
    if constexpr (kInteger) add_block<kDrain, kNarrow>(ready, lane, total, in.scaled_sums, totals);
    if constexpr (!kInteger) {
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) store_floats(totals[r] + lane, total[r]);
    }
  }
}

[[gnu::always_inline]] inline void clear_totals(int64_t rows, float (*totals)[kBlockStripRows]) {
  for (int64_t m = 0; m < rows; ++m) {
    for (int part = 0; part < kParts; ++part)
      store_floats(&totals[m][part * kPartLanes], broadcast_float(0.0f));
  }
}

// Totals of rows `row` .. `row + rows`, with the bias.
void write_out(const BlockDots& job, int64_t row, int64_t rows,
               const float (*totals)[kBlockStripRows]) {
  for (int64_t m = 0; m < rows; ++m) {
    float* out = job.out + (row + m) * job.stride;
    const float* total = totals[m];
    if (job.bias == nullptr) {
      for (int64_t n = 0; n < job.outputs; ++n) out[n] = total[n];
    } else {
      for (int64_t n = 0; n < job.outputs; ++n) out[n] = total[n] + job.bias[n];
    }
  }
}

template <Codes kCodes, Drain kDrain>
void one_row(const Sweep& sweep, const Shape& shape) {
  const BlockDots& job = sweep.job;
  const Ahead far = ahead_by(sweep, shape.at.bytes, kAheadOfRow);
  Ready ready;
  alignas(64) float totals[kBlockStrips][1][kBlockStripRows];
  for (int64_t s = 0; s < job.strips; ++s) clear_totals(1, totals[s]);
  for (int64_t b = 0; b < job.blocks; ++b) {
    const BlockRows in = inputs_at(job, shape, b, 0);
    const int64_t ahead = far.of(sweep, b);
    Expected expected = {sweep.block(0, b, shape) + ahead, job.strip_bytes, job.strips, job.strips,
                         0};
    for (int64_t s = 0; s < job.strips; ++s) {
      const uint8_t* block = sweep.block(s, b, shape);
      load_scales(shape, block, ahead, ready);
      if (shape.narrow)
        block_tile<Packed<kCodes>, kDrain, true, 1>(shape, ready, block, in, 0, totals[s],
                                                    &expected);
      else
        block_tile<Packed<kCodes>, kDrain, false, 1>(shape, ready, block, in, 0, totals[s],
                                                     &expected);
    }
  }
  for (int64_t s = 0; s < job.strips; ++s) write_out(strip_of(job, s), 0, 1, totals[s]);
}

// Rows from `first` on of a group, times the block that is ready: as many tiles of kRows as there
// are, and what is left over by smaller ones.
template <Range kRange, Drain kDrain, bool kNarrow, int kRows>
void unpacked_rows(const Shape& shape, const Ready& ready, const BlockRows& in, int64_t first,
                   int64_t rows, float (*totals)[kBlockStripRows]) {
  for (; first + kRows <= rows; first += kRows) {
    block_tile<Unpacked<kRange>, kDrain, kNarrow, kRows>(shape, ready, ready.codes, in, first,
                                                         totals);
  }
  if constexpr (kRows > 1) {
    constexpr int kFewer = kRows > 8 ? 8 : kRows / 2;
    unpacked_rows<kRange, kDrain, kNarrow, kFewer>(shape, ready, in, first, rows, totals);
  }
}

template <Range kRange, Drain kDrain>
void unpacked(const Shape& shape, const Ready& ready, const BlockRows& in, int64_t rows,
              float (*totals)[kBlockStripRows]) {
  if (shape.narrow)
    unpacked_rows<kRange, kDrain, true, kTileRows>(shape, ready, in, 0, rows, totals);
  else
    unpacked_rows<kRange, kDrain, false, kTileRows>(shape, ready, in, 0, rows, totals);
}

template <Range kRange, Drain kDrain>
void many_rows(const BlockDots& job, const Shape& shape, UnpackCodes* unpack) {
  Ready ready;
  alignas(64) float totals[kGroupRows][kBlockStripRows];
  for (int64_t row = 0; row < job.rows; row += kGroupRows) {
    const int64_t rows = job.rows - row < kGroupRows ? job.rows - row : kGroupRows;
    clear_totals(rows, totals);
    for (int64_t b = 0; b < job.blocks; ++b) {
      const uint8_t* block = job.strip + b * shape.at.bytes;
      const BlockRows in = inputs_at(job, shape, b, row);
      load_scales(shape, block, kAheadOfUnpacking, ready);
      unpack(block, kAheadOfUnpacking, ready.codes);
      unpacked<kRange, kDrain>(shape, ready, in, rows, totals);
    }
    write_out(job, row, rows, totals);
  }
}

template <Codes kCodes, Drain kDrain>
[[gnu::always_inline]] inline void any_rows(const BlockDots& job) {
  const Shape shape = shape_of(*job.layout, bias_of(kCodes));
  if (job.rows == 1) {
    by_sweeps(job, kBlockStrips,
              [&](const Sweep& sweep) { one_row<kCodes, kDrain>(sweep, shape); });
  } else {
    by_sweeps(job, 1, [&](const Sweep& sweep) {
      many_rows<range_of(kCodes), kDrain>(sweep.job, shape, unpack_codes<kCodes>);
    });
  }
}

template <Codes kCodes>
void dots_of(const BlockDots& job) {
  switch (job.layout->scales) {
    case BlockScales::f16:
    case BlockScales::e8m0:
      return any_rows<kCodes, Drain::floats>(job);
    case BlockScales::f16_zeros:
    case BlockScales::bf16_zeros:
      return any_rows<kCodes, Drain::floats_zeros>(job);
    case BlockScales::f16_minima:
      return any_rows<kCodes, Drain::floats_minima>(job);
    case BlockScales::integer:
      return any_rows<kCodes, Drain::integers>(job);
    case BlockScales::integer_minima:
      return any_rows<kCodes, Drain::integers_minima>(job);
  }
}

void dots(const BlockDots& job) {
  switch (codes_of(*job.layout)) {
    case Codes::bits_1:
      return dots_of<Codes::bits_1>(job);
    case Codes::bits_1_doubled:
      return dots_of<Codes::bits_1_doubled>(job);
    case Codes::bits_2:
      return dots_of<Codes::bits_2>(job);
    case Codes::bits_3:
      return dots_of<Codes::bits_3>(job);
    case Codes::bits_4:
      return dots_of<Codes::bits_4>(job);
    case Codes::bits_5:
      return dots_of<Codes::bits_5>(job);
    case Codes::bits_6:
      return dots_of<Codes::bits_6>(job);
    case Codes::bits_8:
      return dots_of<Codes::bits_8>(job);
    case Codes::iq4_nl:
      return dots_of<Codes::iq4_nl>(job);
    case Codes::fp4:
      return dots_of<Codes::fp4>(job);
    case Codes::iq3_xxs:
      return any_rows<Codes::iq3_xxs, Drain::integers>(job);
    case Codes::iq3_s:
      return any_rows<Codes::iq3_s, Drain::integers>(job);
    case Codes::iq2:
      return any_rows<Codes::iq2, Drain::integers>(job);
    case Codes::iq1:
      return any_rows<Codes::iq1, Drain::integers>(job);
  }
}
