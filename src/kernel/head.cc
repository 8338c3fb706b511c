// Packing of the coarse plane and its bound; all norms in double, rounded up.
#include "kernel/head.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/half.h"
#include "kernel/block_pack.h"
#include "kernel/block_strip.h"

namespace bittern::kernel {
namespace {

constexpr double kUnit = 0x1p-24;
// Doubles that were summed are this much too small at most: 2^17 terms of one rounding each, and
// what makes a float of them.
constexpr double kSlack = 1.0 + 0x1p-20;
// Beyond this the product of two norms might overflow on its way.
constexpr double kLargestProduct = 1e37;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

double gamma(int64_t roundings) {
  const double n = static_cast<double>(roundings) * kUnit;
  return n / (1.0 - n);
}

float rounded_up(double value) { return static_cast<float>(value * kSlack); }

// 16 bits of the scale with which the largest of the codes is 127 or a little more.
uint16_t scale_bits(float largest) {
  constexpr float kHalfMax = 65504.0f;
  return f32_to_f16(std::min(largest / 127.0f, kHalfMax));
}

// Columns [first, first + count) of a row: its codes, and what they add to the squares of the
// norms.
void code_columns(const float* values, int64_t first, int64_t count, BlockRow& row, double& error,
                  double& weight) {
  for (int64_t at = 0; at < count; at += kHeadLayout.sub) {
    const int64_t end = std::min<int64_t>(at + kHeadLayout.sub, count);
    const float* from = values + first;
    float largest = 0.0f;
    for (int64_t k = at; k < end; ++k) largest = std::max(largest, std::abs(from[k]));
    const uint16_t bits = scale_bits(largest);
    const float scale = f16_to_f32(bits);
    const float inverse = scale > 0.0f ? 1.0f / scale : 0.0f;
    row.scales[at / kHeadLayout.sub] = bits;
    for (int64_t k = at; k < end; ++k) {
      const float code = std::clamp(std::nearbyint(from[k] * inverse), -127.0f, 127.0f);
      row.codes[k] = static_cast<uint8_t>(static_cast<int>(code) + kHeadLayout.zero);
      const double value = double{code} * double{scale};
      const double off = double{from[k]} - value;
      error += off * off;
      weight += value * value;
    }
  }
}

bool all_finite(const float* values, int64_t count) {
  float sum = 0.0f;  // 0 unless one of them is infinite or not a number
  for (int64_t k = 0; k < count; ++k) sum += values[k] * 0.0f;
  return sum == 0.0f;
}

// One value of the codes of run `column / 32`; `row` 0 or 1.
double coded(const HeadCodes& codes, int row, int64_t column) {
  const int64_t index = column / kBlockColumns * codes.pitch + row;
  const int64_t at = column % kBlockColumns;
  return double{codes.scales[index * kBlockRuns + at / kBlockRun]} *
         codes.codes[index * kBlockColumns + at];
}

}  // namespace

int64_t head_norms_offset(int64_t columns) { return block_strip_bytes(kHeadLayout, columns); }

int64_t head_strip_bytes(int64_t columns) {
  static_assert(sizeof(HeadNorms) % 64 == 0);
  return head_norms_offset(columns) + static_cast<int64_t>(sizeof(HeadNorms));
}

int64_t head_bytes(int64_t rows, int64_t columns) {
  return (rows + kBlockStripRows - 1) / kBlockStripRows * head_strip_bytes(columns);
}

float pack_head_strip(const float* values, int64_t rows, int64_t stride, int64_t columns,
                      uint8_t* strip) {
  double error[kBlockStripRows] = {}, weight[kBlockStripRows] = {};
  bool usable = true;
  for (int64_t n = 0; n < rows; ++n) usable = usable && all_finite(values + n * stride, columns);
  for (int64_t first = 0; first < columns; first += kBlockColumns) {
    BlockRow block[kBlockStripRows];
    for (int64_t n = 0; n < kBlockStripRows; ++n) {
      clear_block_row(kHeadLayout, block[n]);
      if (n >= rows || !usable) continue;
      code_columns(values + n * stride, first, std::min(kBlockColumns, columns - first), block[n],
                   error[n], weight[n]);
    }
    store_block(kHeadLayout, block, strip);
    strip += block_offsets(kHeadLayout).bytes;
  }
  HeadNorms norms;
  float largest = 0.0f;
  for (int64_t n = 0; n < kBlockStripRows; ++n) {
    norms.error[n] = rounded_up(std::sqrt(error[n]));
    norms.weight[n] = rounded_up(std::sqrt(weight[n]));
    largest = std::max(largest, (norms.error[n] + norms.weight[n]) * (1.0f + 0x1p-20f));
  }
  std::memcpy(strip, &norms, sizeof(norms));
  return usable ? largest : kInfinity;
}

void head_rest(const float* x, int64_t columns, const HeadCodes& codes, float* rest) {
  for (int64_t k = 0; k < columns; ++k)
    rest[k] = static_cast<float>(double{x[k]} - coded(codes, 0, k));
}

HeadReach head_reach(const float* x, int64_t columns, const HeadCodes& codes, float largest) {
  double whole = 0.0, first = 0.0, second = 0.0, left = 0.0;
  for (int64_t k = 0; k < columns; ++k) {
    const double value = x[k], one = coded(codes, 0, k), two = coded(codes, 1, k);
    const double off = value - one - two;
    whole += value * value;
    first += one * one;
    second += two * two;
    left += off * off;
  }
  const double norm = std::sqrt(whole) * kSlack;
  const double coded_norms = (std::sqrt(first) + std::sqrt(second)) * kSlack;
  const double off = std::sqrt(left) * kSlack;
  // Not a number fails this, too.
  if (!(norm * largest < kLargestProduct) || !(norm < kLargestProduct) ||
      !(coded_norms * largest < kLargestProduct))
    return {kInfinity, kInfinity, kInfinity};
  const double full = gamma(columns + 16);
  const double runs = gamma(columns / kBlockRun + 1 + 8);
  return {rounded_up(norm * (1.0 + full)), rounded_up(off + full * norm + runs * coded_norms),
          rounded_up(static_cast<double>(columns) * 0x1p-120 * (1.0 + norm + largest))};
}

}  // namespace bittern::kernel
