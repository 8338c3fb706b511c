// STQ1_0: 256 values in 42 bytes, 1.3125 bits each: every group of four holds exactly one zero,
// the other three are +-d (Tencent's Sherry).
//
//    0   u8 qs[32]       slot of group g: nibble g (low nibble first)
//   32   u8 sign[8]      bit g: the group negated
//   40   f16 d           (last, where other formats have it first)
//
//   Group g has the values 64 (g / 16) + g % 16 + 16 lane, lane 0..3, not four neighbours.
//   Slot: bits 2-3 say which lane is zero; of the other three, in order, the first is +d, the
//   second -d if bit 0 is set, the third -d if bit 1 is. Every byte is valid.
//
// Encoding: d = max|x|, the lane of least magnitude (the first of equals) becomes the zero, the
// others keep their signs: a projection, for a group has no way to hold two zeros or none.
// Source: llama.cpp pull request 22836 (layout, codebook, reference quantiser).
#include <cmath>
#include <cstring>

#include "base/bytes.h"
#include "base/half.h"
#include "codec/formats.h"

namespace bittern::codec {
namespace {

constexpr int kGroups = 64;
constexpr int kLanes = 4;
constexpr int kStride = 16;
constexpr int kSignOffset = 32;
constexpr int kScaleOffset = 40;

int first_value(int group) { return group / kStride * kStride * kLanes + group % kStride; }

void decode_group(int slot, bool negated, float d, float* values) {
  const int zero = slot >> 2;
  int minus = (slot & 3) << 1;  // bit n: the n-th lane that is not the zero is negative
  for (int lane = 0; lane < kLanes; ++lane) {
    float& value = values[lane * kStride];
    if (lane == zero) {
      value = 0.0f * d;
      continue;
    }
    value = ((minus & 1) != 0) != negated ? -d : d;
    minus >>= 1;
  }
}

// Slot in the low nibble, bit 4 for the negation.
int encode_group(const float* values) {
  int zero = 0;
  for (int lane = 1; lane < kLanes; ++lane) {
    if (std::fabs(values[lane * kStride]) < std::fabs(values[zero * kStride])) zero = lane;
  }
  int minus = 0;
  int position = 0;
  for (int lane = 0; lane < kLanes; ++lane) {
    if (lane == zero) continue;
    minus |= (values[lane * kStride] < 0.0f ? 1 : 0) << position++;
  }
  const bool negated = (minus & 1) != 0;
  if (negated) minus ^= 7;
  return zero << 2 | minus >> 1 | (negated ? 16 : 0);
}

}  // namespace

void STQ1_0::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    const float d = f16_to_f32(load<uint16_t>(blocks + kScaleOffset));
    for (int group = 0; group < kGroups; ++group) {
      const int slot = load<uint8_t>(blocks + group / 2) >> (group % 2 * 4) & 15;
      const int sign = load<uint8_t>(blocks + kSignOffset + group / 8) >> (group % 8) & 1;
      decode_group(slot, sign != 0, d, values + first_value(group));
    }
  }
}

void STQ1_0::encode(const float* values, int64_t count, std::byte* blocks) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    float d = 0.0f;
    for (int j = 0; j < kElements; ++j) {
      const float magnitude = std::fabs(values[j]);
      d = d > magnitude ? d : magnitude;
    }
    std::memset(blocks, 0, kBytes);
    for (int group = 0; group < kGroups; ++group) {
      const int code = encode_group(values + first_value(group));
      blocks[group / 2] |= static_cast<std::byte>((code & 15) << (group % 2 * 4));
      blocks[kSignOffset + group / 8] |= static_cast<std::byte>(code >> 4 << (group % 8));
    }
    store(blocks + kScaleOffset, f32_to_f16(d));
  }
}

}  // namespace bittern::codec
