#include "kernel/pack.h"

#include <cstring>

#include "kernel/kernel.h"

namespace bittern::kernel {
namespace {

constexpr int64_t kLineBytes = 64;
constexpr int64_t kLineColumns = 16;
constexpr uint8_t kZeroCodes = 0x55;  // code 1 four times

struct Place {
  int64_t byte;
  int shift;
};

Place place(int64_t row, int64_t column) {
  const int64_t line = column / kLineColumns;
  const int64_t within = column % kLineColumns;
  return {line * kLineBytes + 4 * row + within % 4, static_cast<int>(within / 4 * 2)};
}

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
    for (int64_t column = 0; column < columns; ++column) {
      const Place at = place(row, column);
      const int code = codes[row * columns + column] + 1;
      const int kept = strip[at.byte] & ~(3 << at.shift);
      strip[at.byte] = static_cast<uint8_t>(kept | code << at.shift);
    }
  }
}

void t2_unpack_strip(const uint8_t* strip, int64_t columns, int8_t* codes) {
  const int64_t padded = t2_columns(columns);
  for (int64_t row = 0; row < kStripRows; ++row) {
    for (int64_t column = 0; column < padded; ++column) {
      const Place at = place(row, column);
      codes[row * padded + column] = static_cast<int8_t>((strip[at.byte] >> at.shift & 3) - 1);
    }
  }
}

}  // namespace bittern::kernel
