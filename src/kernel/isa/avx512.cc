// AVX-512 (F, BW, VL, DQ) with VNNI. A virtual vector is one zmm.
//
// Ternary: a 64-byte line is one zmm. Each plane is masked in place and never shifted: its codes
// come out times 1, 4, 16, 64 (at most 128, a legal u8), and vpdpbusd adds them into the plane's
// own int32 accumulator; the exact shifts right happen once at the end. The fourth accumulator
// grows by at most 4 * 128 * 127 per 16 columns: kMaxTernaryColumns keeps it below 2^31.
// Per 256 weights: 1 load, 4 vpandd, then 4 vpdpbusd with embedded broadcast per row.

#if defined(__GNUC__) && !defined(__clang__)
// gcc 12's _mm512_undefined_* are variables initialised with themselves, and it warns about them.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/kernel.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_avx512.inl"

constexpr int kSingleWeights = 8, kTileWeights = 4, kTileRows = 4;

#include "kernel/isa/decode.inl"
#include "kernel/isa/dots.inl"
#include "kernel/isa/math.inl"
#include "kernel/isa/rows.inl"

[[gnu::always_inline]] inline __m512i broadcast_codes(const int8_t* codes) {
  int32_t four;
  __builtin_memcpy(&four, codes, sizeof(four));
  return _mm512_set1_epi32(four);
}

// Strips follow one another in memory, so the lines ahead are the next strip's at the end.
constexpr int64_t kPrefetchBytes = 2048;

struct Planes {
  __m512i plane[4];
};

[[gnu::always_inline]] inline Planes load_planes(const uint8_t* line) {
  const __m512i packed = _mm512_loadu_si512(line);
  return {{_mm512_and_si512(packed, _mm512_set1_epi8(0x03)),
           _mm512_and_si512(packed, _mm512_set1_epi8(0x0c)),
           _mm512_and_si512(packed, _mm512_set1_epi8(0x30)),
           _mm512_and_si512(packed, _mm512_set1_epi8(static_cast<char>(0xc0)))}};
}

[[gnu::always_inline]] inline void store_dots(const Planes& total, int32_t sum_of_codes,
                                              int32_t* out) {
  const __m512i low = _mm512_add_epi32(total.plane[0], _mm512_srai_epi32(total.plane[1], 2));
  const __m512i high =
      _mm512_add_epi32(_mm512_srai_epi32(total.plane[2], 4), _mm512_srai_epi32(total.plane[3], 6));
  const __m512i dots = _mm512_add_epi32(low, high);
  _mm512_storeu_si512(out, _mm512_sub_epi32(dots, _mm512_set1_epi32(sum_of_codes)));
}

// kRows rows of activations in one pass over the strip; kSets independent sets of accumulators
// take the lines in turn, so that one row alone still hides the latency of vpdpbusd.
template <int kRows, int kSets>
[[gnu::always_inline]] inline void ternary_rows(const TernaryDots& job, int64_t row) {
  Planes total[kRows][kSets];
  for (int j = 0; j < kRows; ++j) {
    for (int s = 0; s < kSets; ++s) {
      for (int p = 0; p < 4; ++p) total[j][s].plane[p] = _mm512_setzero_si512();
    }
  }
  const int8_t* codes = job.codes + row * job.columns;
  for (int64_t k = 0; k < job.columns; k += 16 * kSets) {
    for (int s = 0; s < kSets; ++s) {
      const int64_t at = k + 16 * s;
      _mm_prefetch(reinterpret_cast<const char*>(job.strip + at * 4 + kPrefetchBytes), _MM_HINT_T0);
      const Planes weights = load_planes(job.strip + at * 4);
      for (int j = 0; j < kRows; ++j) {
        for (int p = 0; p < 4; ++p) {
          __m512i& sum_of_plane = total[j][s].plane[p];
          sum_of_plane = _mm512_dpbusd_epi32(sum_of_plane, weights.plane[p],
                                             broadcast_codes(codes + j * job.columns + at + 4 * p));
        }
      }
    }
  }
  for (int j = 0; j < kRows; ++j) {
    Planes all = total[j][0];
    for (int s = 1; s < kSets; ++s) {
      for (int p = 0; p < 4; ++p)
        all.plane[p] = _mm512_add_epi32(all.plane[p], total[j][s].plane[p]);
    }
    store_dots(all, job.sums[row + j], job.out + (row + j) * kStripRows);
  }
}

void ternary_dots(const TernaryDots& job) {
  int64_t row = 0;
  for (; row + 4 <= job.rows; row += 4) ternary_rows<4, 1>(job, row);
  if (row + 2 <= job.rows) {
    ternary_rows<2, 2>(job, row);
    row += 2;
  }
  if (row < job.rows) ternary_rows<1, 2>(job, row);
}

#include "kernel/isa/table.inl"

}  // namespace

constinit const Table avx512_table = make_table("avx512", "avx512-vnni", nullptr);

}  // namespace bittern::kernel
