// Block formats on AMX int8, for 16 rows and more; fewer go to the AVX-512 kernel. Written from the
// manual, tested in software; its speed has not been measured. The arithmetic
// of kernel/block.h wants a float step for each run of 32 columns, so a tile of sums is stored and
// converted after every run (of a narrow format, 16 columns): its 16 rows are rows of activations,
// each the vector of 16 outputs that the AVX-512 kernel has in an accumulator.
//
//   A  16 rows x 32 codes of activations, as they lie          C  16 rows x 16 outputs, int32
//   B  8 rows of 64 bytes: row r holds byte 4n + i = weight of output n, column 4r + i; a strip's
//      block unpacked to bytes once for 128 rows (block.h's vectors, one after another)
//
// Weights are unpacked to what they are worth, code - zero (or level), and multiplied signed, so
// that nothing is added for a zero; with zero points of their own (GPTQ) the codes are multiplied
// unsigned and offset * (sum of activations) is added in float, exactly. Integer scales multiply
// in float too: dot * scale has at most 24 bits, or is rounded once as the int32 would be.
//
// Eight products, 8 KiB of sums, make a step: 16 rows x 8 runs of a strip, or x 4 of two (narrow:
// 4, 2). While one step's sums are converted, the next one's products are made, a tile for each 16
// vectors: sums are read a step after they were stored. Two strips share what is read of the
// activations.
//
// Counted, per 16 rows x 16 outputs x 32 columns of two strips, cycles by unit (two 512-bit ports,
// two loads and one store a cycle; a product 16 cycles by measurement, whatever its depth):
//                     wide                                           narrow
//   multiplier        16                                             32
//   vector ports      24 = 16 x (vcvtdq2ps, vmulps, vfmadd) / 2      integer scales 40, floats 48
//                     32 with minima or zeros                        56 with minima
//   loads             22 = (8 A + 8 B + 16 C + 8 scales + 4 totals) / 2, 26 with minima    36, 44
//   stores            20 = 16 C + 4 totals                           40
// The vpdpbusd kernel takes 64 for the products alone.

#if defined(__GNUC__) && !defined(__clang__)
// gcc 12's _mm512_undefined_* are variables initialised with themselves, and it warns about them.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/block.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/block_lanes_avx512.inl"

constexpr int kPrefetchLocality = 2;  // as block_avx512dual.cc

#include "kernel/isa/block_codes.inl"
#include "kernel/isa/block_scales.inl"
#include "kernel/isa/tiles.inl"

constexpr int kTile = 16;           // rows of a tile, and its outputs
constexpr int64_t kGroupTiles = 8;  // tiles of rows between two unpackings of a block
constexpr int64_t kGroupRows = kGroupTiles * kTile;
constexpr int kStepTiles = 8;
constexpr int kTurns = 4;  // tiles of sums that take turns

// What the loops are compiled for: the drain, sub-blocks of 16 columns, strips side by side.
template <Drain kItsDrain, bool kItsNarrow, int kItsStrips>
struct Form {
  static constexpr Drain kDrain = kItsDrain;
  static constexpr bool kNarrow = kItsNarrow;
  static constexpr int kStrips = kItsStrips;
  static constexpr bool kIntegers = has_integers(kDrain);
  static constexpr bool kZeros = kDrain == Drain::floats_zeros;
  static constexpr int kPieces = kNarrow ? 2 : 1;  // of a run, one product each
  static constexpr int kPieceColumns = static_cast<int>(kBlockRun) / kPieces;
  static constexpr int kParts = kStrips * kPieces;   // steps of a block
  static constexpr int kRuns = kStepTiles / kParts;  // of a step
  static constexpr int kRows = kTile / kStrips;  // drained at a time, so that 16 totals are live
};

// Sums of one product.
struct alignas(64) Dots {
  int32_t row[kTile][kTile];
};

// A block of the strips side by side, made ready, with what its activations have beside codes.
// Scales are floats here, integer ones too; offsets of zero points likewise.
struct Prepared {
  Ready strip[2];
  BlockRows in;  // from the group's first row on
};

