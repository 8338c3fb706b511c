// NEON with the dot product instructions (ARMv8.2-A). A virtual vector is four q registers.

#include <arm_neon.h>

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

#include "kernel/isa/lanes_neon.inl"

#include "kernel/isa/decode.inl"
#include "kernel/isa/math.inl"
#include "kernel/isa/rows.inl"

#include "kernel/isa/table.inl"

}  // namespace

constinit const Table neon_table =
    make_table("neon", &neon_ternary, &neon_block, &neon_attention, &neon_real, &neon_bfloat);

}  // namespace bittern::kernel
