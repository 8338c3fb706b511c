// Private to the packers: sixteen bytes at a time by the compiler's vectors, which every machine
// has. Not for ISA objects, which have vectors of their own.
#pragma once

#include <cstdint>
#include <cstring>

namespace bittern::kernel {

using ByteVector [[gnu::vector_size(16)]] = uint8_t;

inline ByteVector load_bytes(const uint8_t* from) {
  ByteVector vector;
  std::memcpy(&vector, from, sizeof vector);
  return vector;
}
inline void store_bytes(uint8_t* to, ByteVector vector) { std::memcpy(to, &vector, sizeof vector); }

// Bits [shift, shift + n) of each byte, mask = 2^n - 1. Shifting pairs of bytes, which every
// machine can, moves bits across; the mask removes them.
inline ByteVector bits_of(ByteVector bytes, int shift, int mask) {
  using Pairs [[gnu::vector_size(16)]] = uint16_t;
  return reinterpret_cast<ByteVector>(reinterpret_cast<Pairs>(bytes) >> shift) &
         static_cast<uint8_t>(mask);
}
// The same bits in their place: the bytes must be below 2^(8 - shift).
inline ByteVector bits_at(ByteVector bytes, int shift) {
  using Pairs [[gnu::vector_size(16)]] = uint16_t;
  return reinterpret_cast<ByteVector>(reinterpret_cast<Pairs>(bytes) << shift);
}

// A square of 4 x 4 dwords, turned.
inline void turn_dwords(ByteVector (&rows)[4]) {
  using Dwords [[gnu::vector_size(16)]] = uint32_t;
  const auto row = [&](int i) { return reinterpret_cast<Dwords>(rows[i]); };
  const Dwords low_02 = __builtin_shufflevector(row(0), row(2), 0, 4, 1, 5);
  const Dwords high_02 = __builtin_shufflevector(row(0), row(2), 2, 6, 3, 7);
  const Dwords low_13 = __builtin_shufflevector(row(1), row(3), 0, 4, 1, 5);
  const Dwords high_13 = __builtin_shufflevector(row(1), row(3), 2, 6, 3, 7);
  rows[0] = reinterpret_cast<ByteVector>(__builtin_shufflevector(low_02, low_13, 0, 4, 1, 5));
  rows[1] = reinterpret_cast<ByteVector>(__builtin_shufflevector(low_02, low_13, 2, 6, 3, 7));
  rows[2] = reinterpret_cast<ByteVector>(__builtin_shufflevector(high_02, high_13, 0, 4, 1, 5));
  rows[3] = reinterpret_cast<ByteVector>(__builtin_shufflevector(high_02, high_13, 2, 6, 3, 7));
}

}  // namespace bittern::kernel
