// Ternary products with AMX: T1.6 strips, in tiles (ternary_tiles.inl), decoded with VBMI as
// ternary_dense_avx512vbmi.cc does. Speed unmeasured, as that of ternary_amx.cc.
//
// A block of a strip, 80 columns, makes 20 rows of B tiles: each of its four lines decodes to pair
// bytes, a line of T2 and so four rows, and to the fifth codes, one row of the last four. Unpacking
// a line: 1 load, 1 compare, 3 vpermb, 4 shifts, 5 vpandd, 5 stores.

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

#include "kernel/isa/ternary_t16.inl"
#include "kernel/isa/tiles.inl"

// Whole tiles of whole blocks; two strips of them: 30 KiB of B tiles.
constexpr int64_t kPanelColumns = 960;
static_assert(kPanelColumns % kDenseColumns == 0);

// A line of T2 as four rows.
[[gnu::always_inline]] inline void store_pairs(__m512i line, uint8_t* out) {
  const __m512i mask = _mm512_set1_epi8(3);
  _mm512_store_si512(out, _mm512_and_si512(line, mask));
  _mm512_store_si512(out + 64, _mm512_and_si512(_mm512_srli_epi16(line, 2), mask));
  _mm512_store_si512(out + 128, _mm512_and_si512(_mm512_srli_epi16(line, 4), mask));
  _mm512_store_si512(out + 192, _mm512_and_si512(_mm512_srli_epi16(line, 6), mask));
}

// Columns [first, first + columns) of a strip as B tiles; `first` is that of a panel.
void unpack_panel(const uint8_t* strip, int64_t first, int64_t columns, uint8_t* out) {
  const __m512i pair_table = _mm512_loadu_si512(kDenseTables.pairs);
  const __m512i escaped_table = _mm512_loadu_si512(kDenseTables.escaped_pairs);
  const __m512i fifth_table = _mm512_loadu_si512(kDenseTables.fifth);
  const __m512i high = _mm512_set1_epi8(static_cast<char>(kFirstEscape));
  const __m512i mask = _mm512_set1_epi8(3);
  const uint8_t* from = strip + first / kDenseColumns * kDenseBytes;
  int64_t k = 0;
  for (; k + kDenseColumns <= columns; k += kDenseColumns, out += 4 * kDenseColumns * 4) {
    for (int64_t i = 0; i < 4; ++i, from += 64) {
      const __m512i bytes = _mm512_loadu_si512(from);
      const __mmask64 escaped = _mm512_cmpge_epu8_mask(bytes, high);
      const __m512i plain = _mm512_permutexvar_epi8(bytes, pair_table);
      store_pairs(_mm512_mask_permutexvar_epi8(plain, escaped, bytes, escaped_table),
                  out + 256 * i);
      // Two bits at the top of each byte.
      const __m512i fifth = _mm512_mask_permutexvar_epi8(bytes, escaped, bytes, fifth_table);
      _mm512_store_si512(out + 4 * 256 + 64 * i,
                         _mm512_and_si512(_mm512_srli_epi16(fifth, 6), mask));
    }
  }
  for (; k < columns; k += 16, from += 64, out += 256) store_pairs(_mm512_loadu_si512(from), out);
}

void vector_dots(const TernaryDots& job) { avx512gfni_dense.dots(job); }

#include "kernel/isa/ternary_tiles.inl"

}  // namespace

constinit const DenseTernary amxvbmi_dense = {
    .name = "amx-int8-vbmi", .needs_vbmi = true, .needs_gfni = true, .dots = tile_dots};

}  // namespace bittern::kernel
