// bf16 products with AVX2 and FMA. A virtual vector is two ymm; a tile is one strip x 6 rows, 12
// accumulators, and takes 2 loads, 6 broadcasts and 12 fused multiply-adds a column: 6 cycles.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/bf16.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_avx2.inl"

constexpr int kTileStrips = 1, kTileRows = 6;
constexpr int kFewStrips = 2, kFewRows = 3;
constexpr int64_t kDirectRows = 48;  // 32 rows 126 against 107 Gflop/s, 256 rows 111 against 130

#include "kernel/isa/bf16_encode.inl"

#include "kernel/isa/bf16_totals.inl"

#include "kernel/isa/bf16_fma.inl"

}  // namespace

constinit const Bf16Kernels avx2_bfloat = {.name = "avx2",
                                           .order = Bf16Order::pairs,
                                           .needs = Bf16Needs::nothing,
                                           .dots = bf16_dots,
                                           .encode = bf16_encode,
                                           .fallback = nullptr};

}  // namespace bittern::kernel
