// Private to codec/: float to integer as ggml's reference encoders do it.
//
// Their blocks scale by 1/d. When d is below about 2.9e-39 that is infinite, and the products are
// infinite or NaN, whose conversion C++ leaves undefined. ggml built for x86-64 gets INT_MIN from
// the processor and keeps its low byte, 0; we define exactly that, on every machine. (The stored
// f16 scale of such a block is 0, so it decodes to zeros whatever its codes.)
#pragma once

#include <cmath>

namespace bittern::codec {

// Towards zero; 0 for what no int holds.
inline int truncate(float value) {
  return std::fabs(value) < 0x1p31f ? static_cast<int>(value) : 0;
}

// To nearest, halves away from zero (C's roundf); 0 for what no int holds.
inline int round_half_away(float value) { return truncate(std::round(value)); }

}  // namespace bittern::codec
