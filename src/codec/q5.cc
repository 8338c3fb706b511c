// Q5_0 and Q5_1: 32 values of five bits with one f16 scale, and in Q5_1 one f16 minimum.
//
//   Q5_0, 22 bytes           Q5_1, 24 bytes
//   0   f16 d                0   f16 d
//   2   u32 qh               2   f16 m
//   6   u8 qs[16]            4   u32 qh
//                            8   u8 qs[16]
//   value = d * (q - 16)     value = d * q + m
//   Byte j of qs holds the low four bits of value j in its low nibble and of value j + 16 in its
//   high nibble; bit j of qh is the fifth bit of value j.
//
// Encoding as ggml's quantize_row_q5_0_ref and quantize_row_q5_1_ref, with the f32 scale:
//   Q5_0: d = x / -16 for the first x of greatest magnitude; q = min(31, trunc(x * (1/d) + 16.5))
//   Q5_1: d = (max - min) / 31; q = trunc((x - min) * (1/d) + 0.5)
// Source: ggml-quants.c, ggml-common.h.
#include <algorithm>

#include "base/bytes.h"
#include "base/half.h"
#include "codec/formats.h"
#include "codec/rounding.h"
#include "codec/scale_search.h"

namespace bittern::codec {
namespace {

constexpr int kHalf = 16;

int code_at(const std::byte* qh, const std::byte* qs, int index) {
  const int byte = load<uint8_t>(qs + index % kHalf);
  const int low = index < kHalf ? byte & 15 : byte >> 4;
  const auto high = static_cast<int>(load<uint32_t>(qh) >> index & 1u);
  return low | high << 4;
}

// The codes' low five bits.
void store_codes(const int* codes, std::byte* qh, std::byte* qs) {
  uint32_t high = 0;
  for (int j = 0; j < 2 * kHalf; ++j) high |= static_cast<uint32_t>(codes[j] >> 4 & 1) << j;
  store(qh, high);
  for (int j = 0; j < kHalf; ++j)
    store(qs + j, static_cast<uint8_t>((codes[j] & 15) | (codes[j + kHalf] & 15) << 4));
}

}  // namespace

void Q5_0::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    const float d = f16_to_f32(load<uint16_t>(blocks));
    for (int j = 0; j < kElements; ++j)
      values[j] = static_cast<float>(code_at(blocks + 2, blocks + 6, j) - 16) * d;
  }
}

void Q5_0::encode(const float* values, int64_t count, std::byte* blocks) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    const float d = extreme_of({values, kElements}) / -16.0f;
    const float inverse = d != 0.0f ? 1.0f / d : 0.0f;
    int codes[kElements];
    for (int j = 0; j < kElements; ++j)
      codes[j] = std::min(31, truncate(values[j] * inverse + 16.5f));
    store(blocks, f32_to_f16(d));
    store_codes(codes, blocks + 2, blocks + 6);
  }
}

void Q5_1::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    const float d = f16_to_f32(load<uint16_t>(blocks));
    const float m = f16_to_f32(load<uint16_t>(blocks + 2));
    for (int j = 0; j < kElements; ++j)
      values[j] = static_cast<float>(code_at(blocks + 4, blocks + 8, j)) * d + m;
  }
}

void Q5_1::encode(const float* values, int64_t count, std::byte* blocks) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    const auto [least, greatest] = range_of({values, kElements});
    const float d = (greatest - least) / 31.0f;
    const float inverse = d != 0.0f ? 1.0f / d : 0.0f;
    int codes[kElements];
    for (int j = 0; j < kElements; ++j) codes[j] = truncate((values[j] - least) * inverse + 0.5f);
    store(blocks, f32_to_f16(d));
    store(blocks + 2, f32_to_f16(least));
    store_codes(codes, blocks + 4, blocks + 8);
  }
}

}  // namespace bittern::codec
