// Ternary products of T1.6 strips with AVX-512 VNNI, VBMI and GFNI (ternary_dense_avx512.inl), for
// cores of two 512-bit ports in all (Intel's): whatever unpacks the codes takes slots of vpdpbusd.
//
// One vgf2p8affineqb brings a plane down and masks it. Per line of both strips of a pair, for m <=
// 8 rows: 2 compares, 6 vpermb, 8 vgf2p8affineqb, 2 vpandd, 10 m vpdpbusd: 80 of 98 slots for 8
// rows, 82 % of the peak (77 measured, Emerald Rapids; shifts and masks: 74 and 68). More rows: a
// panel of both strips is unpacked to bytes that stay in L1, then tiles of 8 rows pass over it,
// which is, for 4 columns,
//
//   2 loads, 8 broadcasts, 16 vpdpbusd      8 cycles, the ports' (91 % measured for 128 rows)
//
// and asks meanwhile for the panel that comes next. Prefetches while unpacking instead wait for one
// another (79 against 75 % for 16 rows). One row reads four strips side by side, two rows two: a
// core has more reads in flight then (14.1 against 12.0 GB/s for one thread).

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

constexpr int64_t kPrefetchBytes = 8192;
// The scheduler looks some 50 cycles ahead and takes the oldest instruction that is ready: decoded
// right before its products, a line keeps them waiting (8 rows: 72.8 against 76.8 % of the peak).
constexpr bool kDecodesAhead = true;
constexpr int kStripsOfOneRow = 4, kStripsOfTwoRows = 2;

// Bits 2 p and 2 p + 1 of each byte as bits 0 and 1: row i of the matrix, the byte 7 - i of it,
// chooses bit i.
[[gnu::always_inline]] inline Vector plane_codes(Vector line, int plane) {
  if (plane == 0) return mask_plane(line, 0);
  const uint64_t low = uint64_t{1} << 2 * plane, matrix = low << 56 | low << 1 << 48;
  return _mm512_gf2p8affine_epi64_epi8(line, _mm512_set1_epi64(static_cast<int64_t>(matrix)), 0);
}

[[gnu::always_inline]] inline Vector top_codes(Vector bytes) { return plane_codes(bytes, 3); }

#include "kernel/isa/ternary_dense_avx512.inl"

// Columns of a panel: with 8 rows of activations it stays in L1. Short ones for few rows, which
// wait for memory more often than for the ends of tiles.
constexpr int64_t kPanelColumns = 640, kShortPanel = 320, kShortPanelRows = 32;

// Columns of kStrips strips from a whole block on, as bytes: vectors of four columns, strip by
// strip.
template <int kStrips>
[[gnu::always_inline]] inline void unpack_panel(const uint8_t* line, int64_t strip_bytes,
                                                int64_t columns, uint8_t* to) {
  const Tables tables = load_tables();
  int64_t k = 0;
  for (; k + kDenseColumns <= columns; k += kDenseColumns, to += kStrips * kDenseColumns * 16) {
#pragma GCC unroll 1
    for (int64_t i = 0; i < 4; ++i, line += 64) {
#pragma GCC unroll 2
      for (int s = 0; s < kStrips; ++s) {
        const Decoded weights = decode<false>(line + s * strip_bytes, tables);
        uint8_t* at = to + 64 * s;
#pragma GCC unroll 4
        for (int p = 0; p < 4; ++p)
          _mm512_store_si512(at + (4 * i + p) * 64 * kStrips, plane_codes(weights.pairs, p));
        _mm512_store_si512(at + (16 + i) * 64 * kStrips, weights.fifth);
      }
    }
  }
  for (; k < columns; k += 16, line += 64, to += kStrips * 256) {
#pragma GCC unroll 2
    for (int s = 0; s < kStrips; ++s) {
      const Vector pairs = _mm512_loadu_si512(line + s * strip_bytes);
#pragma GCC unroll 4
      for (int p = 0; p < 4; ++p)
        _mm512_store_si512(to + 64 * s + p * 64 * kStrips, plane_codes(pairs, p));
    }
  }
}

// Rows of activations by two pointers and multiples of the stride that are part of an address: with
// a pointer for each row gcc 12 runs out of registers and moves them to vector ones and back.
class RowPointers {
 public:
  [[gnu::always_inline]] inline RowPointers(const int8_t* first, int64_t stride)
      : first_(first), sixth_(first + 5 * stride), stride_(stride), thrice_(3 * stride) {}
  // Keeps the compiler from taking what at() adds out of a loop.
  [[gnu::always_inline]] inline void hide() {
    asm("" : "+r"(first_), "+r"(sixth_), "+r"(stride_), "+r"(thrice_));
  }
  [[gnu::always_inline]] inline const int8_t* at(int row) const {
    const int8_t* base = row < 5 ? first_ : sixth_;
    return row % 5 == 3 ? base + thrice_ : base + row % 5 * stride_;
  }
  [[gnu::always_inline]] inline void step(int64_t columns) {
    first_ += columns;
    sixth_ += columns;
  }

