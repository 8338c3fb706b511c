// AVX2 with FMA and F16C. A virtual vector is two ymm.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/attention.h"
#include "kernel/bf16.h"
#include "kernel/block.h"
#include "kernel/kernel.h"
#include "kernel/real.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_avx2.inl"

#include "kernel/isa/decode.inl"
#include "kernel/isa/math.inl"
#include "kernel/isa/rows.inl"

#include "kernel/isa/table.inl"

}  // namespace

constinit const Table avx2_table =
    make_table("avx2", &avx2_ternary, &avx2_block, &avx2_attention, &avx2_real, &avx2_bfloat);

}  // namespace bittern::kernel
