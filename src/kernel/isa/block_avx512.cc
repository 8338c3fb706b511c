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
//   4 bits  2 loads, 2 vpsrlw, 4 vpandd    6 bits  as 4, 1 load, 3 shifts, 4 vpternlogd
//   2 bits  1 load, 3 vpsrlw, 4 vpandd     codebooks  as 4, 4 vpshufb
// Six rows of two strips, per 32 columns: 16 loads, 48 vpbroadcastd, 96 vpdpbusd; the zero 6
// vpbroadcastd; of float scales 12 vcvtdq2ps, 12 vmulps, 12 vfmadd: on two multipliers 60 cycles,
// of which 48 are the products' (80 % of their peak; 71 measured); integer scales of 16 columns,
// and minima, cost 6 more.
// Shifts, additions, conversions and vpandd run beside the multipliers; vpmulld does not.

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

// Two strips side by side: a broadcast serves both. Tiles keep sums and totals in registers:
// 6 x 2 and 6 x 2 of them; narrow sub-blocks need a third set, packed codes eight vectors of them.
constexpr int kUnitStrips = 2, kTileVectors = 2;
constexpr int kUnpackedRows = 6, kNarrowRows = 4, kPackedRows = 6;

#include "kernel/isa/block_codes.inl"
#include "kernel/isa/block_scales.inl"

// An unaligned dword that may alias anything.
typedef int32_t Dword __attribute__((may_alias, aligned(1)));

[[gnu::always_inline]] inline Ints broadcast_codes(const int8_t* codes) {
  return _mm512_set1_epi32(*reinterpret_cast<const Dword*>(codes));
}

// In assembly, because gcc 12 copies the accumulator to and fro around the built-in and runs out of
// registers.
[[gnu::always_inline]] inline void dot(Ints& total, Ints weights, Ints codes) {
  asm("vpdpbusd %2, %1, %0" : "+v"(total) : "v"(weights), "v"(codes));
}
// The same with the broadcast as part of the instruction.
[[gnu::always_inline]] inline void dot(Ints& total, Ints weights, const int8_t* codes) {
  asm("vpdpbusd %2%{1to16%}, %1, %0"
      : "+v"(total)
      : "v"(weights), "m"(*reinterpret_cast<const Dword*>(codes)));
}

#include "kernel/isa/block_vnni.inl"

#include "kernel/isa/block_tile.inl"

#include "kernel/isa/block_units.inl"

#include "kernel/isa/block_quantise.inl"

}  // namespace

constinit const BlockKernels avx512_block = {"avx512-vnni", dots, quantise, start_factor,
                                             make_starts};

}  // namespace bittern::kernel
