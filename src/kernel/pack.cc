// Packing and unpacking of ternary strips, line by line; pack.h has the pictures. T1.6 is made of
// T2 lines and taken apart into them, a block at a time.
#include "kernel/pack.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernel/ternary.h"

namespace bittern::kernel {
namespace {

constexpr int64_t kLineBytes = 64;
constexpr int64_t kLineColumns = 16;
constexpr uint8_t kZeroCodes = 0x55;  // code 1 four times

#include "kernel/isa/ternary_t16.inl"

// The sixteen columns of a row that a line holds, as its 4 bytes.
void pack_four(const int8_t* columns, uint8_t* bytes) {
  for (int64_t i = 0; i < 4; ++i) {
    int packed = 0;
    for (int64_t p = 0; p < 4; ++p) packed |= (columns[4 * p + i] + 1) << 2 * p;
    bytes[i] = static_cast<uint8_t>(packed);
  }
}

uint8_t dense_byte(int pairs, int fifth) {
  const int c = (pairs & 3) + 3 * (pairs >> 2 & 3) + 9 * (pairs >> 4 & 3) + 27 * (pairs >> 6);
  return static_cast<uint8_t>(c < 64 ? fifth * 64 + c : kFirstEscape + (c - 64) * 3 + fifth);
}

// Five lines of T2 into four of T1.6, and back.
void dense_from_lines(const uint8_t* lines, uint8_t* block) {
  const uint8_t* last = lines + 4 * kLineBytes;
  for (int64_t i = 0; i < 4; ++i) {
    for (int64_t j = 0; j < kLineBytes; ++j)
      block[i * kLineBytes + j] = dense_byte(lines[i * kLineBytes + j], last[j] >> 2 * i & 3);
  }
}

void lines_from_dense(const uint8_t* block, uint8_t* lines) {
  uint8_t* last = lines + 4 * kLineBytes;
  std::memset(last, 0, kLineBytes);
  for (int64_t i = 0; i < 4; ++i) {
    for (int64_t j = 0; j < kLineBytes; ++j) {
      const int byte = block[i * kLineBytes + j];
      const bool escaped = byte >= kFirstEscape;
      const int fifth = escaped ? kDenseTables.fifth[byte & 63] >> 6 : byte >> 6;
      const uint8_t* pairs = escaped ? kDenseTables.escaped_pairs : kDenseTables.pairs;
      lines[i * kLineBytes + j] = pairs[byte & 63];
      last[j] = static_cast<uint8_t>(last[j] | fifth << 2 * i);
    }
  }
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
    for (int64_t first = 0; first < columns; first += kLineColumns) {
      int8_t line[kLineColumns] = {};
      const int64_t count = std::min(kLineColumns, columns - first);
      std::memcpy(line, codes + row * columns + first, static_cast<size_t>(count));
      pack_four(line, strip + first / kLineColumns * kLineBytes + 4 * row);
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

int64_t t16_strip_bytes(int64_t columns) {
  const int64_t padded = t2_columns(columns);
  return padded / kDenseColumns * kDenseBytes + padded % kDenseColumns / kLineColumns * kLineBytes;
}

void t16_pack_strip(const int8_t* codes, int64_t row_count, int64_t columns, uint8_t* strip) {
  std::vector<uint8_t> lines(static_cast<size_t>(t2_strip_bytes(columns)));
  t2_pack_strip(codes, row_count, columns, lines.data());
  const uint8_t* from = lines.data();
  for (int64_t block = t2_columns(columns) / kDenseColumns; block > 0; --block) {
    dense_from_lines(from, strip);
    from += 5 * kLineBytes;
    strip += kDenseBytes;
  }
  std::copy(from, static_cast<const uint8_t*>(lines.data() + lines.size()), strip);
}

void t16_unpack_strip(const uint8_t* strip, int64_t columns, int8_t* codes) {
  std::vector<uint8_t> lines(static_cast<size_t>(t2_strip_bytes(columns)));
  uint8_t* to = lines.data();
  for (int64_t block = t2_columns(columns) / kDenseColumns; block > 0; --block) {
    lines_from_dense(strip, to);
    strip += kDenseBytes;
    to += 5 * kLineBytes;
  }
  std::copy_n(strip, lines.data() + lines.size() - to, to);
  t2_unpack_strip(lines.data(), columns, codes);
}

}  // namespace bittern::kernel
