// Ternary products with NEON and SMMLA (2 x 8 times 8 x 2 bytes into 2 x 2 int32): T2 strips. Few
// rows are as with SDOT, ternary_neon.inl. From kManyRows on, panels of columns of up to four
// strips are unpacked once to codes 0..2 in the order of the instruction,
//
//   weights   every 8 columns: 8 registers; the two halves of register i are those columns of
//             outputs 2i and 2i + 1 (dwords of two planes of T2, zipped)
//   codes     every 8 columns: 4 registers; likewise of rows 2j and 2j + 1
//
// and tiles of 8 rows x 8 outputs keep 16 registers of totals: for 8 columns 4 + 4 loads and
// 16 SMMLA, where SDOT would take 32. Unpacking a line: 4 loads, 24 shifts and ANDs, 16 zips,
// 16 stores; zipping 16 columns of 8 rows: 8 loads, 8 zips, 8 stores.
// The speed of this is unverified: it has run under an emulator only.

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/ternary.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_neon.inl"
#include "kernel/isa/ternary_neon.inl"
#include "kernel/isa/ternary_scale.inl"

constexpr int64_t kManyRows = 8;  // below, unpacking costs more than it saves (counted)
constexpr int kPairs = 4;         // of rows, of a tile
constexpr int64_t kTileRows = 2 * kPairs;
constexpr int64_t kPanelColumns = 256;
constexpr int64_t kWeightStep = 8 * kStripRows;  // bytes of 8 columns
constexpr int64_t kCodeStep = 8 * kTileRows;

// 18 KiB, which stay in the first level of cache.
struct Panel {
  alignas(64) int8_t weights[kTernaryStrips][kPanelColumns / 8 * kWeightStep];
  alignas(64) int8_t codes[kPanelColumns / 8 * kCodeStep];
};

[[gnu::always_inline]] inline int32x4_t dwords(uint8x16_t bytes) {
  return vreinterpretq_s32_u8(bytes);
}
[[gnu::always_inline]] inline void store_codes(int8_t* to, int32x4_t codes) {
  vst1q_s8(to, vreinterpretq_s8_s32(codes));
}

void unpack_lines(const uint8_t* line, int64_t columns, int8_t* to) {
  for (int64_t k = 0; k < columns; k += 16, line += 64, to += 2 * kWeightStep) {
    __builtin_prefetch(line + kPrefetchBytes);
#pragma GCC unroll 4
    for (int v = 0; v < kRegisters; ++v) {
      const Planes codes = load_planes(line + 16 * v);
      const int32x4_t a = dwords(codes.plane[0]), b = dwords(codes.plane[1]);
      const int32x4_t c = dwords(codes.plane[2]), d = dwords(codes.plane[3]);
      store_codes(to + 32 * v, vzip1q_s32(a, b));
      store_codes(to + 32 * v + 16, vzip2q_s32(a, b));
      store_codes(to + kWeightStep + 32 * v, vzip1q_s32(c, d));
      store_codes(to + kWeightStep + 32 * v + 16, vzip2q_s32(c, d));
    }
  }
}

// `count` rows of codes from `from` on; what is missing of a tile repeats the last one.
void zip_rows(const int8_t* from, int64_t row_columns, int64_t count, int64_t columns, int8_t* to) {
  for (int64_t j = 0; j < kPairs; ++j) {
    const int64_t first = 2 * j < count ? 2 * j : count - 1;
    const int64_t second = 2 * j + 1 < count ? 2 * j + 1 : count - 1;
    const int8_t* a = from + first * row_columns;
    const int8_t* b = from + second * row_columns;
    int8_t* at = to + 16 * j;
    for (int64_t k = 0; k < columns; k += 16, at += 2 * kCodeStep) {
      const int64x2_t of_first = vreinterpretq_s64_s8(vld1q_s8(a + k));
      const int64x2_t of_second = vreinterpretq_s64_s8(vld1q_s8(b + k));
      vst1q_s8(at, vreinterpretq_s8_s64(vzip1q_s64(of_first, of_second)));
      vst1q_s8(at + kCodeStep, vreinterpretq_s8_s64(vzip2q_s64(of_first, of_second)));
    }
  }
}

