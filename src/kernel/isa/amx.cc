// AMX int8, with what AVX-512 has: products of codes in tiles, everything else a zmm at a time.

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

constinit const Table amx_table =
    make_table("amx", &amx_ternary, &amx_block, &amx_attention, &avx512_real, &amx_bfloat);

}  // namespace bittern::kernel
