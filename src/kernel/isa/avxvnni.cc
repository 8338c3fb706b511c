// AVX-VNNI: AVX2 with FMA and F16C, and the 256-bit vpdpbusd for integer products. A virtual vector
// is two ymm.

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

constinit const Table avxvnni_table = make_table("avxvnni", &avxvnni_ternary, &avxvnni_block,
                                                 &avxvnni_attention, &avx2_real, &avx2_bfloat);

}  // namespace bittern::kernel
