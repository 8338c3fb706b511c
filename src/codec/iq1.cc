// IQ1_S and IQ1_M: 256 values as 32 groups of 8, each an entry of a codebook of -1, 0, 1, all
// shifted by +-1/8; three-bit scales. Decoded only: their encoders need an importance matrix.
//
//   IQ1_S, 50 bytes           IQ1_M, 56 bytes
//    0   f16 d                 0   u8 qs[32]
//    2   u8 qs[32]            32   u8 qh[16]
//   34   u16 qh[8]            48   u16 scales[4]
//   value = d * (2 scale + 1) * (level + shift)
//
//   S: of every 32 values qh holds the high three bits of the four entries (from the lowest), the
//      scale in bits 12-14 and in bit 15 the sign of the shift.
//   M: nibble g of qh holds the high three bits of entry g and, on top, the sign of its shift.
//      Scale of values 16 i.. in bits 3 (i % 4) of scales[i / 4], whose top nibbles together are
//      the f16 d, lowest first.
// Source: ggml-quants.c, dequantize_row_iq1_s, dequantize_row_iq1_m.
#include "base/bytes.h"
#include "base/half.h"
#include "codec/formats.h"
#include "codec/iq_grids.h"

namespace bittern::codec {
namespace {

constexpr float kShift = 0.125f;
constexpr int kGroup = 8;
constexpr int kGroups = 32;

void decode_group(uint32_t entry, float shift, float scale, float* values) {
  const uint16_t packed = kIq1SGrid[entry];
  for (int j = 0; j < kGroup; ++j) {
    const int level = (packed >> (2 * j) & 3) - 1;
    values[j] = scale * (static_cast<float>(level) + shift);
  }
}

}  // namespace

void IQ1_S::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes) {
    const float d = f16_to_f32(load<uint16_t>(blocks));
    for (int group = 0; group < kGroups; ++group, values += kGroup) {
      const uint32_t high = load<uint16_t>(blocks + 34 + group / 4 * 2);
      const uint32_t entry = load<uint8_t>(blocks + 2 + group) | (high >> (3 * (group % 4)) & 7u)
                                                                     << 8;
      const float scale = d * static_cast<float>(2 * (high >> 12 & 7u) + 1);
      decode_group(entry, (high & 0x8000u) != 0 ? -kShift : kShift, scale, values);
    }
  }
}

void IQ1_M::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes) {
    uint32_t scales[4];
    for (int i = 0; i < 4; ++i) scales[i] = load<uint16_t>(blocks + 48 + 2 * i);
    const uint32_t d_bits =
        scales[0] >> 12 | scales[1] >> 12 << 4 | scales[2] >> 12 << 8 | scales[3] >> 12 << 12;
    const float d = f16_to_f32(static_cast<uint16_t>(d_bits));
    for (int group = 0; group < kGroups; ++group, values += kGroup) {
      const uint32_t high = load<uint8_t>(blocks + 32 + group / 2) >> (group % 2 * 4) & 15u;
      const uint32_t entry = load<uint8_t>(blocks + group) | (high & 7u) << 8;
      const uint32_t code = scales[group / 8] >> (3 * (group / 2 % 4)) & 7u;
      decode_group(entry, (high & 8u) != 0 ? -kShift : kShift, d * static_cast<float>(2 * code + 1),
                   values);
    }
  }
}

}  // namespace bittern::codec
