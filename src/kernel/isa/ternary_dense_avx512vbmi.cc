// Ternary products of T1.6 strips with AVX-512 VNNI and VBMI. A 64-byte line holds 16 rows x 20
// columns, five codes a byte (pack.h, ternary_t16.inl); decoding one takes two tables of pair bytes
// and one of fifth codes, looked up by the low six bits of each byte:
//
//   k = bytes >= 192;   A = vpermb(pairs), where k vpermb(escaped pairs);
//   B = bytes & 0xc0, where k vpermb(fifth)
//
// A is a line of T2 and B the fifth codes times 64, so masking without shifts goes on as there.
// Counted per line (of 320 weights): 1 load, 1 compare, 3 vpermb, 5 vpandd, 5 vpdpbusd with
// broadcast for each row of activations: about 4.5 cycles for one row (measured), where a line from
// memory takes 6 or more. From five rows on four strips are expanded to T2, a panel at a time: for
// a block of 4 lines 4 decodes, 3 shifts, 3 vpord, 5 stores.

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
#include "kernel/isa/ternary_vnni.inl"

constexpr int64_t kPrefetchBytes = 6144;  // as in ternary_avx512.cc

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

// Columns [first, first + columns) of a strip, `first` a multiple of 80, as lines of T2.
void expand(const uint8_t* strip, int64_t first, int64_t columns, uint8_t* lines) {
  const Tables tables = load_tables();
  const uint8_t* from = strip + first / kDenseColumns * kDenseBytes;
  int64_t k = 0;
  for (; k + kDenseColumns <= columns; k += kDenseColumns, from += kDenseBytes, lines += 5 * 64) {
    Vector last = zero();
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const Decoded weights = decode(from + 64 * i, tables);
      _mm512_storeu_si512(lines + 64 * i, weights.pairs);
      last = _mm512_or_si512(last, _mm512_srli_epi16(weights.fifth, 6 - 2 * i));
    }
    _mm512_storeu_si512(lines + 4 * 64, last);
  }
  for (; k < columns; k += 16, from += 64, lines += 64)
    _mm512_storeu_si512(lines, _mm512_loadu_si512(from));
}

template <int kStrips>
void dense_strips_times_rows(const TernaryDots& job, int64_t strip) {
  alignas(64) uint8_t lines[kStrips * kPanelColumns * 4];
  const uint8_t* strips = job.strips + strip * job.strip_bytes;
  for (int64_t k = 0; k < job.columns; k += kPanelColumns) {
    const bool last = k + kPanelColumns >= job.columns;
    const int64_t columns = last ? job.columns - k : kPanelColumns;
    for (int64_t s = 0; s < kStrips; ++s)
      expand(strips + s * job.strip_bytes, k, columns, lines + s * kPanelColumns * 4);
    const int64_t next = (k + kPanelColumns) / kDenseColumns * kDenseBytes;
    const Panel panel = {.lines = lines,
                         .vector_bytes = kPanelColumns * 4,
                         .ahead = strips + (last ? kStrips * job.strip_bytes : next),
                         .ahead_bytes = job.strip_bytes,
                         .columns = columns,
                         .codes = job.codes + k,
                         .row_columns = job.columns,
                         .sums = k == 0 ? job.sums : nullptr,
                         .out = job.out + strip * job.rows * kStripRows,
                         .vector_out = job.rows * kStripRows};
    panel_rows<kStrips>(panel, job.rows);
  }
}

void many_rows(const TernaryDots& job) {
  int64_t strip = 0;
  for (; strip + kTernaryStrips <= job.strip_count; strip += kTernaryStrips)
    dense_strips_times_rows<kTernaryStrips>(job, strip);
  for (; strip < job.strip_count; ++strip) dense_strips_times_rows<1>(job, strip);
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