// Dwords of the lower (kUpper: upper) row of two 2 x 2 results: four outputs.
template <bool kUpper>
[[gnu::always_inline]] inline int32x4_t row_of(int32x4_t first, int32x4_t second) {
  const int64x2_t a = vreinterpretq_s64_s32(first), b = vreinterpretq_s64_s32(second);
  return vreinterpretq_s32_s64(kUpper ? vzip2q_s64(a, b) : vzip1q_s64(a, b));
}

// Eight outputs times a tile of rows, `count` of which are real: added to `out` [rows, 16], which
// holds minus the sums of the rows or what earlier panels gave.
void tile(const int8_t* weights, const int8_t* codes, int64_t columns, int64_t count,
          int32_t* out) {
  int32x4_t total[kPairs][4];
#pragma GCC unroll 4
  for (int j = 0; j < kPairs; ++j) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) total[j][i] = vdupq_n_s32(0);
  }
  for (int64_t k = 0; k < columns; k += 8, weights += kWeightStep, codes += kCodeStep) {
    int8x16_t x[kPairs];
#pragma GCC unroll 4
    for (int j = 0; j < kPairs; ++j) x[j] = vld1q_s8(codes + 16 * j);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const int8x16_t pair = vld1q_s8(weights + 16 * i);
#pragma GCC unroll 4
      for (int j = 0; j < kPairs; ++j) total[j][i] = vmmlaq_s32(total[j][i], x[j], pair);
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < kPairs; ++j) {
    int32_t* at = out + 2 * j * kStripRows;
    if (2 * j < count) {
      vst1q_s32(at, vaddq_s32(vld1q_s32(at), row_of<false>(total[j][0], total[j][1])));
      vst1q_s32(at + 4, vaddq_s32(vld1q_s32(at + 4), row_of<false>(total[j][2], total[j][3])));
    }
    if (2 * j + 1 < count) {
      at += kStripRows;
      vst1q_s32(at, vaddq_s32(vld1q_s32(at), row_of<true>(total[j][0], total[j][1])));
      vst1q_s32(at + 4, vaddq_s32(vld1q_s32(at + 4), row_of<true>(total[j][2], total[j][3])));
    }
  }
}

// Columns [k, k + columns) of `strips` strips from `strip` on, times all rows.
void panel_dots(const TernaryDots& job, int64_t strip, int64_t strips, int64_t k, int64_t columns,
                Panel& panel) {
  for (int64_t s = 0; s < strips; ++s)
    unpack_lines(job.strips + (strip + s) * job.strip_bytes + k * 4, columns, panel.weights[s]);
  for (int64_t row = 0; row < job.rows; row += kTileRows) {
    const int64_t count = job.rows - row < kTileRows ? job.rows - row : kTileRows;
    zip_rows(job.codes + row * job.columns + k, job.columns, count, columns, panel.codes);
    for (int64_t s = 0; s < strips; ++s) {
      int32_t* out = job.out + ((strip + s) * job.rows + row) * kStripRows;
      tile(panel.weights[s], panel.codes, columns, count, out);
      tile(panel.weights[s] + kWeightStep / 2, panel.codes, columns, count, out + 8);
    }
  }
}

void strips_times_many(const TernaryDots& job, int64_t strip, int64_t strips) {
  for (int64_t s = strip; s < strip + strips; ++s) {
    for (int64_t m = 0; m < job.rows; ++m) {
      const int32x4_t start = vdupq_n_s32(-job.sums[m]);
      int32_t* out = job.out + (s * job.rows + m) * kStripRows;
#pragma GCC unroll 4
      for (int64_t n = 0; n < kStripRows; n += 4) vst1q_s32(out + n, start);
    }
  }
  Panel panel;
  for (int64_t k = 0; k < job.columns; k += kPanelColumns) {
    const int64_t left = job.columns - k;
    panel_dots(job, strip, strips, k, left < kPanelColumns ? left : kPanelColumns, panel);
  }
}

void ternary_dots(const TernaryDots& job) {
  if (job.rows < kManyRows) {
    for (int64_t strip = 0; strip < job.strip_count; ++strip) strip_dots(job, strip);
    return;
  }
  for (int64_t strip = 0; strip < job.strip_count; strip += kTernaryStrips) {
    const int64_t left = job.strip_count - strip;
    strips_times_many(job, strip, left < kTernaryStrips ? left : kTernaryStrips);
  }
}

}  // namespace

constinit const TernaryKernels neoni8mm_ternary = {
    .name = "neon-i8mm", .dots = ternary_dots, .scale = ternary_scale, .dense = nullptr};

}  // namespace bittern::kernel
