// Private to codec/: float to integer as ggml's reference encoders do it.
//
// Their blocks scale by 1/d. When d is below about 2.9e-39 that is infinite, and the products are
// infinite or NaN, whose conversion C++ leaves undefined. ggml built for x86-64 gets INT_MIN from
// the processor and keeps its low byte, 0; we define exactly that, on every machine. (The stored
// f16 scale of such a block is 0, so it decodes to zeros whatever its codes.)
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace bittern::codec {

// Towards zero; 0 for what no int holds.
inline int truncate(float value) {
  return std::fabs(value) < 0x1p31f ? static_cast<int>(value) : 0;
}

// To nearest, halves away from zero (C's roundf); 0 for what no int holds.
inline int round_half_away(float value) { return truncate(std::round(value)); }

// To nearest, halves to even, as the k-quant encoders do it: adding 1.5 * 2^23 leaves the integer
// in the low bits of the float. Beyond +-2^22, and for what is not finite, the bits are what they
// are: the reference takes them so, and the result is the same on every machine.
inline int round_half_even(float value) {
  const auto bits = std::bit_cast<uint32_t>(value + 12582912.0f);
  return static_cast<int>(bits & 0x7fffffu) - 0x400000;
}

}  // namespace bittern::codec
