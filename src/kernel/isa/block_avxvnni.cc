// Block formats on AVX-VNNI (AVX2 with FMA, F16C and the 256-bit vpdpbusd). A half of a vector of
// 64 stored bytes is one ymm: four columns of rows 0 to 7 of a strip, then of rows 8 to 15. A tile
// is both halves, so that a broadcast serves two products.
//
//                 lane 0            lane 1              lane 7
//   ymm, vector p row 0, k to k+3   row 1, k to k+3 ... row 7, k to k+3        k = 16q + 4p
//   activations   x[k] .. x[k+3]    the same          ...
//
// Four rows, per 32 columns of float scales: 16 loads, 32 vpbroadcastd, 64 vpdpbusd, 4 broadcasts
// (the zero), 8 vcvtdq2ps, 8 vmulps, 8 vfmadd, and the totals by way of memory. One row is
// unpacked as in block_avx512.cc. Eight strips are asked for in turn, as by block_avx512dual.cc
// (Emerald Rapids: one row of 4 and 6 bits +10 to +16 %, 8 rows +2 to +6 %).

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/block.h"

namespace bittern::kernel {
namespace {

constexpr bool kSignedCodes = false;  // vpdpbusd takes codes as bytes from 0 to 255

#include "kernel/isa/block_lanes_avx2.inl"

// Both halves of a strip side by side: a broadcast serves both.
constexpr int kUnitStrips = 1, kTileVectors = 2;
constexpr int kUnpackedRows = 4, kNarrowRows = 4;
constexpr int kPackedRows = 4, kPackedNarrowRows = 4, kPackedVectors = 2;
constexpr int kSweepUnits = 8;

#include "kernel/isa/block_codes.inl"
#include "kernel/isa/block_scales.inl"
#include "kernel/isa/block_sweep.inl"

// In assembly, because gcc 12 copies the accumulator to and fro around the built-in.
[[gnu::always_inline]] inline void dot(Ints& total, Ints weights, Ints codes) {
  asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(total) : "x"(weights), "x"(codes));
}

#include "kernel/isa/block_vnni.inl"

#include "kernel/isa/block_tile.inl"

#include "kernel/isa/block_units.inl"

#include "kernel/isa/block_quantise.inl"

}  // namespace

constinit const BlockKernels avxvnni_block = {"avx-vnni", dots, quantise, start, make_starts};

}  // namespace bittern::kernel
