// bf16 products with AVX-512 (F, BW, VL, DQ) where there is no unit for bf16. A virtual vector is
// one zmm; a tile is 2 strips x 12 rows, 24 accumulators, and takes 2 loads, 12 broadcasts and 24
// fused multiply-adds a column: 12 cycles.

#if defined(__GNUC__) && !defined(__clang__)
// gcc 12's _mm512_undefined_* are variables initialised with themselves, and it warns about them.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/bf16.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_avx512.inl"

constexpr int kTileStrips = 2, kTileRows = 12;
constexpr int kFewStrips = 4, kFewRows = 6;
// Decoding a line takes 4 of 52 slots of a tile, less than reading it back decoded.
constexpr int64_t kDirectRows = INT64_MAX;

#include "kernel/isa/bf16_encode.inl"

#include "kernel/isa/bf16_totals.inl"

#include "kernel/isa/bf16_fma.inl"

}  // namespace

constinit const Bf16Kernels avx512_bfloat = {.name = "avx512",
                                             .order = Bf16Order::pairs,
                                             .needs = Bf16Needs::nothing,
                                             .dots = bf16_dots,
                                             .encode = bf16_encode,
                                             .fallback = nullptr};

}  // namespace bittern::kernel
