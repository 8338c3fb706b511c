// Ternary products with AVX-512 VNNI: T2 strips. A 64-byte line (pack.h) is one zmm, a dword of it
// four codes of one output for each of four planes:
//
//        byte 4n + i     bits 7..6  5..4  3..2  1..0
//        row n, column     12 + i  8 + i  4 + i   i      of the line's 16
//
// Planes are masked in place, never shifted: their codes come out times 1, 4, 16, 64 (at most 128,
// a legal u8). Few rows: each plane has its own accumulator, exact shifts at the end. An
// accumulator of plane 3 grows by at most 4 * 128 * 127 per 16 columns: kMaxTernaryColumns keeps it
// below 2^31. Many rows: ternary_vnni.inl.
// Counted per line, with two vpdpbusd a cycle (4 of them for each row of activations):
//   1 row     1 load, 4 vpandd, 4 vpdpbusd with broadcast, 1 prefetch    2.5 cycles (5 loads)
//   m <= 6    1 load, 4 vpandd, 4 m vpdpbusd with broadcast              2 m + 0.5
//   6 x 4     4 masked loads, 6 broadcasts, 24 vpdpbusd for a plane of 4 lines: 12 cycles, so
//             12 cycles a line, all of them the multiplier's

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
#include "kernel/isa/ternary_avx512.inl"
#include "kernel/isa/ternary_scale.inl"
#include "kernel/isa/ternary_vnni.inl"

// Strips follow one another in memory, so the lines ahead are the next strip's at the end. From
// memory one stream read 6 to 12 KiB ahead is as fast as reading alone (4 KiB: 94 %, 2 KiB: 84 %).
constexpr int64_t kPrefetchBytes = 6144;

// One pass over a strip for kRows rows of activations. One row alone takes the lines with two sets
// of accumulators in turn, so that it waits for no vpdpbusd.
template <int kRows>
void strip_times_few(const TernaryDots& job, int64_t strip) {
  constexpr int kSets = kRows == 1 ? 2 : 1;
  const uint8_t* lines = job.strips + strip * job.strip_bytes;
  Vector total[kRows][kSets][4];
#pragma GCC unroll 8
  for (int j = 0; j < kRows; ++j) {
#pragma GCC unroll 8
    for (int p = 0; p < 4 * kSets; ++p) total[j][p / 4][p % 4] = zero();
  }
  for (int64_t k = 0; k < job.columns; k += 16 * kSets) {
#pragma GCC unroll 2
    for (int s = 0; s < kSets; ++s) {
      const uint8_t* at = lines + k * 4 + s * 64;
      prefetch(at + kPrefetchBytes);
      Vector line = _mm512_loadu_si512(at);
      asm("" : "+v"(line));  // loaded once, not with every mask
#pragma GCC unroll 4
      for (int p = 0; p < 4; ++p) {
        const Vector weights = mask_plane(line, p);
#pragma GCC unroll 8
        for (int j = 0; j < kRows; ++j)
          dot(total[j][s][p], weights, job.codes + j * job.columns + k + 16 * s + 4 * p);
      }
    }
  }
#pragma GCC unroll 8
  for (int j = 0; j < kRows; ++j) {
    Vector dots = sum_of_planes(total[j][0]);
    if constexpr (kSets == 2) dots = sum(dots, sum_of_planes(total[j][1]));
    store_dwords(job.out + (strip * kRows + j) * kStripRows, sum(dots, set(-job.sums[j])));
  }
}

template <int kRows>
void few_rows(const TernaryDots& job) {
  for (int64_t strip = 0; strip < job.strip_count; ++strip) strip_times_few<kRows>(job, strip);
}

void many_rows(const TernaryDots& job) {
  int64_t strip = 0;
  for (; strip + kTernaryStrips <= job.strip_count; strip += kTernaryStrips)
    strips_times_rows<kTernaryStrips>(job, strip);
  for (; strip < job.strip_count; ++strip) strips_times_rows<1>(job, strip);
}

void ternary_dots(const TernaryDots& job) {
  switch (job.rows) {
    case 0:
      return;
    case 1:
      return few_rows<1>(job);
    case 2:
      return few_rows<2>(job);
    case 3:
      return few_rows<3>(job);
    case 4:
      return few_rows<4>(job);
    case 5:
      return few_rows<5>(job);
    case 6:
      return few_rows<6>(job);
    default:
      return many_rows(job);
  }
}

}  // namespace

constinit const TernaryKernels avx512_ternary = {.name = "avx512-vnni",
                                                 .dots = ternary_dots,
                                                 .scale = ternary_scale,
                                                 .dense = &avx512vbmi_dense};

}  // namespace bittern::kernel
