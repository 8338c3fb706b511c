// IQ3_XXS and IQ3_S: 256 values as 64 groups of 4, each an entry of a codebook of magnitudes, and
// signs for every 8 values; a four-bit scale for every 32. Decoded only: their encoders need an
// importance matrix to be of use.
//
//   IQ3_XXS, 98 bytes                     IQ3_S, 110 bytes
//    0   f16 d                              0   f16 d
//    2   u8 qs[64]                          2   u8 qs[64]
//   66   u32 signs_and_scale[8]            66   u8 qh[8]
//                                          74   u8 signs[32]
//                                         106   u8 scales[4]
//   value = d * (0.5 + scale) / 2 * level  value = d * (1 + 2 scale) * level
//   levels 4 12 20 28 36 44 52 62          levels 1 3 5 7 9 11 13 15
//   negative where its sign bit is set
//
//   XXS: a word for every 32 values: four times seven signs (the eighth: signs_of), scale on top.
//   S:   the ninth bit of entry g is bit g % 8 of qh[g / 8]; scale of values 32 i.. in nibble i.
// Source: ggml-quants.c, dequantize_row_iq3_*.
#include "base/bytes.h"
#include "base/half.h"
#include "codec/formats.h"
#include "codec/iq_grids.h"

namespace bittern::codec {
namespace {

constexpr float kXxsLevels[8] = {4, 12, 20, 28, 36, 44, 52, 62};
constexpr float kSLevels[8] = {1, 3, 5, 7, 9, 11, 13, 15};
constexpr int kGroup = 4;
constexpr int kGroups = 64;

// The lowest four bits of `signs` are those of the four values.
void decode_group(uint16_t entry, const float* levels, uint32_t signs, float scale, float* values) {
  for (int j = 0; j < kGroup; ++j)
    values[j] = with_sign(scale * levels[entry >> (4 * j) & 7], signs >> j);
}

}  // namespace

void IQ3_XXS::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes) {
    const float d = f16_to_f32(load<uint16_t>(blocks));
    for (int group = 0; group < kGroups; ++group, values += kGroup) {
      const auto packed = load<uint32_t>(blocks + 66 + group / 8 * 4);
      const float scale = d * (0.5f + static_cast<float>(packed >> 28)) * 0.5f;
      const uint32_t signs = signs_of(packed >> (7 * (group % 8 / 2)) & 127u);
      decode_group(kIq3XxsGrid[load<uint8_t>(blocks + 2 + group)], kXxsLevels,
                   signs >> (group % 2 * 4), scale, values);
    }
  }
}

void IQ3_S::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes) {
    const float d = f16_to_f32(load<uint16_t>(blocks));
    for (int group = 0; group < kGroups; ++group, values += kGroup) {
      const uint32_t low = load<uint8_t>(blocks + 2 + group);
      const uint32_t high = load<uint8_t>(blocks + 66 + group / 8) >> (group % 8) & 1u;
      const int nibble = load<uint8_t>(blocks + 106 + group / 16) >> (group / 8 % 2 * 4) & 15;
      const uint32_t signs = load<uint8_t>(blocks + 74 + group / 2);
      decode_group(kIq3SGrid[low | high << 8], kSLevels, signs >> (group % 2 * 4),
                   d * static_cast<float>(1 + 2 * nibble), values);
    }
  }
}

}  // namespace bittern::codec
