// Block formats by vpdpbusd on zmm: what the AVX-512 files share. The file defines before it
// kPackedRows, kPackedNarrowRows, kPackedVectors (a tile of packed codes) and kPrefetchLocality.

// Two strips side by side: a broadcast serves both. Tiles of unpacked codes keep sums and totals in
// registers: 6 x 2 and 6 x 2 of them; narrow sub-blocks need a third set.
constexpr int kUnitStrips = 2, kTileVectors = 2;
constexpr int kUnpackedRows = 6, kNarrowRows = 4;

#include "kernel/isa/block_codes.inl"
#include "kernel/isa/block_scales.inl"
#include "kernel/isa/block_sweep.inl"

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
