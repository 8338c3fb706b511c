// Block formats on NEON with SDOT. A quarter of a vector of 64 stored bytes is one q register: four
// columns of rows 4v to 4v + 3 of a strip. Tiles take two quarters at a time, so that a block,
// which lies in the first level of cache, is passed over twice (few rows: its packed lines are).
//
//               lane 0             lane 1                 lane 2             lane 3
//   q register  row 4v, k to k+3   row 4v + 1, k to k+3   row 4v + 2, ...    row 4v + 3, ...
//   activations columns 16q .. 16q + 15 of one row: lane p belongs to vector p, k = 16q + 4p
//
// Four rows, per 32 columns of float scales and two quarters: 16 loads of weights, 8 of
// activations, 64 SDOT; 4 broadcasts (the zero), 8 SCVTF, 8 FMUL, 8 FMLA.
// The speed of this is unverified: it has run under an emulator only.

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/block.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/block_lanes_neon.inl"

// Tiles keep sums and totals in registers: 4 x 2 and 4 x 2 of them beside eight of weights; narrow
// sub-blocks need a third set.
constexpr int kUnitStrips = 1, kTileVectors = 2;
constexpr int kUnpackedRows = 4, kNarrowRows = 3;
constexpr int kPackedRows = 4, kPackedNarrowRows = 3, kPackedVectors = 2;
constexpr int kSweepUnits = 1;

#include "kernel/isa/block_codes.inl"
#include "kernel/isa/block_scales.inl"
#include "kernel/isa/block_sweep.inl"

template <int kVector>
[[gnu::always_inline]] inline void dot(Ints& total, const Quad& weights, int8x16_t codes) {
  const int8x16_t bytes = vreinterpretq_s8_s32(weights.vector[kVector]);
  total = vdotq_laneq_s32(total, bytes, codes, kVector);
}

// Adds a quad of each vector times 16 codes of each row. kPart: of the first vector.
template <typename Source, int kPart, int kRows, int kVectors>
[[gnu::always_inline]] inline void add_quad(Ints (&dots)[kRows][kVectors],
                                            const uint8_t* const (&quad)[kVectors],
                                            const int8_t* activations) {
  Quad weights[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) weights[v] = load_quad<Source>(quad[v], (kPart + v) % kParts);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    const int8x16_t codes = vld1q_s8(activations + r * kBlockColumns);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      dot<0>(dots[r][v], weights[v], codes);
      dot<1>(dots[r][v], weights[v], codes);
      dot<2>(dots[r][v], weights[v], codes);
      dot<3>(dots[r][v], weights[v], codes);
    }
  }
}

// A line that will be written.
[[gnu::always_inline]] inline void prefetch_to_write(const void* at) { __builtin_prefetch(at, 1); }

#include "kernel/isa/block_tile.inl"

#include "kernel/isa/block_units.inl"

#include "kernel/isa/block_quantise.inl"

}  // namespace

constinit const BlockKernels neon_block = {"neon", dots, quantise, start, make_starts};

}  // namespace bittern::kernel
