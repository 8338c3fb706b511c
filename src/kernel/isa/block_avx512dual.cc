// Block formats on AVX-512 with VNNI as in block_avx512.cc, for cores of two 512-bit ports in all
// (Intel's): unpacking, conversions and the steps of scales take slots of vpdpbusd.
//
// So a tile of packed codes is 8 rows of one strip: a line is unpacked once for them, and each
// broadcast is part of its vpdpbusd. Per 32 columns of a strip, in slots of the two ports:
//   Q4_0   64 vpdpbusd, 12 to unpack, 24 of scales            64 % of the peak at most
//   Q6_K   64 vpdpbusd, 18 to unpack, 37 of scales            54 %
// Six rows of two strips, unpacked before:  96 vpdpbusd, 36 of scales and minima   73 %
// Strips are asked for into the second level of cache, which has more reads under way than the
// first (one row: +3 to +5 %), eight of them in turn: 8 rows +5 (Q8_0) to +19 % (Q4_0).

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

constexpr int kPackedRows = 8, kPackedNarrowRows = 8, kPackedVectors = 1;
constexpr int kSweepUnits = 8;
constexpr int kPrefetchLocality = 2;

#include "kernel/isa/block_avx512.inl"

}  // namespace

constinit const BlockKernels avx512dual_block = {"avx512-vnni-dual", dots, quantise, start,
                                                 make_starts};

}  // namespace bittern::kernel
