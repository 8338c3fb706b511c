// Q2_K and Q3_K: 256 values whose low two bits lie in four planes, in sub-blocks of 16.
//
//   Q2_K, 84 bytes, 2.625 bits                Q3_K, 110 bytes, 3.4375 bits
//    0   u8 scales[16]  low nibble: scale,     0   u8 hmask[32]
//                       high nibble: minimum  32   u8 qs[64]
//   16   u8 qs[64]                            96   u8 scales[12]
//   80   f16 d                               108   f16 d
//   82   f16 dmin
//   value = d * scale * q - dmin * minimum    value = d * (scale - 32) * (q + 4 * bit - 4)
//
//   Each half of 128 values has 32 bytes of qs; value 32 * plane + l of the half is bits 2 * plane
//   of its byte l. In Q3_K bit 4 * half + plane of hmask[l] is the value's third bit.
//   Q3_K sub-scale i (0..15): low four bits in a nibble of byte i % 8 (low for i < 8), high two
//   in bits 2 * (i / 4) of byte 8 + i % 4.
//
// Encoding searches every sub-block's scale (scale_search.h), codes the scales by their greatest,
// then the values once more by the scales as stored. Source: ggml-quants.c, quantize_row_q2_K_ref,
// quantize_row_q3_K_ref.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/bytes.h"
#include "base/half.h"
#include "codec/formats.h"
#include "codec/rounding.h"
#include "codec/scale_search.h"

namespace bittern::codec {
namespace {

constexpr int kSub = 16;    // values of a sub-block
constexpr int kSubs = 16;   // sub-blocks
constexpr int kHalf = 128;  // values that share 32 bytes of qs
constexpr int kPlane = 32;

// The two bits of value `index` in qs.
int two_bits(const std::byte* qs, int index) {
  const int within = index % kHalf;
  const int byte = load<uint8_t>(qs + index / kHalf * kPlane + within % kPlane);
  return byte >> (2 * (within / kPlane)) & 3;
}

void store_two_bits(const uint8_t* codes, std::byte* qs) {
  for (int half = 0; half < 2; ++half, codes += kHalf, qs += kPlane) {
    for (int l = 0; l < kPlane; ++l) {
      const int byte = (codes[l] & 3) | (codes[l + 32] & 3) << 2 | (codes[l + 64] & 3) << 4 |
                       (codes[l + 96] & 3) << 6;
      store(qs + l, static_cast<uint8_t>(byte));
    }
  }
}

// Six-bit sub-scale i of Q3_K, without its offset.
int q3_scale(const std::byte* scales, int i) {
  const int low = load<uint8_t>(scales + i % 8) >> (i < 8 ? 0 : 4) & 15;
  const int high = load<uint8_t>(scales + 8 + i % 4) >> (2 * (i / 4)) & 3;
  return low | high << 4;
}

void store_q3_scales(const float* scales, float inverse, std::byte* out) {
  uint8_t bytes[12] = {};
  for (int i = 0; i < kSubs; ++i) {
    // The reference keeps the rounded quotient in eight bits before it clamps.
    const auto wrapped = static_cast<int8_t>(round_half_even(inverse * scales[i]));
    const int code = std::clamp<int>(wrapped, -32, 31) + 32;
    bytes[i % 8] |= static_cast<uint8_t>((code & 15) << (i < 8 ? 0 : 4));
    bytes[8 + i % 4] |= static_cast<uint8_t>(code >> 4 << (2 * (i / 4)));
  }
  std::memcpy(out, bytes, sizeof bytes);
}

// Scales and minima of the sub-blocks of a Q2_K block as found, and the codes that go with them.
struct Q2Search {
  float scales[kSubs];
  float minima[kSubs];
  float greatest_scale = 0.0f;
  float greatest_minimum = 0.0f;
};

Q2Search search_q2(const float* values, uint8_t* codes) {
  constexpr AffineSearch kSearch{
      .limit = 3, .first = -0.5f, .step = 0.1f, .steps = 15, .absolute = true};
  Q2Search found;
  for (int i = 0; i < kSubs; ++i) {
    float weights[kSub];
    for (int l = 0; l < kSub; ++l) weights[l] = std::fabs(values[kSub * i + l]);
    const AffineFit fit =
        search_affine({values + kSub * i, kSub}, weights, kSearch, codes + kSub * i);
    found.scales[i] = fit.scale;
    found.minima[i] = fit.minimum;
    if (fit.scale > found.greatest_scale) found.greatest_scale = fit.scale;
    if (fit.minimum > found.greatest_minimum) found.greatest_minimum = fit.minimum;
  }
  return found;
}

}  // namespace

void Q2_K::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    const float d = f16_to_f32(load<uint16_t>(blocks + 80));
    const float dmin = f16_to_f32(load<uint16_t>(blocks + 82));
    for (int j = 0; j < kElements; ++j) {
      const int sub = load<uint8_t>(blocks + j / kSub);
      const float scale = d * static_cast<float>(sub & 15);
      const float minimum = dmin * static_cast<float>(sub >> 4);
      values[j] = scale * static_cast<float>(two_bits(blocks + 16, j)) - minimum;
    }
  }
}

