// Q1_0, Q2_0 and PQ2_0: one and two bits a value, consecutive values in consecutive bits, one f16
// scale in front of every block.
//
//   Q1_0, 128 values, 18 bytes     value j = bit j % 8 of byte 2 + j / 8 ? d : -d
//   Q2_0,  64 values, 18 bytes     value j = (c - 1) * d, c = bits 2 (j % 4) of byte 2 + j / 4
//   PQ2_0, 128 values, 34 bytes    as Q2_0; PrismML's, also found as its earlier "Q2_0"
//
// Encoding: Q1_0: d = mean|x|, the bit says x >= 0. Q2_0: d = max|x|, c = x * (1/d) rounded half
// away from zero, plus 1, so that 3 (which means 2 d) never arises; exact for {-a, 0, a}. Where
// 1/d overflows the products fit no int and c is 0. Source: ggml-quants.c, quantize_row_q1_0_ref,
// quantize_row_q2_0_ref; PrismML's llama.cpp for PQ2_0.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/bytes.h"
#include "base/half.h"
#include "codec/formats.h"

namespace bittern::codec {
namespace {

constexpr int kScaleBytes = 2;

template <typename Format>
void decode_two_bits(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += Format::kBytes, values += Format::kElements) {
    const float d = f16_to_f32(load<uint16_t>(blocks));
    for (int j = 0; j < Format::kElements; ++j) {
      const int code = load<uint8_t>(blocks + kScaleBytes + j / 4) >> (2 * (j % 4)) & 3;
      values[j] = static_cast<float>(code - 1) * d;
    }
  }
}

int two_bit_code(float scaled) {
  const float rounded = std::round(scaled);
  return std::fabs(rounded) < 0x1p31f ? std::clamp(static_cast<int>(rounded) + 1, 0, 3) : 0;
}

template <typename Format>
void encode_two_bits(const float* values, int64_t count, std::byte* blocks) {
  for (; count > 0; --count, blocks += Format::kBytes, values += Format::kElements) {
    float d = 0.0f;
    for (int j = 0; j < Format::kElements; ++j) d = std::max(d, std::fabs(values[j]));
    const float inverse = d > 0.0f ? 1.0f / d : 0.0f;
    std::memset(blocks, 0, Format::kBytes);
    store(blocks, f32_to_f16(d));
    for (int j = 0; j < Format::kElements; ++j) {
      const int code = two_bit_code(values[j] * inverse);
      blocks[kScaleBytes + j / 4] |= static_cast<std::byte>(code << (2 * (j % 4)));
    }
  }
}

}  // namespace

void Q1_0::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    const float d = f16_to_f32(load<uint16_t>(blocks));
    for (int j = 0; j < kElements; ++j) {
      const bool positive = (load<uint8_t>(blocks + kScaleBytes + j / 8) >> (j % 8) & 1) != 0;
      values[j] = positive ? d : -d;
    }
  }
}

void Q1_0::encode(const float* values, int64_t count, std::byte* blocks) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    float sum = 0.0f;
    for (int j = 0; j < kElements; ++j) sum += std::fabs(values[j]);
    std::memset(blocks, 0, kBytes);
    store(blocks, f32_to_f16(sum / static_cast<float>(kElements)));
    for (int j = 0; j < kElements; ++j) {
      if (values[j] >= 0.0f) blocks[kScaleBytes + j / 8] |= static_cast<std::byte>(1 << (j % 8));
    }
  }
}

void Q2_0::decode(const std::byte* blocks, int64_t count, float* values) {
  decode_two_bits<Q2_0>(blocks, count, values);
}
void Q2_0::encode(const float* values, int64_t count, std::byte* blocks) {
  encode_two_bits<Q2_0>(values, count, blocks);
}

void PQ2_0::decode(const std::byte* blocks, int64_t count, float* values) {
  decode_two_bits<PQ2_0>(blocks, count, values);
}
void PQ2_0::encode(const float* values, int64_t count, std::byte* blocks) {
  encode_two_bits<PQ2_0>(values, count, blocks);
}

}  // namespace bittern::codec
