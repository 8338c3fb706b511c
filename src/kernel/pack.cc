// Packing and unpacking of ternary strips, line by line; pack.h has the pictures. T1.6 is made of
// T2 lines and taken apart into them, a block at a time.
#include "kernel/pack.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernel/byte_vector.h"
#include "kernel/ternary.h"

namespace bittern::kernel {
namespace {

constexpr int64_t kLineBytes = 64;
constexpr int64_t kLineColumns = 16;

#include "kernel/isa/ternary_t16.inl"

// The sixteen columns of a row that a line holds, as its 4 bytes.
uint32_t pack_word(const int8_t* columns) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  uint64_t eight[2];
  std::memcpy(eight, columns, sizeof eight);
  for (uint64_t& codes : eight)  // -1, 0, 1 to 0, 1, 2 in every byte
    codes = (~codes & kOnes) | (codes & ~(codes >> 1) & kOnes) << 1;
  const uint64_t pairs = eight[0] | eight[1] << 4;
  return static_cast<uint32_t>(pairs | pairs >> 30);
}

ByteVector times_3(ByteVector bytes) { return bytes + bytes + bytes; }

// Field `field` of each byte.
ByteVector field_of(ByteVector bytes, int field) { return bits_of(bytes, 2 * field, 3); }

// Bytes of T1.6: t0 to t3 of `pairs`, and t4. The escape is 192 + (c - 64) * 3 + t4 = 3 c + t4.
ByteVector dense_bytes(ByteVector pairs, ByteVector fifth) {
  constexpr int kDirect = 64;
  static_assert(kFirstEscape == 3 * kDirect);
  ByteVector c = times_3(field_of(pairs, 3)) + field_of(pairs, 2);
  c = times_3(c) + field_of(pairs, 1);
  c = times_3(c) + field_of(pairs, 0);
  const auto direct = reinterpret_cast<ByteVector>(c < kDirect);
  return (direct & (bits_at(fifth, 6) + c)) | (~direct & (times_3(c) + fifth));
}

// Five lines of T2 into four of T1.6, and back.
void dense_from_lines(const uint8_t* lines, uint8_t* block) {
  const uint8_t* last = lines + 4 * kLineBytes;
  for (int64_t j = 0; j < kLineBytes; j += 16) {
    const ByteVector fifths = load_bytes(last + j);
    for (int i = 0; i < 4; ++i) {
      const int64_t at = i * kLineBytes + j;
      store_bytes(block + at, dense_bytes(load_bytes(lines + at), field_of(fifths, i)));
    }
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
  std::memset(strip, kT2ZeroByte, static_cast<size_t>(t2_strip_bytes(columns)));
  const auto pack_line = [&](const int8_t* line, int64_t row, int64_t first) {
    const uint32_t word = pack_word(line);
    std::memcpy(strip + first / kLineColumns * kLineBytes + 4 * row, &word, sizeof word);
  };
  for (int64_t row = 0; row < row_count; ++row) {
    const int8_t* from = codes + row * columns;
    const int64_t whole = columns / kLineColumns * kLineColumns;
    for (int64_t first = 0; first < whole; first += kLineColumns)
      pack_line(from + first, row, first);
    if (whole == columns) continue;
    int8_t line[kLineColumns] = {};
    std::copy(from + whole, from + columns, line);
    pack_line(line, row, whole);
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
  t16_from_t2(lines.data(), columns, strip);
}

void t16_from_t2(const uint8_t* lines, int64_t columns, uint8_t* strip) {
  const uint8_t* end = lines + t2_strip_bytes(columns);
  for (int64_t block = t2_columns(columns) / kDenseColumns; block > 0; --block) {
    dense_from_lines(lines, strip);
    lines += 5 * kLineBytes;
    strip += kDenseBytes;
  }
  std::copy(lines, end, strip);
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
