// Ternary products of T1.6 strips in portable C++, the truth for the other file: a block at a time
// is expanded to the lines of T2 that hold the same columns.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/ternary.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/ternary_line.inl"
#include "kernel/isa/ternary_t16.inl"

// A block of 80 columns as the five lines of T2 that hold the same.
void expand(const uint8_t* block, uint8_t* lines) {
  std::memset(lines + 256, 0, 64);
  for (int64_t i = 0; i < 4; ++i) {
    for (int64_t j = 0; j < 64; ++j) {
      const int byte = block[64 * i + j];
      const bool escaped = byte >= kFirstEscape;
      const int fifth = escaped ? kDenseTables.fifth[byte & 63] >> 6 : byte >> 6;
      lines[64 * i + j] =
          escaped ? kDenseTables.escaped_pairs[byte & 63] : kDenseTables.pairs[byte & 63];
      lines[256 + j] = static_cast<uint8_t>(lines[256 + j] | fifth << 2 * i);
    }
  }
}

void dense_dots(const TernaryDots& job) {
  const int64_t blocks = job.columns / kDenseColumns;
  for (int64_t s = 0; s < job.strip_count; ++s) {
    const uint8_t* strip = job.strips + s * job.strip_bytes;
    int32_t* out = job.out + s * job.rows * kStripRows;
    for (int64_t i = 0; i < job.rows * kStripRows; ++i) out[i] = -job.sums[i / kStripRows];
    for (int64_t k = 0; k < job.columns;) {
      uint8_t lines[5 * 64];
      int64_t count = 1;
      if (k / kDenseColumns < blocks) {
        expand(strip + k / kDenseColumns * kDenseBytes, lines);
        count = 5;
      } else {
        std::memcpy(lines, strip + blocks * kDenseBytes + k % kDenseColumns * 4, 64);
      }
      for (int64_t m = 0; m < job.rows; ++m) {
        for (int64_t i = 0; i < count; ++i)
          add_line(lines + 64 * i, job.codes + m * job.columns + k + 16 * i, out + m * kStripRows);
      }
      k += 16 * count;
    }
  }
}

}  // namespace

constinit const DenseTernary scalar_dense = {
    .name = "scalar", .needs_vbmi = false, .needs_gfni = false, .dots = dense_dots};

}  // namespace bittern::kernel
