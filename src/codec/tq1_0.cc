// TQ1_0: 256 ternary values in 54 bytes, 1.6875 bits each, and PrismML's PTQ1_0: 128 in 28 bytes,
// 1.75 bits each. Five base-3 digits a byte.
//
//   TQ1_0                  PTQ1_0
//    0   u8 qs[48]          0   u8 qs[24]
//   48   u8 qh[4]          24   u8 qh[2]
//   52   f16 d             26   f16 d             value = d * (digit - 1)
//
// Digit n of byte m (n = 0 is the most significant) belongs to value
//   TQ1_0   bytes  0..31    32 n + m               five digits, values   0..159
//           bytes 32..47   160 + 16 n + (m - 32)   five digits, values 160..239
//           bytes 48..51   240 +  4 n + (m - 48)   four digits, values 240..255
//   PTQ1_0  bytes  0..15    16 n + m               five digits, values   0..79
//           bytes 16..23    80 +  8 n + (m - 16)   five digits, values  80..119
//           bytes 24..25   120 +  2 n + (m - 24)   four digits, values 120..127
// Where there are four digits, the fifth is 0.
// The five digits form v in 0..242, stored as ceil(256 v / 243): the fraction byte/256, rounded
// up, so that digit n falls out of the top of 3 * (3^n * byte mod 256) without a division.
// Every byte value decodes to digits 0, 1, 2.
//
// Encoding: d = max|x|, digit = x * (1/d) rounded half away from zero, plus 1; exact for blocks of
// {-a, 0, a}, anything else loses. Source: ggml-quants.c, quantize_row_tq1_0_ref.
#include <cmath>
#include <span>

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
constexpr Section kTq1Sections[] = {{0, 32, 5, 0}, {32, 16, 5, 160}, {48, 4, 4, 240}};
constexpr Section kPtq1Sections[] = {{0, 16, 5, 0}, {16, 8, 5, 80}, {24, 2, 4, 120}};
constexpr int kPowers[] = {1, 3, 9, 27, 81};

using Sections = std::span<const Section, 3>;

void decode_block(Sections sections, const std::byte* block, float d, float* values) {
  const float levels[] = {-d, 0.0f * d, d};  // 0 * d: an infinite d gives NaN, as the reference
  for (const Section& section : sections) {
    for (int n = 0; n < section.digits; ++n) {
      float* out = values + section.first_value + section.bytes * n;
      for (int m = 0; m < section.bytes; ++m) {
        const int rest = load<uint8_t>(block + section.first_byte + m) * kPowers[n] & 255;
        out[m] = levels[rest * 3 >> 8];
      }
    }
  }
}

void encode_block(Sections sections, const float* values, float inverse, std::byte* block) {
  for (const Section& section : sections) {
    for (int m = 0; m < section.bytes; ++m) {
      // Eight bits, as the reference counts: behind a NaN, which the greatest magnitude forgets,
      // values can be larger than what they are divided by.
      uint8_t v = 0;
      for (int n = 0; n < 5; ++n) {
        v = static_cast<uint8_t>(v * 3);
        if (n >= section.digits) continue;
        const float value = values[section.first_value + section.bytes * n + m];
        v = static_cast<uint8_t>(v + static_cast<unsigned>(round_half_away(value * inverse)) + 1);
      }
      store(block + section.first_byte + m, static_cast<uint8_t>((v * 256 + 242) / 243));
    }
  }
}

template <typename Format>
void decode_blocks(Sections sections, const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += Format::kBytes, values += Format::kElements) {
    const float d = f16_to_f32(load<uint16_t>(blocks + Format::kScaleOffset));
    decode_block(sections, blocks, d, values);
  }
}

template <typename Format>
void encode_blocks(Sections sections, const float* values, int64_t count, std::byte* blocks) {
  for (; count > 0; --count, blocks += Format::kBytes, values += Format::kElements) {
    float d = 0.0f;
    for (int j = 0; j < Format::kElements; ++j) {
      const float magnitude = std::fabs(values[j]);
      d = d > magnitude ? d : magnitude;
    }
    store(blocks + Format::kScaleOffset, f32_to_f16(d));
    encode_block(sections, values, d != 0.0f ? 1.0f / d : 0.0f, blocks);
  }
}

}  // namespace

void TQ1_0::decode(const std::byte* blocks, int64_t count, float* values) {
  decode_blocks<TQ1_0>(kTq1Sections, blocks, count, values);
}
void TQ1_0::encode(const float* values, int64_t count, std::byte* blocks) {
  encode_blocks<TQ1_0>(kTq1Sections, values, count, blocks);
}

void PTQ1_0::decode(const std::byte* blocks, int64_t count, float* values) {
  decode_blocks<PTQ1_0>(kPtq1Sections, blocks, count, values);
}
void PTQ1_0::encode(const float* values, int64_t count, std::byte* blocks) {
  encode_blocks<PTQ1_0>(kPtq1Sections, values, count, blocks);
}

}  // namespace bittern::codec
