// Ternary products with SDOT (four products of int8 into each int32): T2 strips, pack.h.
//
// A 64-byte line (16 outputs x 16 columns) is four q registers of four outputs each. Their planes
// are codes 0..2, which SDOT takes as signed bytes, times one lane of a register that holds the 16
// activations of the line: dword p of it belongs to plane p, so nothing is broadcast.
//
//   q register v   dword n, byte i, bits 2p: output 4v + n, column 4p + i
//   activations    dword p, byte i:          column 4p + i
//
// Counted per line: 1 row 4 loads, 12 ANDs, 4 shifts, 16 SDOT, 1 load of activations, 1 prefetch;
// 4 rows 4 loads, 12 ANDs, 12 shifts, 4 loads of activations, 64 SDOT.

constexpr int64_t kPrefetchBytes = 6144;  // as in ternary_avx512.cc; never measured here
constexpr int kRegisters = 4;             // of a line

template <int kPlane>
[[gnu::always_inline]] inline void dot(int32x4_t& total, uint8x16_t weights, int8x16_t codes) {
  total = vdotq_laneq_s32(total, vreinterpretq_s8_u8(weights), codes, kPlane);
}

// The codes of four outputs, plane by plane.
struct Planes {
  uint8x16_t plane[4];
};

[[gnu::always_inline]] inline Planes load_planes(const uint8_t* at) {
  const uint8x16_t packed = vld1q_u8(at), mask = vdupq_n_u8(3);
  return {{vandq_u8(packed, mask), vandq_u8(vshrq_n_u8(packed, 2), mask),
           vandq_u8(vshrq_n_u8(packed, 4), mask), vshrq_n_u8(packed, 6)}};
}

// One row. Planes 1 and 2 are masked where they lie and come out times 4 and 16, each with totals
// of its own, at most 2^19 * 2 * 127 * 16 / 4; plane 3 would be too large for a signed byte.
void strip_times_one(const TernaryDots& job, int64_t strip) {
  const uint8_t* line = job.strips + strip * job.strip_bytes;
  const uint8x16_t mask = vdupq_n_u8(3), mask_1 = vdupq_n_u8(12), mask_2 = vdupq_n_u8(48);
  int32x4_t units[kRegisters], fours[kRegisters], sixteens[kRegisters];
#pragma GCC unroll 4
  for (int v = 0; v < kRegisters; ++v) {
    units[v] = vdupq_n_s32(-job.sums[0]);
    fours[v] = sixteens[v] = vdupq_n_s32(0);
  }
  for (int64_t k = 0; k < job.columns; k += 16, line += 64) {
    __builtin_prefetch(line + kPrefetchBytes);
    const int8x16_t codes = vld1q_s8(job.codes + k);
#pragma GCC unroll 4
    for (int v = 0; v < kRegisters; ++v) {
      const uint8x16_t packed = vld1q_u8(line + 16 * v);
      dot<0>(units[v], vandq_u8(packed, mask), codes);
      dot<1>(fours[v], vandq_u8(packed, mask_1), codes);
      dot<2>(sixteens[v], vandq_u8(packed, mask_2), codes);
      dot<3>(units[v], vshrq_n_u8(packed, 6), codes);
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < kRegisters; ++v) {
    const int32x4_t total = vsraq_n_s32(units[v], fours[v], 2);
    vst1q_s32(job.out + strip * kStripRows + 4 * v, vsraq_n_s32(total, sixteens[v], 4));
  }
}

// kRows rows from `row` on.
template <int kRows>
void strip_times_rows(const TernaryDots& job, int64_t strip, int64_t row) {
  const uint8_t* line = job.strips + strip * job.strip_bytes;
  const int8_t* codes = job.codes + row * job.columns;
  int32x4_t total[kRows][kRegisters];
#pragma GCC unroll 4
  for (int j = 0; j < kRows; ++j) {
#pragma GCC unroll 4
    for (int v = 0; v < kRegisters; ++v) total[j][v] = vdupq_n_s32(-job.sums[row + j]);
  }
  for (int64_t k = 0; k < job.columns; k += 16, line += 64) {
    __builtin_prefetch(line + kPrefetchBytes);
    int8x16_t x[kRows];
#pragma GCC unroll 4
    for (int j = 0; j < kRows; ++j) x[j] = vld1q_s8(codes + j * job.columns + k);
#pragma GCC unroll 4
    for (int v = 0; v < kRegisters; ++v) {
      const Planes weights = load_planes(line + 16 * v);
#pragma GCC unroll 4
      for (int j = 0; j < kRows; ++j) {
        dot<0>(total[j][v], weights.plane[0], x[j]);
        dot<1>(total[j][v], weights.plane[1], x[j]);
        dot<2>(total[j][v], weights.plane[2], x[j]);
        dot<3>(total[j][v], weights.plane[3], x[j]);
      }
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < kRows; ++j) {
    int32_t* out = job.out + (strip * job.rows + row + j) * kStripRows;
#pragma GCC unroll 4
    for (int v = 0; v < kRegisters; ++v) vst1q_s32(out + 4 * v, total[j][v]);
  }
}

void strip_dots(const TernaryDots& job, int64_t strip) {
  if (job.rows == 1) return strip_times_one(job, strip);
  int64_t row = 0;
  for (; row + 4 <= job.rows; row += 4) strip_times_rows<4>(job, strip, row);
  if (job.rows - row == 3) return strip_times_rows<3>(job, strip, row);
  if (job.rows - row == 2) return strip_times_rows<2>(job, strip, row);
  if (job.rows - row == 1) strip_times_rows<1>(job, strip, row);
}