struct Work {
  Prepared prepared[2];  // a block and the one before it
  Dots dots[2][kStepTiles];
  alignas(64) float totals[2][kGroupRows][kTile];
  alignas(64) float products[2][kTile][kTile];  // integer scales: of the block so far
};

struct Step {
  const Prepared* block;
  int64_t row;    // of the group
  int64_t place;  // of its totals: tiles may share rows, totals they do not
  int64_t part;   // runs part * kRuns and on
};

constexpr TileConfig tiles_for(int piece_columns) {
  TileConfig config = whole_tiles();
  for (int a = 4; a < 6; ++a) config.row_bytes[a] = static_cast<uint16_t>(piece_columns);
  for (int b = 6; b < 8; ++b) config.rows[b] = static_cast<uint8_t>(piece_columns / 4);
  return config;
}
alignas(64) constexpr TileConfig kWideTiles = tiles_for(32);
alignas(64) constexpr TileConfig kNarrowTiles = tiles_for(16);

// Product `slot` of a step, slot % kTurns == kTurn, into its tile; the one before it goes to
// memory.
template <typename F, int kTurn>
[[gnu::always_inline]] inline void multiply(const Step& step, int64_t slot, Dots* dots) {
  constexpr int kStrip = kTurn % F::kStrips;
  constexpr int kA = 4 + kTurn / F::kStrips % 2, kB = 6 + kTurn % 2;
  const int64_t column =
      (step.part * (kStepTiles / F::kStrips) + slot / F::kStrips) * F::kPieceColumns;
  if constexpr (kStrip == 0)
    load_tile<kA>(step.block->in.codes + step.row * kBlockColumns + column, kBlockColumns);
  load_tile<kB>(step.block->strip[kStrip].codes + column * kTile, 64);
  zero_tile<kTurn>();
  if constexpr (F::kZeros) {
    multiply_signed_unsigned<kTurn, kA, kB>();
  } else {
    multiply_signed_signed<kTurn, kA, kB>();
  }
  if (slot > 0) store_tile<(kTurn + kTurns - 1) % kTurns>(dots[slot - 1].row, 64);
}

[[gnu::always_inline]] inline void finish(Dots* dots) {
  store_tile<kTurns - 1>(dots[kStepTiles - 1].row, 64);
}

template <typename F>
void multiply_step(const Step& step, Dots* dots) {
  for (int64_t slot = 0; slot < kStepTiles; slot += kTurns) {
    multiply<F, 0>(step, slot, dots);
    multiply<F, 1>(step, slot + 1, dots);
    multiply<F, 2>(step, slot + 2, dots);
    multiply<F, 3>(step, slot + 3, dots);
  }
  finish(dots);
}

// Rows and strips of a step that are drained at a time.
template <typename F>
struct Totals {
  Floats of[F::kRows][F::kStrips];
};

