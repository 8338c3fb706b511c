// Block formats on AVX-512 (F, BW, VL, DQ) with VNNI: vpdpbusd of 64 stored bytes (one zmm, four
// columns of 16 rows) and a dword of activations in every lane.
//
//                 lane 0            lane 1              lane 15
//   zmm, vector p row 0, k to k+3   row 1, k to k+3 ... row 15, k to k+3       k = 16q + 4p
//   activations   x[k] .. x[k+3]    the same          ...
//   int32 sums    row 0             row 1             ... row 15
//
// Two strips stand side by side, so that a broadcast serves both. One row, per 16 columns of a
// strip: 4 vpdpbusd with broadcast, and to unpack
//   8 bits  4 loads                        5 bits  as 4, 4 kmovq, 4 masked vpaddb
//   4 bits  2 loads, 2 vpsrlw, 4 vpandd    6 bits  3 loads, 3 shifts, 4 vpandd, 2 vpternlogd
//   2 bits  1 load, 3 vpsrlw, 4 vpandd     codebooks  as 4, 4 vpshufb
// Six rows of two strips, per 32 columns: 16 loads, 48 vpbroadcastd, 96 vpdpbusd; the zero 6
// vpbroadcastd; of float scales 12 vcvtdq2ps, 12 vmulps, 12 vfmadd: on two multipliers 60 cycles,
// of which 48 are the products' (80 % of their peak; 71 measured); integer scales of 16 columns,
// and minima, cost 6 more.
// Shifts, additions, conversions and vpandd run beside the multipliers; where they do not:
// block_avx512dual.cc.

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

// Two strips a tile: a broadcast serves both, and unpacking is done beside the multipliers.
constexpr int kPackedRows = 6, kPackedNarrowRows = 4, kPackedVectors = 2;
constexpr int kSweepUnits = 1;  // others were not measured
constexpr int kPrefetchLocality = 3;

#include "kernel/isa/block_avx512.inl"

}  // namespace

constinit const BlockKernels avx512_block = {"avx512-vnni", dots, quantise, start, make_starts};

}  // namespace bittern::kernel
