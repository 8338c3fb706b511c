// The base table: portable C++ that runs everywhere, the truth the other tables are held to.
// Virtual lanes are four 16-byte vectors, which any target has or gets emulated. Fused
// multiply-add is exact without an instruction for it: the product of two floats is exact in
// double, and the sum is rounded to odd before it is rounded to float, which cannot round twice
// (Boldo and Melquiond, "When double rounding is odd", 2005).

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

#include "kernel/isa/lanes_scalar.inl"

#include "kernel/isa/decode.inl"
#include "kernel/isa/math.inl"
#include "kernel/isa/rows.inl"

#include "kernel/isa/table.inl"

}  // namespace

constinit const Table scalar_table = make_table("scalar", &scalar_ternary, &scalar_block,
                                                &scalar_attention, &scalar_real, &scalar_bfloat);

}  // namespace bittern::kernel
