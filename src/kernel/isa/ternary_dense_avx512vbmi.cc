// Ternary products of T1.6 strips with AVX-512 VNNI and VBMI (ternary_dense_avx512.inl), for cores
// that shift and mask beside the multipliers.
//
// Counted per line (of 320 weights), up to four rows: 1 load, 1 compare, 3 vpermb, 5 vpandd, 5
// vpdpbusd with broadcast for each row of activations: about 4.5 cycles for one row (measured, Zen
// 5), where a line from memory takes 6 or more.
// Per line of both strips of a pair, for m <= 8 rows: 2 loads, 2 compares, 6 vpermb, 10 vpandd, 8
// vpsrlw, 5 m broadcasts, 10 m vpdpbusd, which take 5 m cycles; the rest runs beside them (95 % of
// the peak measured for 8 rows in cache).

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

#include "kernel/isa/ternary_avx512.inl"
#include "kernel/isa/ternary_t16.inl"

constexpr int64_t kPrefetchBytes = 6144;  // as in ternary_avx512.cc
constexpr bool kDecodesAhead = false;
constexpr int kStripsOfOneRow = 1, kStripsOfTwoRows = 1;

[[gnu::always_inline]] inline Vector plane_codes(Vector line, int plane) {
  return mask_plane(plane == 0 ? line : _mm512_srli_epi16(line, 2 * plane), 0);
}

[[gnu::always_inline]] inline Vector top_codes(Vector bytes) { return plane_codes(bytes, 3); }

#include "kernel/isa/ternary_dense_avx512.inl"

// All rows, in passes of up to kMostRows whose sizes differ by at most one.
template <int kStrips>
void strips_times_all(const TernaryDots& job, int64_t strip) {
  int64_t row = 0;
  for (int64_t left = (job.rows + kMostRows - 1) / kMostRows; left > 0; --left) {
    const int64_t rows = (job.rows - row + left - 1) / left;
    strips_times_rows<kStrips>(job, strip, row, rows);
    row += rows;
  }
}

}  // namespace

constinit const DenseTernary avx512vbmi_dense = {
    .name = "avx512-vbmi", .needs_vbmi = true, .needs_gfni = false, .dots = dense_dots};

}  // namespace bittern::kernel
