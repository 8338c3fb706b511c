// AVX-512 (F, BW, VL, DQ) with VNNI, for cores of two 512-bit ports in all: whatever stands beside
// products takes their slots (base/vector_ports.h). vdpbf16ps, half as fast as FMA there (Emerald
// Rapids: 2.1 cycles against 0.5), is left aside.

#if defined(__GNUC__) && !defined(__clang__)
// gcc 12's _mm512_undefined_* are variables initialised with themselves, and it warns about them.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

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

#include "kernel/isa/lanes_avx512.inl"

#include "kernel/isa/decode.inl"
#include "kernel/isa/math.inl"
#include "kernel/isa/rows.inl"

#include "kernel/isa/table.inl"

}  // namespace

constinit const Table avx512dual_table =
    make_table("avx512dual", &avx512dual_ternary, &avx512dual_block, &avx512_attention,
               &avx512_real, &avx512_bfloat);

}  // namespace bittern::kernel
