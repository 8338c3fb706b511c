// Ternary products in portable C++, the truth the other files are held to: a line of T2 (pack.h)
// at a time, each code times its activation, into int32.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/ternary.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_scalar.inl"
#include "kernel/isa/ternary_line.inl"
#include "kernel/isa/ternary_scale.inl"

void ternary_dots(const TernaryDots& job) {
  for (int64_t s = 0; s < job.strip_count; ++s) {
    const uint8_t* strip = job.strips + s * job.strip_bytes;
    for (int64_t m = 0; m < job.rows; ++m) {
      int32_t total[kStripRows] = {};
      for (int64_t k = 0; k < job.columns; k += 16)
        add_line(strip + k * 4, job.codes + m * job.columns + k, total);
      int32_t* out = job.out + (s * job.rows + m) * kStripRows;
      for (int64_t n = 0; n < kStripRows; ++n) out[n] = total[n] - job.sums[m];
    }
  }
}

}  // namespace

constinit const TernaryKernels scalar_ternary = {
    .name = "scalar", .dots = ternary_dots, .scale = ternary_scale, .dense = nullptr};

}  // namespace bittern::kernel
