// Q8_0: 32 values in 34 bytes, 8.5 bits each.
//
//   0   f16 d
//   2   int8 q[32]          value j = d * q[j]
//
// Encoding: d = max|x| / 127, q = x * (1/d) rounded half away from zero, with the f32 d (before
// its rounding to f16). That is ggml's quantize_row_q8_0_ref; its AVX code multiplies by
// 127/max|x| and rounds half to even instead, which now and then codes one step apart.
// Source: ggml-quants.c, ggml-common.h.
#include <cmath>

#include "base/bytes.h"
#include "base/half.h"
#include "codec/formats.h"
#include "codec/rounding.h"

namespace bittern::codec {

void Q8_0::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    const float d = f16_to_f32(load<uint16_t>(blocks));
    for (int j = 0; j < kElements; ++j) {
      values[j] = static_cast<float>(load<int8_t>(blocks + 2 + j)) * d;
    }
  }
}

void Q8_0::encode(const float* values, int64_t count, std::byte* blocks) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    float largest = 0.0f;
    for (int j = 0; j < kElements; ++j) {
      const float magnitude = std::fabs(values[j]);
      largest = largest > magnitude ? largest : magnitude;
    }
    const float d = largest / 127.0f;
    const float inverse = d != 0.0f ? 1.0f / d : 0.0f;
    store(blocks, f32_to_f16(d));
    for (int j = 0; j < kElements; ++j) {
      store(blocks + 2 + j, static_cast<int8_t>(round_half_away(values[j] * inverse)));
    }
  }
}

}  // namespace bittern::codec
