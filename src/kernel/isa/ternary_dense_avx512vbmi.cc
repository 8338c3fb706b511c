// Ternary products of T1.6 strips with AVX-512 VNNI and VBMI. A 64-byte line holds 16 rows x 20
// columns, five codes a byte (pack.h, ternary_t16.inl); decoding one takes two tables of pair bytes
// and one of fifth codes, looked up by the low six bits of each byte:
//
//   k = bytes >= 192;   A = vpermb(pairs), where k vpermb(escaped pairs);
//   B = bytes & 0xc0, where k vpermb(fifth)
//
// A is a line of T2 and B the fifth codes times 64, so masking without shifts goes on as there
// for up to four rows.
// Counted per line (of 320 weights): 1 load, 1 compare, 3 vpermb, 5 vpandd, 5 vpdpbusd with
// broadcast for each row of activations: about 4.5 cycles for one row (measured), where a line from
// memory takes 6 or more.
//
// From five rows on that would take more accumulators than there are, so the planes are shifted
// down and two strips share the broadcasts. Per line of both, for m <= 8 rows: 2 loads, 2 compares,
// 6 vpermb, 10 vpandd, 8 vpsrlw, 5 m broadcasts, 10 m vpdpbusd, which take 5 m cycles; the rest
// runs beside them (95 % of the peak measured for 8 rows in cache).

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
constexpr int64_t kPairAhead = 3072;      // in each strip of a pair; 1 and 6 KiB are slower
constexpr int64_t kMostRows = 8;          // of a pass over a pair

struct Tables {
  Vector pairs, escaped_pairs, fifth;
};

[[gnu::always_inline]] inline Tables load_tables() {
  return {_mm512_loadu_si512(kDenseTables.pairs), _mm512_loadu_si512(kDenseTables.escaped_pairs),
          _mm512_loadu_si512(kDenseTables.fifth)};
}

struct Decoded {
  Vector pairs;  // a line of T2
  Vector fifth;  // codes times 64
};

[[gnu::always_inline]] inline Decoded decode(const uint8_t* line, const Tables& tables) {
  const Vector high = _mm512_set1_epi8(static_cast<char>(kFirstEscape));
  const Vector bytes = _mm512_loadu_si512(line);
  const __mmask64 escaped = _mm512_cmpge_epu8_mask(bytes, high);
  const Vector pairs = _mm512_permutexvar_epi8(bytes, tables.pairs);
  return {
      _mm512_mask_permutexvar_epi8(pairs, escaped, bytes, tables.escaped_pairs),
      _mm512_mask_permutexvar_epi8(_mm512_and_si512(bytes, high), escaped, bytes, tables.fifth)};
}

template <int kRows>
[[gnu::always_inline]] inline void add_pairs(Vector (*total)[5], Vector line, const int8_t* codes,
                                             int64_t row_columns) {
#pragma GCC unroll 4
  for (int p = 0; p < 4; ++p) {
    const Vector weights = mask_plane(line, p);
#pragma GCC unroll 8
    for (int j = 0; j < kRows; ++j) dot(total[j][p], weights, codes + j * row_columns + 4 * p);
  }
}

// One pass over a strip. Five accumulators a row: that of the fifth codes has the weight of
// plane 3.
template <int kRows>
void strip_times_few(const TernaryDots& job, int64_t strip) {
  const Tables tables = load_tables();
  const uint8_t* line = job.strips + strip * job.strip_bytes;
  Vector total[kRows][5];
#pragma GCC unroll 8
  for (int j = 0; j < kRows; ++j) {
#pragma GCC unroll 8
    for (int p = 0; p < 5; ++p) total[j][p] = zero();
  }
  int64_t k = 0;
  for (; k + kDenseColumns <= job.columns; k += kDenseColumns) {
    const int8_t* codes = job.codes + k;
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i, line += 64) {
      prefetch(line + kPrefetchBytes);
      const Decoded weights = decode(line, tables);
      add_pairs<kRows>(total, weights.pairs, codes + 16 * i, job.columns);
#pragma GCC unroll 8
      for (int j = 0; j < kRows; ++j)
        dot(total[j][4], weights.fifth, codes + j * job.columns + 64 + 4 * i);
    }
  }
  for (; k < job.columns; k += 16, line += 64)
    add_pairs<kRows>(total, _mm512_loadu_si512(line), job.codes + k, job.columns);
#pragma GCC unroll 8
  for (int j = 0; j < kRows; ++j) {
    const Vector dots = sum(sum_of_planes(total[j]), _mm512_srai_epi32(total[j][4], 6));
    store_dwords(job.out + (strip * kRows + j) * kStripRows, sum(dots, set(-job.sums[j])));
  }
}

template <int kRows>
void few_rows(const TernaryDots& job) {
  for (int64_t strip = 0; strip < job.strip_count; ++strip) strip_times_few<kRows>(job, strip);
}

