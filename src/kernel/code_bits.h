// Private to the packers: bits of a format's bytes drawn apart into codes of a byte each, eight at
// a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace bittern::kernel {

inline int byte_at(const std::byte* bytes, int64_t index) { return load<uint8_t>(bytes + index); }

// The bits of a byte as bytes 0 and 1, the lowest bit first.
inline uint64_t bits_apart(uint64_t byte) {
  const uint64_t own = byte * 0x0101010101010101 & 0x8040201008040201;
  return (own + 0x7f7f7f7f7f7f7f7f) >> 7 & 0x0101010101010101;
}

// Eight pairs of bits as bytes, the lowest first.
inline uint64_t crumbs_apart(uint64_t word) {
  word = (word | word << 24) & 0x000000ff000000ff;
  word = (word | word << 12) & 0x000f000f000f000f;
  return (word | word << 6) & 0x0303030303030303;
}

// Eight nibbles as bytes, the lowest first.
inline uint64_t nibbles_apart(uint64_t word) {
  word = (word | word << 16) & 0x0000ffff0000ffff;
  word = (word | word << 8) & 0x00ff00ff00ff00ff;
  return (word | word << 4) & 0x0f0f0f0f0f0f0f0f;
}

}  // namespace bittern::kernel
