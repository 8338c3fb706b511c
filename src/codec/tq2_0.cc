// TQ2_0: 256 ternary values in 66 bytes, 2.0625 bits each.
//
//    0   u8 qs[64]
//   64   f16 d             value = d * (code - 1)
//
// Each 32 bytes hold 128 values: bits 2n, 2n+1 of byte m are value 32 n + m (n = 0..3) of them.
// No encoder writes code 3; it decodes to 2 d, as the reference does.
//
// Encoding: d = max|x|, code = x * (1/d) rounded half away from zero, plus 1; exact for blocks of
// {-a, 0, a}, anything else loses. Source: ggml-quants.c, quantize_row_tq2_0_ref.
#include <cmath>

#include "base/bytes.h"
#include "base/half.h"
#include "codec/formats.h"
#include "codec/rounding.h"

namespace bittern::codec {

void TQ2_0::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes) {
    const float d = f16_to_f32(load<uint16_t>(blocks + kScaleOffset));
    for (int first = 0; first < kScaleOffset; first += 32) {
      for (int shift = 0; shift < 8; shift += 2, values += 32) {
        for (int m = 0; m < 32; ++m) {
          const int code = load<uint8_t>(blocks + first + m) >> shift & 3;
          values[m] = static_cast<float>(code - 1) * d;
        }
      }
    }
  }
}

void TQ2_0::encode(const float* values, int64_t count, std::byte* blocks) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    float d = 0.0f;
    for (int j = 0; j < kElements; ++j) {
      const float magnitude = std::fabs(values[j]);
      d = d > magnitude ? d : magnitude;
    }
    const float inverse = d != 0.0f ? 1.0f / d : 0.0f;
    store(blocks + kScaleOffset, f32_to_f16(d));
    for (int byte = 0; byte < kScaleOffset; ++byte) {
      const float* first = values + byte / 32 * 128 + byte % 32;
      int packed = 0;
      for (int n = 0; n < 4; ++n) {
        packed |= ((round_half_away(first[32 * n] * inverse) + 1) & 3) << 2 * n;
      }
      store(blocks + byte, static_cast<uint8_t>(packed));
    }
  }
}

}  // namespace bittern::codec