// The codes of a plane of a line, two bits a byte.
[[gnu::always_inline]] inline Vector plane_codes(Vector line, int plane) {
  return mask_plane(plane == 0 ? line : _mm512_srli_epi16(line, 2 * plane), 0);
}

// Four columns: a dword of codes of each row times the weights of each strip.
template <int kStrips, int kRows>
[[gnu::always_inline]] inline void add_columns(Vector (&total)[kStrips][kRows],
                                               const Vector (&weights)[kStrips],
                                               const int8_t* codes, int64_t row_columns) {
#pragma GCC unroll 8
  for (int j = 0; j < kRows; ++j) {
    const Vector activations = broadcast_codes(codes + j * row_columns);
#pragma GCC unroll 2
    for (int s = 0; s < kStrips; ++s) dot(total[s][j], weights[s], activations);
  }
}

// Lines of T2, one of each strip. The highest plane first: of the orders tried the most even over 5
// to 8 rows (90 to 98 % of the peak in cache; gcc 12, Zen 5).
template <int kStrips, int kRows>
[[gnu::always_inline]] inline void add_lines(Vector (&total)[kStrips][kRows],
                                             const Vector (&lines)[kStrips], const int8_t* codes,
                                             int64_t row_columns) {
#pragma GCC unroll 4
  for (int p = 3; p >= 0; --p) {
    Vector weights[kStrips];
#pragma GCC unroll 2
    for (int s = 0; s < kStrips; ++s) weights[s] = plane_codes(lines[s], p);
    add_columns(total, weights, codes + 4 * p, row_columns);
  }
}

// kStrips strips times rows [row, row + kRows), or fewer: `rows` of them.
template <int kStrips, int kRows = kMostRows>
[[gnu::noinline]] void strips_times_rows(const TernaryDots& job, int64_t strip, int64_t row,
                                         int64_t rows) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return strips_times_rows<kStrips, kRows - 1>(job, strip, row, rows);
  }
  const Tables tables = load_tables();
  const uint8_t* line = job.strips + strip * job.strip_bytes;
  const int8_t* codes = job.codes + row * job.columns;
  Vector total[kStrips][kRows];
#pragma GCC unroll 8
  for (int j = 0; j < kRows; ++j) {
#pragma GCC unroll 2
    for (int s = 0; s < kStrips; ++s) total[s][j] = set(-job.sums[row + j]);
  }
  // What is asked for goes on in the next pair where a strip ends.
  const int64_t to_next = (kStrips - 1) * job.strip_bytes;
  const uint8_t* end = line + job.strip_bytes;
  const uint8_t* ahead = line + kPairAhead + (kPairAhead >= job.strip_bytes ? to_next : 0);
  int64_t k = 0;
  for (; k + kDenseColumns <= job.columns; k += kDenseColumns) {
#pragma GCC unroll 1
    for (int64_t i = 0; i < 4; ++i, line += 64, ahead += 64) {
      if (ahead == end) ahead += to_next;
      Vector pairs[kStrips], fifth[kStrips];
#pragma GCC unroll 2
      for (int s = 0; s < kStrips; ++s) {
        prefetch(ahead + s * job.strip_bytes);
        const Decoded weights = decode(line + s * job.strip_bytes, tables);
        pairs[s] = weights.pairs;
        fifth[s] = _mm512_srli_epi16(weights.fifth, 6);
      }
      add_lines(total, pairs, codes + k + 16 * i, job.columns);
      add_columns(total, fifth, codes + k + 64 + 4 * i, job.columns);
    }
  }
  for (; k < job.columns; k += 16, line += 64) {
    Vector lines[kStrips];
#pragma GCC unroll 2
    for (int s = 0; s < kStrips; ++s) lines[s] = _mm512_loadu_si512(line + s * job.strip_bytes);
    add_lines(total, lines, codes + k, job.columns);
  }
#pragma GCC unroll 2
  for (int s = 0; s < kStrips; ++s) {
#pragma GCC unroll 8
    for (int j = 0; j < kRows; ++j)
      store_dwords(job.out + ((strip + s) * job.rows + row + j) * kStripRows, total[s][j]);
  }
}

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

void many_rows(const TernaryDots& job) {
  int64_t strip = 0;
  for (; strip + 2 <= job.strip_count; strip += 2) strips_times_all<2>(job, strip);
  if (strip < job.strip_count) strips_times_all<1>(job, strip);
}

void dense_dots(const TernaryDots& job) {
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
    default:
      return many_rows(job);
  }
}

}  // namespace

constinit const DenseTernary avx512vbmi_dense = {
    .name = "avx512-vbmi", .needs_vbmi = true, .dots = dense_dots};

}  // namespace bittern::kernel
