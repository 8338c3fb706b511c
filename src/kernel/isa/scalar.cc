// The base table: portable C++ that runs everywhere, the truth the other tables are held to.
// Virtual lanes are four 16-byte vectors, which any target has or gets emulated. Fused
// multiply-add is exact without an instruction for it: the product of two floats is exact in
// double, and the sum is rounded to odd before it is rounded to float, which cannot round twice
// (Boldo and Melquiond, "When double rounding is odd", 2005).

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/kernel.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_scalar.inl"

constexpr int kSingleWeights = 2, kTileWeights = 2, kTileRows = 1;

#include "kernel/isa/decode.inl"
#include "kernel/isa/dots.inl"
#include "kernel/isa/math.inl"
#include "kernel/isa/rows.inl"

void ternary_dots(const TernaryDots& job) {
  for (int64_t m = 0; m < job.rows; ++m) {
    const int8_t* codes = job.codes + m * job.columns;
    int32_t total[kStripRows] = {};
    for (int64_t k = 0; k < job.columns; k += 16) {
      const uint8_t* line = job.strip + k * 4;
      for (int64_t n = 0; n < kStripRows; ++n) {
        for (int64_t i = 0; i < 4; ++i) {
          const int32_t four = line[4 * n + i];
          for (int64_t p = 0; p < 4; ++p) total[n] += (four >> 2 * p & 3) * codes[k + 4 * p + i];
        }
      }
    }
    for (int64_t n = 0; n < kStripRows; ++n) job.out[m * kStripRows + n] = total[n] - job.sums[m];
  }
}

#include "kernel/isa/table.inl"

}  // namespace

constinit const Table scalar_table = make_table("scalar", "scalar", nullptr);

}  // namespace bittern::kernel
