// Ternary products with AMX: T2 strips, in tiles (ternary_tiles.inl). Written from the manual and
// tested in software (tests/kernel/amx_emulator_support.h); its speed has not been measured.
//
// Four lines of a strip (pack.h), 64 columns, make one B tile: row r = 4 * line + p holds plane p
// of that line, shifted down to codes. Unpacking a tile: 4 x (1 load, 3 shifts, 4 vpandd, 4
// stores), once for all rows of a panel.

#if defined(__GNUC__) && !defined(__clang__)
// gcc 12's _mm512_undefined_* are variables initialised with themselves, and it warns about them.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/ternary.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_avx512.inl"
#include "kernel/isa/ternary_scale.inl"
#include "kernel/isa/tiles.inl"

constexpr int64_t kPanelColumns = 1024;  // two strips of them: 32 KiB of B tiles

// Columns [first, first + columns) of a strip as B tiles.
void unpack_panel(const uint8_t* strip, int64_t first, int64_t columns, uint8_t* out) {
  const __m512i mask = _mm512_set1_epi8(3);
  const uint8_t* from = strip + first * 4;
  for (int64_t k = 0; k < columns; k += 16, from += 64, out += 256) {
    const __m512i line = _mm512_loadu_si512(from);
    _mm512_store_si512(out, _mm512_and_si512(line, mask));
    _mm512_store_si512(out + 64, _mm512_and_si512(_mm512_srli_epi16(line, 2), mask));
    _mm512_store_si512(out + 128, _mm512_and_si512(_mm512_srli_epi16(line, 4), mask));
    _mm512_store_si512(out + 192, _mm512_and_si512(_mm512_srli_epi16(line, 6), mask));
  }
}

void vector_dots(const TernaryDots& job) { avx512_ternary.dots(job); }

#include "kernel/isa/ternary_tiles.inl"

}  // namespace

constinit const TernaryKernels amx_ternary = {
    .name = "amx-int8", .dots = tile_dots, .scale = ternary_scale, .dense = &amxvbmi_dense};

}  // namespace bittern::kernel