// Run `run` of a step for F::kRows rows from `row` of its tile on.
template <typename F>
[[gnu::always_inline]] inline void drain_run(const Shape& shape, const Step& step, const Dots* dots,
                                             int row, int64_t run, Totals<F>& total) {
  const Prepared& block = *step.block;
  const int64_t i = step.part * F::kRuns + run;
  const BlockRows in = block.in.from(step.row + row);
  // Of the run's first piece: sums of runs stand behind those of 16 columns.
  const int64_t piece = F::kNarrow ? 2 * i : 16 + i;
  const Dots* tiles = dots + run * F::kParts;
  Floats scale[F::kPieces][F::kStrips], other[F::kPieces][F::kStrips];
#pragma GCC unroll 2
  for (int p = 0; p < F::kPieces; ++p) {
    const int64_t j = F::kNarrow ? 2 * i + p : i >> shape.run_shift;
#pragma GCC unroll 2
    for (int s = 0; s < F::kStrips; ++s) {
      scale[p][s] = load_floats(block.strip[s].scales[j]);
      if constexpr (F::kZeros) other[p][s] = load_floats(block.strip[s].offsets[j]);
      if constexpr (F::kDrain == Drain::floats_minima)
        other[p][s] = load_floats(block.strip[s].minima[j]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < F::kRows; ++r) {
    const Floats activation_scale = broadcast_float(in.scales[r * kBlockRuns + i]);
    const int32_t* sums = in.sums + r * kBlockSums + piece;
    const float* scaled_sums = in.scaled_sums + r * kBlockSums + piece;
#pragma GCC unroll 2
    for (int s = 0; s < F::kStrips; ++s) {
      Floats whole;  // integer scales: sum of scale times dot over the run
#pragma GCC unroll 2
      for (int p = 0; p < F::kPieces; ++p) {
        Floats dot = to_floats(load_ints(tiles[p * F::kStrips + s].row[row + r]));
        if constexpr (F::kZeros) dot = fused(other[p][s], to_floats(broadcast_int(sums[p])), dot);
        if constexpr (F::kIntegers) {
          whole = p == 0 ? multiply(dot, scale[p][s]) : fused(dot, scale[p][s], whole);
        } else {
          total.of[r][s] = fused(multiply(dot, activation_scale), scale[p][s], total.of[r][s]);
        }
        if constexpr (F::kDrain == Drain::floats_minima)
          total.of[r][s] = fused(broadcast_float(scaled_sums[p]), other[p][s], total.of[r][s]);
      }
      if constexpr (F::kIntegers) total.of[r][s] = fused(whole, activation_scale, total.of[r][s]);
    }
  }
}

// What a block of integer scales has come to, times its super-scale, and its minima.
template <typename F>
[[gnu::always_inline]] inline void add_block(const Step& step, int row, const Totals<F>& product,
                                             float (*totals)[kGroupRows][kTile]) {
  const Prepared& block = *step.block;
#pragma GCC unroll 2
  for (int s = 0; s < F::kStrips; ++s) {
    const Floats super = load_floats(block.strip[s].supers[0]);
#pragma GCC unroll 16
    for (int r = 0; r < F::kRows; ++r) {
      float* at = totals[s][step.place + row + r];
      store_floats(at, fused(product.of[r][s], super, load_floats(at)));
    }
  }
  if constexpr (F::kDrain == Drain::integers_minima) {
    Totals<F> lowered;
#pragma GCC unroll 16
    for (int r = 0; r < F::kRows; ++r) {
#pragma GCC unroll 2
      for (int s = 0; s < F::kStrips; ++s) lowered.of[r][s] = broadcast_float(0.0f);
    }
    const float* sums = block.in.from(step.row + row).scaled_sums + (F::kNarrow ? 0 : 16);
    for (int64_t j = 0; j < kBlockRuns * F::kPieces; ++j) {
      Floats minimum[F::kStrips];
#pragma GCC unroll 2
      for (int s = 0; s < F::kStrips; ++s) minimum[s] = load_floats(block.strip[s].minima[j]);
#pragma GCC unroll 16
      for (int r = 0; r < F::kRows; ++r) {
        const Floats sum = broadcast_float(sums[r * kBlockSums + j]);
#pragma GCC unroll 2
        for (int s = 0; s < F::kStrips; ++s)
          lowered.of[r][s] = fused(minimum[s], sum, lowered.of[r][s]);
      }
    }
#pragma GCC unroll 2
    for (int s = 0; s < F::kStrips; ++s) {
      const Floats super = load_floats(block.strip[s].supers[1]);
#pragma GCC unroll 16
      for (int r = 0; r < F::kRows; ++r) {
        float* at = totals[s][step.place + row + r];
        store_floats(at, fused(lowered.of[r][s], super, load_floats(at)));
      }
    }
  }
}

// Where the rows of a step wait between two steps: their totals, or, inside a block of integer
// scales, what it has come to.
template <typename F>
[[gnu::always_inline]] inline float* waiting(const Step& step, Work& work, int s, int row) {
  if constexpr (F::kIntegers) return work.products[s][row];
  return work.totals[s][step.place + row];
}

// Sums of `step` to its totals, between the products of the step after it, where there is one.
template <typename F>
void drain(const Shape& shape, const Step& step, const Dots* dots, const Step* next,
           Dots* next_dots, Work& work) {
  // One run of the drain, with as many products as it uses up; kTurn: of the first.
  const auto one_run = [&]<int kTurn>(int row, int64_t run, Totals<F>& total)
      __attribute__((always_inline)) {
    if (next != nullptr) {
      const int64_t slot = (row / F::kRows * F::kRuns + run) * F::kPieces;
      multiply<F, kTurn>(*next, slot, next_dots);
      if constexpr (F::kNarrow) multiply<F, kTurn + 1>(*next, slot + 1, next_dots);
    }
    drain_run<F>(shape, step, dots, row, run, total);
  };
  for (int row = 0; row < kTile; row += F::kRows) {
    Totals<F> total;
#pragma GCC unroll 16
    for (int r = 0; r < F::kRows; ++r) {
#pragma GCC unroll 2
      for (int s = 0; s < F::kStrips; ++s) {
        total.of[r][s] = F::kIntegers && step.part == 0
                             ? broadcast_float(0.0f)
                             : load_floats(waiting<F>(step, work, s, row + r));
      }
    }
#pragma GCC unroll 1
    for (int64_t run = 0; run < F::kRuns; run += kTurns / F::kPieces) {
      one_run.template operator()<0>(row, run, total);
      one_run.template operator()<F::kPieces>(row, run + 1, total);
      if constexpr (!F::kNarrow) {
        one_run.template operator()<2>(row, run + 2, total);
        one_run.template operator()<3>(row, run + 3, total);
      }
    }
    if (F::kIntegers && step.part == F::kParts - 1) {
      add_block<F>(step, row, total, work.totals);
      continue;
    }
#pragma GCC unroll 16
    for (int r = 0; r < F::kRows; ++r) {
#pragma GCC unroll 2
      for (int s = 0; s < F::kStrips; ++s)
        store_floats(waiting<F>(step, work, s, row + r), total.of[r][s]);
    }
  }
  if (next != nullptr) finish(next_dots);
}

// A block's codes to weights: the stored bytes plus `offset`.
using UnpackWeights = void(const uint8_t* block, int offset, uint8_t* to);

template <Codes kCodes>
void unpack_weights(const uint8_t* block, int offset, uint8_t* to) {
  using Source = Packed<kCodes>;
  const Ints offsets = broadcast_bytes(offset);
  for (int64_t q = 0; q < kBlockColumns / 16; ++q) {
    const uint8_t* quad = block + q * Source::kQuadBytes;
    prefetch_lines<Source::kQuadBytes>(quad + kAheadOfUnpacking);
    const Quad codes = load_quad<Source>(quad, 0);
#pragma GCC unroll 4
    for (int p = 0; p < 4; ++p)
      store_ints(to + q * 256 + 64 * p, _mm512_add_epi8(codes.vector[p], offsets));
  }
}

// How a layout's codes are read.
struct Reading {
  UnpackWeights* unpack;
  int bias;
};
template <Codes kCodes>
constexpr Reading reading_of() {
  return {unpack_weights<kCodes>, bias_of(kCodes)};
}
Reading reading(const BlockLayout& layout) {
  switch (codes_of(layout)) {
    case Codes::bits_1:
      return reading_of<Codes::bits_1>();
    case Codes::bits_1_doubled:
      return reading_of<Codes::bits_1_doubled>();
    case Codes::bits_2:
      return reading_of<Codes::bits_2>();
    case Codes::bits_3:
      return reading_of<Codes::bits_3>();
    case Codes::bits_4:
      return reading_of<Codes::bits_4>();
    case Codes::bits_5:
      return reading_of<Codes::bits_5>();
    case Codes::bits_6:
      return reading_of<Codes::bits_6>();
    case Codes::iq4_nl:
      return reading_of<Codes::iq4_nl>();
    case Codes::fp4:
      return reading_of<Codes::fp4>();
    case Codes::iq3_xxs:
      return reading_of<Codes::iq3_xxs>();
    case Codes::iq3_s:
      return reading_of<Codes::iq3_s>();
    case Codes::iq2:
      return reading_of<Codes::iq2>();
    case Codes::iq1:
      return reading_of<Codes::iq1>();
    default:
      return reading_of<Codes::bits_8>();
  }
}

void to_float_rows(int64_t count, int32_t (*rows)[kBlockStripRows]) {
  for (int64_t j = 0; j < count; ++j) store_floats(rows[j], to_floats(load_ints(rows[j])));
}

// The strips of a job that go side by side, and some of its rows.
struct Group {
  int64_t strip;
  int64_t row, rows;
  int64_t tiles;

  // The last tile of rows takes the last 16, some of them a second time.
  int64_t row_of(int64_t tile) const {
    return tile * kTile + kTile <= rows ? tile * kTile : rows - kTile;
  }
};

template <typename F>
void prepare(const BlockDots& job, const Shape& shape, const Reading& codes, const Group& group,
             int64_t b, Prepared& to) {
  for (int s = 0; s < F::kStrips; ++s) {
    const uint8_t* block = job.strip + (group.strip + s) * job.strip_bytes + b * shape.at.bytes;
    Ready& ready = to.strip[s];
    load_scales(shape, block, kAheadOfUnpacking, ready);
    if constexpr (F::kZeros) to_float_rows(shape.subs, ready.offsets);
    codes.unpack(block, F::kZeros ? 0 : shape.offset, ready.codes);
  }
  to.in = job.in.from(b * job.in.pitch + group.row);
}

// Totals of strip `s` of a group, with the bias.
void write_out(const BlockDots& job, const Group& group, int s, const float (*totals)[kTile]) {
  const int64_t first = (group.strip + s) * kTile, left = job.outputs - first;
  const auto real = static_cast<__mmask16>(left < kTile ? (1 << left) - 1 : 0xffff);
  const Floats bias =
      job.bias == nullptr ? broadcast_float(0.0f) : _mm512_maskz_loadu_ps(real, job.bias + first);
  for (int64_t tile = 0; tile < group.tiles; ++tile) {
    float* out = job.out + (group.row + group.row_of(tile)) * job.stride + first;
    for (int64_t m = 0; m < kTile; ++m, out += job.stride) {
      Floats total = load_floats(totals[tile * kTile + m]);
      if (job.bias != nullptr) total = add(total, bias);
      _mm512_mask_storeu_ps(out, real, total);
    }
  }
}

template <typename F>
void multiply_group(const BlockDots& job, const Shape& shape, const Reading& codes,
                    const Group& group, Work& work) {
  for (int s = 0; s < F::kStrips; ++s)
    std::memset(work.totals[s], 0, static_cast<size_t>(group.tiles) * sizeof(Dots));
  Step before = {};  // made, not drained yet
  int64_t count = 0;
  for (int64_t b = 0; b < job.blocks; ++b) {
    Prepared& block = work.prepared[b % 2];
    prepare<F>(job, shape, codes, group, b, block);
    for (int64_t tile = 0; tile < group.tiles; ++tile) {
      for (int64_t part = 0; part < F::kParts; ++part, ++count) {
        const Step step = {&block, group.row_of(tile), tile * kTile, part};
        Dots* dots = work.dots[count % 2];
        if (count == 0) {
          multiply_step<F>(step, dots);
        } else {
          drain<F>(shape, before, work.dots[(count + 1) % 2], &step, dots, work);
        }
        before = step;
      }
    }
  }
  if (count > 0) drain<F>(shape, before, work.dots[(count + 1) % 2], nullptr, nullptr, work);
  for (int s = 0; s < F::kStrips; ++s) write_out(job, group, s, work.totals[s]);
}

template <typename F>
void multiply_rows(const BlockDots& job, const Shape& shape, const Reading& codes, int64_t strip,
                   Work& work) {
  const int64_t tiles = (job.rows + kTile - 1) / kTile;
  for (int64_t tile = 0; tile < tiles; tile += kGroupTiles) {
    Group group = {.strip = strip, .row = tile * kTile, .rows = 0, .tiles = tiles - tile};
    if (group.tiles > kGroupTiles) group.tiles = kGroupTiles;
    if (group.row + kTile > job.rows) group.row = job.rows - kTile;
    group.rows = job.rows - group.row < kGroupRows ? job.rows - group.row : kGroupRows;
    multiply_group<F>(job, shape, codes, group, work);
  }
}

template <Drain kDrain, bool kNarrow>
void multiply_strips(const BlockDots& job, const Shape& shape, const Reading& codes) {
  Work work;
  int64_t strip = 0;
  for (; strip + 2 <= job.strips; strip += 2)
    multiply_rows<Form<kDrain, kNarrow, 2>>(job, shape, codes, strip, work);
  if (strip < job.strips) multiply_rows<Form<kDrain, kNarrow, 1>>(job, shape, codes, strip, work);
}

template <bool kNarrow>
void multiply_any(const BlockDots& job, const Shape& shape, const Reading& codes) {
  switch (job.layout->scales) {
    case BlockScales::f16:
    case BlockScales::e8m0:
      return multiply_strips<Drain::floats, kNarrow>(job, shape, codes);
    case BlockScales::f16_zeros:
    case BlockScales::bf16_zeros:
      return multiply_strips<Drain::floats_zeros, kNarrow>(job, shape, codes);
    case BlockScales::f16_minima:
      return multiply_strips<Drain::floats_minima, kNarrow>(job, shape, codes);
    case BlockScales::integer:
      return multiply_strips<Drain::integers, kNarrow>(job, shape, codes);
    case BlockScales::integer_minima:
      return multiply_strips<Drain::integers_minima, kNarrow>(job, shape, codes);
  }
}

// Weights are int8, and with two integer scales a run their products exact in float.
bool fits(const BlockLayout& layout) {
  if (layout.scales == BlockScales::f16_zeros || layout.scales == BlockScales::bf16_zeros)
    return true;
  int least = -layout.zero, most = (layout.doubled ? 2 : (1 << layout.code_bits) - 1) - layout.zero;
  if (layout.codebook != BlockCodebook::none) {
    least = most = 0;
    for (const int8_t level : levels_of(layout.codebook).of) {
      least = level < least ? level : least;
      most = level > most ? level : most;
    }
  }
  const bool integer =
      layout.scales == BlockScales::integer || layout.scales == BlockScales::integer_minima;
  if (integer && layout.sub == 16) return -64 <= least && most <= 64;
  return -128 <= least && most <= 127;
}

void dots(const BlockDots& job) {
  if (job.rows < kTile || !fits(*job.layout)) return avx512dual_block.dots(job);
  const Reading codes = reading(*job.layout);
  const Shape shape = shape_of(*job.layout, codes.bias);
  load_tile_config(shape.narrow ? kNarrowTiles : kWideTiles);
  shape.narrow ? multiply_any<true>(job, shape, codes) : multiply_any<false>(job, shape, codes);
  release_tiles();
}

void quantise(const float* in, int64_t width, int64_t blocks, const BlockRows& to) {
  avx512dual_block.quantise(in, width, blocks, to);
}

BlockStart start(const BlockLayout& layout) { return avx512dual_block.start(layout); }

void make_starts(const int32_t* sums, int64_t count, BlockStart start, int32_t* to) {
  avx512dual_block.starts(sums, count, start, to);
}

}  // namespace

constinit const BlockKernels amx_block = {"amx-int8", dots, quantise, start, make_starts};

}  // namespace bittern::kernel
