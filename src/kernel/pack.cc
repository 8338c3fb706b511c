// Packing and unpacking of T2 strips, line by line; pack.h has the picture.
#include "kernel/pack.h"

#include <algorithm>
#include <cstring>

#include "kernel/kernel.h"

namespace bittern::kernel {
namespace {

constexpr int64_t kLineBytes = 64;
constexpr int64_t kLineColumns = 16;
constexpr uint8_t kZeroCodes = 0x55;  // code 1 four times

}  // namespace

int64_t t2_columns(int64_t columns) {
  return (columns + kColumnPadding - 1) / kColumnPadding * kColumnPadding;
}

int64_t t2_strip_bytes(int64_t columns) { return t2_columns(columns) / kLineColumns * kLineBytes; }

int64_t t2_bytes(int64_t rows, int64_t columns) {
  return (rows + kStripRows - 1) / kStripRows * t2_strip_bytes(columns);
}

void t2_pack_strip(const int8_t* codes, int64_t row_count, int64_t columns, uint8_t* strip) {
  std::memset(strip, kZeroCodes, static_cast<size_t>(t2_strip_bytes(columns)));
  for (int64_t row = 0; row < row_count; ++row) {
    for (int64_t first = 0; first < columns; first += kLineColumns) {
      int8_t line[kLineColumns] = {};
      const int64_t count = std::min(kLineColumns, columns - first);
      std::memcpy(line, codes + row * columns + first, static_cast<size_t>(count));
      uint8_t* bytes = strip + first / kLineColumns * kLineBytes + 4 * row;
      for (int64_t i = 0; i < 4; ++i) {
        int packed = 0;
        for (int64_t p = 0; p < 4; ++p) packed |= (line[4 * p + i] + 1) << 2 * p;
        bytes[i] = static_cast<uint8_t>(packed);
      }
    }
  }
}

void t2_unpack_strip(const uint8_t* strip, int64_t columns, int8_t* codes) {
  const int64_t padded = t2_columns(columns);
  for (int64_t row = 0; row < kStripRows; ++row) {
    for (int64_t first = 0; first < padded; first += kLineColumns) {
      const uint8_t* bytes = strip + first / kLineColumns * kLineBytes + 4 * row;
      int8_t* line = codes + row * padded + first;
      for (int64_t i = 0; i < 4; ++i) {
        for (int64_t p = 0; p < 4; ++p)
          line[4 * p + i] = static_cast<int8_t>((bytes[i] >> 2 * p & 3) - 1);
      }
    }
  }
}

}  // namespace bittern::kernel
