// NEON with the int8 matrix products of FEAT_I8MM, which many rows of ternary weights use;
// everything else is as in neon.cc.

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

constinit const Table neoni8mm_table = make_table("neoni8mm", &neoni8mm_ternary, &neon_block,
                                                  &neon_attention, &neon_real, &neon_bfloat);

}  // namespace bittern::kernel
