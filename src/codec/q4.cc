// Q4_0 and Q4_1: 32 values of four bits with one f16 scale, and in Q4_1 one f16 minimum.
//
//   Q4_0, 18 bytes           Q4_1, 20 bytes
//   0   f16 d                0   f16 d
//   2   u8 qs[16]            2   f16 m
//                            4   u8 qs[16]
//   value = d * (q - 8)      value = d * q + m
//   Byte j of qs holds value j in its low nibble and value j + 16 in its high nibble.
//
// Encoding as ggml's quantize_row_q4_0_ref and quantize_row_q4_1_ref, with the f32 scale:
//   Q4_0: d = x / -8 for the first x of greatest magnitude (so that x itself gets code 0);
//         q = min(15, trunc(x * (1/d) + 8.5)). A block of zeros has d = -0.
//   Q4_1: d = (max - min) / 15; q = min(15, trunc((x - min) * (1/d) + 0.5)).
// PyPI gguf's numpy encoders agree but for the sign of a zero: of d in Q4_0 when a block of zeros
// starts with -0, of m in Q4_1 when the minimum is both 0 and -0. C's order decides here.
// Source: ggml-quants.c, ggml-common.h.
#include <algorithm>

#include "base/bytes.h"
#include "base/half.h"
#include "codec/formats.h"
#include "codec/rounding.h"
#include "codec/scale_search.h"

namespace bittern::codec {
namespace {

constexpr int kHalf = 16;  // values per nibble plane

// Codes 0..15 of value j and j + 16 of a block go to one byte.
template <typename CodeOf>
void store_nibbles(const float* values, std::byte* qs, CodeOf code_of) {
  for (int j = 0; j < kHalf; ++j) {
    const int low = std::min(15, code_of(values[j]));
    const int high = std::min(15, code_of(values[j + kHalf]));
    store(qs + j, static_cast<uint8_t>(low | high << 4));
  }
}

}  // namespace

void Q4_0::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    const float d = f16_to_f32(load<uint16_t>(blocks));
    for (int j = 0; j < kHalf; ++j) {
      const int byte = load<uint8_t>(blocks + 2 + j);
      values[j] = static_cast<float>((byte & 15) - 8) * d;
      values[j + kHalf] = static_cast<float>((byte >> 4) - 8) * d;
    }
  }
}

void Q4_0::encode(const float* values, int64_t count, std::byte* blocks) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    const float d = extreme_of({values, kElements}) / -8.0f;
    const float inverse = d != 0.0f ? 1.0f / d : 0.0f;
    store(blocks, f32_to_f16(d));
    store_nibbles(values, blocks + 2,
                  [inverse](float value) { return truncate(value * inverse + 8.5f); });
  }
}

void Q4_1::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    const float d = f16_to_f32(load<uint16_t>(blocks));
    const float m = f16_to_f32(load<uint16_t>(blocks + 2));
    for (int j = 0; j < kHalf; ++j) {
      const int byte = load<uint8_t>(blocks + 4 + j);
      values[j] = static_cast<float>(byte & 15) * d + m;
      values[j + kHalf] = static_cast<float>(byte >> 4) * d + m;
    }
  }
}

void Q4_1::encode(const float* values, int64_t count, std::byte* blocks) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    const auto [least, greatest] = range_of({values, kElements});
    const float d = (greatest - least) / 15.0f;
    const float inverse = d != 0.0f ? 1.0f / d : 0.0f;
    store(blocks, f32_to_f16(d));
    store(blocks + 2, f32_to_f16(least));
    store_nibbles(values, blocks + 4, [inverse, from = least](float value) {
      return truncate((value - from) * inverse + 0.5f);
    });
  }
}

}  // namespace bittern::codec
