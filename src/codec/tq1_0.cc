// TQ1_0: 256 ternary values in 54 bytes, 1.6875 bits each: five base-3 digits a byte.
//
//    0   u8 qs[48]
//   48   u8 qh[4]
//   52   f16 d             value = d * (digit - 1)
//
// Digit n of byte m (n = 0 is the most significant) belongs to value
//   bytes  0..31   32 n + m               five digits, values   0..159
//   bytes 32..47   160 + 16 n + (m - 32)  five digits, values 160..239
//   bytes 48..51   240 +  4 n + (m - 48)  four digits, values 240..255, the fifth digit is 0
// The five digits form v in 0..242, stored as ceil(256 v / 243): the fraction byte/256, rounded
// up, so that digit n falls out of the top of 3 * (3^n * byte mod 256) without a division.
// Every byte value decodes to digits 0, 1, 2.
//
// Encoding: d = max|x|, digit = x * (1/d) rounded half away from zero, plus 1; exact for blocks of
// {-a, 0, a}, anything else loses. Source: ggml-quants.c, quantize_row_tq1_0_ref.
#include <cmath>

#include "base/bytes.h"
#include "base/half.h"
#include "codec/formats.h"
#include "codec/rounding.h"

namespace bittern::codec {
namespace {

// A run of bytes whose digit n of byte m is value first_value + bytes * n + m.
struct Section {
  int first_byte, bytes, digits, first_value;
};
constexpr Section kSections[] = {{0, 32, 5, 0}, {32, 16, 5, 160}, {48, 4, 4, 240}};
constexpr int kPowers[] = {1, 3, 9, 27, 81};

}  // namespace

void TQ1_0::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    const float d = f16_to_f32(load<uint16_t>(blocks + kScaleOffset));
    const float levels[] = {-d, 0.0f * d, d};  // 0 * d: an infinite d gives NaN, as the reference
    for (const Section& section : kSections) {
      for (int n = 0; n < section.digits; ++n) {
        float* out = values + section.first_value + section.bytes * n;
        for (int m = 0; m < section.bytes; ++m) {
          const int rest = load<uint8_t>(blocks + section.first_byte + m) * kPowers[n] & 255;
          out[m] = levels[rest * 3 >> 8];
        }
      }
    }
  }
}

void TQ1_0::encode(const float* values, int64_t count, std::byte* blocks) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    float d = 0.0f;
    for (int j = 0; j < kElements; ++j) {
      const float magnitude = std::fabs(values[j]);
      d = d > magnitude ? d : magnitude;
    }
    const float inverse = d != 0.0f ? 1.0f / d : 0.0f;
    store(blocks + kScaleOffset, f32_to_f16(d));
    for (const Section& section : kSections) {
      for (int m = 0; m < section.bytes; ++m) {
        int v = 0;
        for (int n = 0; n < 5; ++n) {
          v *= 3;
          if (n >= section.digits) continue;
          const float value = values[section.first_value + section.bytes * n + m];
          v += round_half_away(value * inverse) + 1;
        }
        store(blocks + section.first_byte + m, static_cast<uint8_t>((v * 256 + 242) / 243));
      }
    }
  }
}

}  // namespace bittern::codec