 private:
  const int8_t *first_, *sixth_;
  int64_t stride_, thrice_;
};

struct Panel {
  const uint8_t* codes;  // unpacked
  int64_t columns;       // a multiple of 16
  const int8_t* in;      // activations of row 0, at the panel's first column
  int64_t row_columns;   // from one row to the next
  const int32_t* sums;   // of row 0; null where `out` holds the panels before
  int32_t* out;          // of row 0, [16] each
  int64_t strip_out;     // dwords of `out` from one strip to the next
  const uint8_t* ahead;  // what to ask for next: a line of each strip for 16 columns
  int64_t strip_bytes;   // from one strip to the next, there
};

// kRows rows, or fewer: `rows` of them, from `row` on.
template <int kStrips, int kRows = kMostRows>
[[gnu::noinline]] void panel_tile(const Panel& panel, int64_t row, int64_t rows) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return panel_tile<kStrips, kRows - 1>(panel, row, rows);
  }
  int32_t* out = panel.out + row * kStripRows;
  Vector total[kStrips][kRows];
#pragma GCC unroll 2
  for (int s = 0; s < kStrips; ++s) {
#pragma GCC unroll 8
    for (int j = 0; j < kRows; ++j) {
      total[s][j] = panel.sums != nullptr ? set(-panel.sums[row + j])
                                          : load_dwords(out + s * panel.strip_out + j * kStripRows);
    }
  }
  RowPointers in(panel.in + row * panel.row_columns, panel.row_columns);
  const uint8_t* ahead = panel.ahead;
  const uint8_t* end = panel.codes + panel.columns * 16 * kStrips;
#pragma GCC unroll 1
  for (const uint8_t* codes = panel.codes; codes != end; codes += 256 * kStrips, ahead += 64) {
    in.hide();
#pragma GCC unroll 2
    for (int s = 0; s < kStrips; ++s) prefetch(ahead + s * panel.strip_bytes);
#pragma GCC unroll 4
    for (int p = 0; p < 4; ++p) {
      Vector weights[kStrips];
#pragma GCC unroll 2
      for (int s = 0; s < kStrips; ++s)
        weights[s] = _mm512_load_si512(codes + (p * kStrips + s) * 64);
#pragma GCC unroll 8
      for (int j = 0; j < kRows; ++j) {
        const Vector activations = broadcast_codes(in.at(j) + 4 * p);
#pragma GCC unroll 2
        for (int s = 0; s < kStrips; ++s) dot(total[s][j], weights[s], activations);
      }
    }
    in.step(16);
  }
#pragma GCC unroll 2
  for (int s = 0; s < kStrips; ++s) {
#pragma GCC unroll 8
    for (int j = 0; j < kRows; ++j)
      store_dwords(out + s * panel.strip_out + j * kStripRows, total[s][j]);
  }
}

// All rows of a job times kStrips strips, panel by panel, in tiles whose sizes differ by at most
// one. Each tile asks for another part of the next panel.
template <int kStrips>
void strips_by_panels(const TernaryDots& job, int64_t strip) {
  alignas(64) uint8_t codes[kStrips * kPanelColumns * 16];
  const int64_t most = job.rows <= kShortPanelRows ? kShortPanel : kPanelColumns;
  const int64_t tiles = (job.rows + kMostRows - 1) / kMostRows;
  const uint8_t* line = job.strips + strip * job.strip_bytes;
  for (int64_t k = 0; k < job.columns; k += most) {
    const bool last = k + most >= job.columns;
    const int64_t bytes = most / kDenseColumns * kDenseBytes, share = bytes / tiles;
    Panel panel = {.codes = codes,
                   .columns = last ? job.columns - k : most,
                   .in = job.codes + k,
                   .row_columns = job.columns,
                   .sums = k == 0 ? job.sums : nullptr,
                   .out = job.out + strip * job.rows * kStripRows,
                   .strip_out = job.rows * kStripRows,
                   .ahead = last ? job.strips + (strip + kStrips) * job.strip_bytes : line + bytes,
                   .strip_bytes = job.strip_bytes};
    unpack_panel<kStrips>(line, job.strip_bytes, panel.columns, codes);
    int64_t row = 0;
    for (int64_t left = tiles; left > 0; --left, panel.ahead += share) {
      const int64_t rows = (job.rows - row + left - 1) / left;
      panel_tile<kStrips>(panel, row, rows);
      row += rows;
    }
    line += bytes;
  }
}

template <int kStrips>
void strips_times_all(const TernaryDots& job, int64_t strip) {
  if (job.rows > kMostRows) return strips_by_panels<kStrips>(job, strip);
  strips_times_rows<kStrips>(job, strip, 0, job.rows);
}

}  // namespace

constinit const DenseTernary avx512gfni_dense = {
    .name = "avx512-gfni", .needs_vbmi = true, .needs_gfni = true, .dots = dense_dots};

}  // namespace bittern::kernel
