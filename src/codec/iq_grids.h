// Private to codec/ and the packers (kernel/block_formats_iq.cc): the codebooks of IQ1, IQ2 and
// IQ3, and the packing of signs that some share.
//
// A codebook entry stands for 8 values (IQ3: 4), each one of few levels: 2 bits of the entry
// (IQ3: 4) are the index of a level, the first value in the lowest. Source: ggml-common.h of
// llama.cpp, where an entry is 8 (4) whole bytes.
#pragma once

#include <bit>
#include <cstdint>

namespace bittern::codec {

extern const uint16_t kIq2XxsGrid[256];
extern const uint16_t kIq2XsGrid[512];
extern const uint16_t kIq2SGrid[1024];
extern const uint16_t kIq3XxsGrid[256];
extern const uint16_t kIq3SGrid[512];
extern const uint16_t kIq1SGrid[2048];  // IQ1_M's too

// Eight signs in seven bits, bit j set where value j is negative: there is always an even number
// of them, so the eighth is the parity of the others.
inline uint32_t signs_of(uint32_t seven_bits) {
  uint32_t parity = seven_bits;
  parity ^= parity >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return seven_bits | (parity & 1u) << 7;
}

// A magnitude, negated where the lowest of `signs` is set; without a branch, as signs are random.
inline float with_sign(float magnitude, uint32_t signs) {
  return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) ^ signs << 31);
}

// 8 magnitudes of an IQ2 codebook, scaled and signed.
inline void decode_iq2_group(uint16_t entry, uint32_t signs, float scale, float* values) {
  constexpr float kLevels[] = {8, 25, 43, 0};  // index 3 is in no entry
  for (int j = 0; j < 8; ++j) {
    values[j] = with_sign(scale * kLevels[entry >> (2 * j) & 3], signs >> j);
  }
}

}  // namespace bittern::codec