void Q2_K::encode(const float* values, int64_t count, std::byte* blocks) {
  constexpr float kGreatest = 15.0f;
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    uint8_t codes[kElements];
    const Q2Search found = search_q2(values, codes);
    const bool scaled = found.greatest_scale > 0.0f;
    const bool shifted = found.greatest_minimum > 0.0f;
    const float scale_inverse = scaled ? kGreatest / found.greatest_scale : 0.0f;
    const float minimum_inverse = shifted ? kGreatest / found.greatest_minimum : 0.0f;
    const uint16_t d = f32_to_f16(scaled ? found.greatest_scale / kGreatest : 0.0f);
    const uint16_t dmin = f32_to_f16(shifted ? found.greatest_minimum / kGreatest : 0.0f);
    for (int i = 0; i < kSubs; ++i) {
      const int scale = scaled ? round_half_even(scale_inverse * found.scales[i]) : 0;
      const int minimum = shifted ? round_half_even(minimum_inverse * found.minima[i]) : 0;
      const auto sub = static_cast<uint8_t>(scale | minimum << 4);
      store(blocks + i, sub);
      const float step = f16_to_f32(d) * static_cast<float>(sub & 15);
      if (step == 0.0f) continue;  // the codes of the search stand
      const float base = f16_to_f32(dmin) * static_cast<float>(sub >> 4);
      for (int l = kSub * i; l < kSub * (i + 1); ++l) {
        const int code = round_half_even((values[l] + base) / step);
        codes[l] = static_cast<uint8_t>(std::clamp(code, 0, 3));
      }
    }
    store_two_bits(codes, blocks + 16);
    store(blocks + 80, d);
    store(blocks + 82, dmin);
  }
}

void Q3_K::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    const float d = f16_to_f32(load<uint16_t>(blocks + 108));
    for (int j = 0; j < kElements; ++j) {
      const int high = load<uint8_t>(blocks + j % kPlane) >> (j / kPlane) & 1;
      const int code = two_bits(blocks + 32, j) + 4 * high - 4;
      const float scale = d * static_cast<float>(q3_scale(blocks + 96, j / kSub) - 32);
      values[j] = scale * static_cast<float>(code);
    }
  }
}

void Q3_K::encode(const float* values, int64_t count, std::byte* blocks) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    uint8_t codes[kElements];  // plus 4
    float scales[kSubs];
    for (int i = 0; i < kSubs; ++i)
      scales[i] = search_by_descent({values + kSub * i, kSub}, 4, codes + kSub * i);
    const float greatest = extreme_of(scales);
    const float inverse = -32.0f / greatest;
    std::memset(blocks, 0, kBytes);
    if (greatest != 0.0f) {
      store_q3_scales(scales, inverse, blocks + 96);
      store(blocks + 108, f32_to_f16(1.0f / inverse));
    }
    const float d = f16_to_f32(load<uint16_t>(blocks + 108));
    for (int i = 0; i < kSubs; ++i) {
      const float step = d * static_cast<float>(q3_scale(blocks + 96, i) - 32);
      if (step == 0.0f) continue;
      for (int l = kSub * i; l < kSub * (i + 1); ++l)
        codes[l] = static_cast<uint8_t>(std::clamp(round_half_even(values[l] / step), -4, 3) + 4);
    }
    for (int j = 0; j < kElements; ++j)
      blocks[j % kPlane] |= static_cast<std::byte>(codes[j] >> 2 << (j / kPlane));
    store_two_bits(codes, blocks + 32);
  }
}

}  // namespace bittern::codec
