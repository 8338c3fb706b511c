// IQ2_XXS, IQ2_XS and IQ2_S: 256 values as 32 groups of 8, each an entry of a codebook of
// magnitudes (8, 25 or 43) and 8 signs; a four-bit scale for every 32 (XXS) or 16 values.
// Decoded only: their encoders need an importance matrix to be of use.
//
//   IQ2_XXS, 66 bytes        IQ2_XS, 74 bytes         IQ2_S, 82 bytes
//   0   f16 d                 0   f16 d                0   f16 d
//   2   u32[8][2]             2   u16 qs[32]           2   u8 qs[32]
//                            66   u8 scales[8]        34   u8 signs[32]
//                                                     66   u8 qh[8]
//                                                     74   u8 scales[8]
//   value = d * (0.5 + scale) / 4 * level, negative where its sign bit is set
//
//   XXS: of every 32 values word 0 holds four entries of eight bits, word 1 four times seven signs
//        (the eighth: signs_of) and the scale in its top four bits.
//   XS:  entry in the low nine bits of qs[g], seven signs above; scale of values 16 i.. in nibble
//        i of scales.
//   S:   entry: qs[g] and, above, bits 2 (g % 4) of qh[g / 4]; all eight signs in signs[g].
// Source: ggml-quants.c, dequantize_row_iq2_*.
#include "base/bytes.h"
#include "base/half.h"
#include "codec/formats.h"
#include "codec/iq_grids.h"

namespace bittern::codec {
namespace {

constexpr int kGroup = 8;
constexpr int kGroups = 32;

float sub_scale(float d, uint32_t scale) { return d * (0.5f + static_cast<float>(scale)) * 0.25f; }

// The four-bit scale of the 16 values of groups 2 i and 2 i + 1.
uint32_t nibble_scale(const std::byte* scales, int group) {
  return load<uint8_t>(scales + group / 4) >> (group / 2 % 2 * 4) & 15u;
}

}  // namespace

void IQ2_XXS::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes) {
    const float d = f16_to_f32(load<uint16_t>(blocks));
    for (int group = 0; group < kGroups; ++group, values += kGroup) {
      const std::byte* words = blocks + 2 + group / 4 * 8;
      const auto entry = load<uint8_t>(words + group % 4);
      const auto packed = load<uint32_t>(words + 4);
      decode_iq2_group(kIq2XxsGrid[entry], signs_of(packed >> (7 * (group % 4)) & 127u),
                       sub_scale(d, packed >> 28), values);
    }
  }
}

void IQ2_XS::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes) {
    const float d = f16_to_f32(load<uint16_t>(blocks));
    for (int group = 0; group < kGroups; ++group, values += kGroup) {
      const uint32_t packed = load<uint16_t>(blocks + 2 + 2 * group);
      decode_iq2_group(kIq2XsGrid[packed & 511u], signs_of(packed >> 9),
                       sub_scale(d, nibble_scale(blocks + 66, group)), values);
    }
  }
}

void IQ2_S::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes) {
    const float d = f16_to_f32(load<uint16_t>(blocks));
    for (int group = 0; group < kGroups; ++group, values += kGroup) {
      const uint32_t low = load<uint8_t>(blocks + 2 + group);
      const uint32_t high = load<uint8_t>(blocks + 66 + group / 4) >> (2 * (group % 4)) & 3u;
      decode_iq2_group(kIq2SGrid[low | high << 8], load<uint8_t>(blocks + 34 + group),
                       sub_scale(d, nibble_scale(blocks + 74, group)), values);
    }
  }
}

}  // namespace bittern::codec
