// bf16 rows into strips: a transposition of dwords, a chunk of 32 columns (a tile) at a time, so
// that its 16 lines and 16 pieces of rows stay in the first level of cache.
#include "kernel/bf16_pack.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace bittern::kernel {
namespace {

constexpr int64_t kPairBytes = 4;

// Columns of a chunk of one row: dword n of each of its lines.
void store_pairs(const std::byte* row, int64_t count, int64_t n, uint8_t* lines) {
  uint32_t pairs[kBf16Chunk / 2] = {};
  if (count > 0) std::memcpy(pairs, row, static_cast<size_t>(count) * sizeof(uint16_t));
  for (int64_t p = 0; p < kBf16Chunk / 2; ++p)
    std::memcpy(lines + p * kBf16LineBytes + n * kPairBytes, &pairs[p], kPairBytes);
}

}  // namespace

int64_t bf16_columns(int64_t columns) {
  return (columns + kBf16Chunk - 1) / kBf16Chunk * kBf16Chunk;
}

int64_t bf16_strip_bytes(int64_t columns) { return bf16_columns(columns) / 2 * kBf16LineBytes; }

int64_t bf16_bytes(int64_t rows, int64_t columns) {
  return (rows + kBf16Outputs - 1) / kBf16Outputs * bf16_strip_bytes(columns);
}

void pack_bf16_strip(std::span<const std::byte* const> rows, int64_t columns, uint8_t* strip) {
  BITTERN_CHECK(rows.size() <= kBf16Outputs, "{} rows for a strip of bf16", rows.size());
  for (int64_t first = 0; first < columns; first += kBf16Chunk) {
    const int64_t count = std::min(kBf16Chunk, columns - first);
    for (int64_t n = 0; n < kBf16Outputs; ++n) {
      const bool real = n < static_cast<int64_t>(rows.size());
      const std::byte* row = real ? rows[static_cast<size_t>(n)] + first * 2 : nullptr;
      store_pairs(row, real ? count : 0, n, strip);
    }
    strip += kBf16Chunk / 2 * kBf16LineBytes;
  }
}

void unpack_bf16_strip(const uint8_t* strip, int64_t columns, uint16_t* values) {
  const int64_t padded = bf16_columns(columns);
  for (int64_t k = 0; k < padded; ++k) {
    for (int64_t n = 0; n < kBf16Outputs; ++n) {
      const uint8_t* from = strip + k / 2 * kBf16LineBytes + n * kPairBytes + k % 2 * 2;
      std::memcpy(values + n * padded + k, from, sizeof(uint16_t));
    }
  }
}

}  // namespace bittern::kernel
