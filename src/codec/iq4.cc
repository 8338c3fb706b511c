// IQ4_NL and IQ4_XS: four-bit codes into sixteen fixed levels that are denser near zero.
//
//   IQ4_NL, 32 values, 18 bytes     IQ4_XS, 256 values, 136 bytes
//   0   f16 d                       0   f16 d
//   2   u8 qs[16]                   2   u16 scales_h
//                                   4   u8 scales_l[4]
//                                   8   u8 qs[128]
//   value = d * level[q]            value = d * (scale - 32) * level[q], a scale for every 32
//   Of every 32 values byte j of 16 holds value j in its low nibble, value j + 16 in its high one.
//   Scale i of IQ4_XS: low four bits in nibble i of scales_l, high two in bits 2 i of scales_h.
//
// Encoding, weights x^2: of the scales -max/127 (the level 127 for the extreme value) and
// max/(level[0] + t), t = -7..7, the one whose least-squares gain is greatest. Source:
// ggml-quants.c, quantize_iq4_nl, quantize_iq4_xs (quantize_row_iq4_nl_ref tries fewer scales and
// is not what llama.cpp writes to files).
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

constexpr int kLevels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                             1,    13,   25,  38,  53,  69,  89,  113};
constexpr int kRun = 32;
constexpr int kHalf = 16;
constexpr int kSubs = 8;

float level(int code) { return static_cast<float>(kLevels[code]); }

// The nearest level, the lower one only if it is strictly nearer.
int nearest_level(float value) {
  if (value <= level(0)) return 0;
  if (value >= level(15)) return 15;
  int upper = 1;
  while (upper < 15 && !(value < level(upper))) ++upper;  // NaN ends at 15
  return value - level(upper - 1) < level(upper) - value ? upper - 1 : upper;
}

// Sums of w x l and w l^2 over the levels nearest to inverse * x, with w = x^2.
struct Sums {
  float xl = 0.0f;
  float ll = 0.0f;
};
Sums sums_at(const float* values, float inverse) {
  Sums sums;
  for (int j = 0; j < kRun; ++j) {
    const float weight = values[j] * values[j];
    const float l = level(nearest_level(inverse * values[j]));
    sums.xl += weight * l * values[j];
    sums.ll += weight * l * l;
  }
  return sums;
}

// The scale of 32 values.
float search_scale(const float* values) {
  constexpr int kTries = 7;
  const float extreme = extreme_of({values, kRun});
  if (std::fabs(extreme) < kZeroMagnitude) return 0.0f;
  Sums sums = sums_at(values, 1.0f / (-extreme / level(0)));
  float scale = sums.ll > 0.0f ? sums.xl / sums.ll : 0.0f;
  float gain = scale * sums.xl;
  for (int i = -kTries; i <= kTries; ++i) {
    sums = sums_at(values, static_cast<float>(i + kLevels[0]) / extreme);
    if (!(sums.ll > 0.0f && sums.xl * sums.xl > gain * sums.ll)) continue;
    scale = sums.xl / sums.ll;
    gain = scale * sums.xl;
  }
  return scale;
}

void store_codes(const float* values, float scale, std::byte* qs) {
  const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
  for (int j = 0; j < kHalf; ++j) {
    const int low = nearest_level(inverse * values[j]);
    const int high = nearest_level(inverse * values[j + kHalf]);
    store(qs + j, static_cast<uint8_t>(low | high << 4));
  }
}

void decode_run(const std::byte* qs, float scale, float* values) {
  for (int j = 0; j < kHalf; ++j) {
    const int byte = load<uint8_t>(qs + j);
    values[j] = scale * level(byte & 15);
    values[j + kHalf] = scale * level(byte >> 4);
  }
}

}  // namespace

void IQ4_NL::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes, values += kElements)
    decode_run(blocks + 2, f16_to_f32(load<uint16_t>(blocks)), values);
}

void IQ4_NL::encode(const float* values, int64_t count, std::byte* blocks) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    const float scale = search_scale(values);
    store(blocks, f32_to_f16(scale));
    store_codes(values, scale, blocks + 2);
  }
}

void IQ4_XS::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    const float d = f16_to_f32(load<uint16_t>(blocks));
    const int high = load<uint16_t>(blocks + 2);
    for (int i = 0; i < kSubs; ++i) {
      const int low = load<uint8_t>(blocks + 4 + i / 2) >> (i % 2 * 4) & 15;
      const float scale = d * static_cast<float>((low | (high >> (2 * i) & 3) << 4) - 32);
      decode_run(blocks + 8 + kHalf * i, scale, values + kRun * i);
    }
  }
}

void IQ4_XS::encode(const float* values, int64_t count, std::byte* blocks) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    float scales[kSubs];
    for (int i = 0; i < kSubs; ++i) scales[i] = search_scale(values + kRun * i);
    const float d = -extreme_of(scales) / 32.0f;
    const float inverse = d != 0.0f ? 1.0f / d : 0.0f;
    uint8_t low[4] = {};
    int high = 0;
    for (int i = 0; i < kSubs; ++i) {
      const int code = std::clamp(round_half_even(inverse * scales[i]), -32, 31);
      low[i / 2] |= static_cast<uint8_t>((code + 32) % 16 << (i % 2 * 4));
      high |= (code + 32) / 16 << (2 * i);
      store_codes(values + kRun * i, d * static_cast<float>(code), blocks + 8 + kHalf * i);
    }
    store(blocks, f32_to_f16(d));
    store(blocks + 2, static_cast<uint16_t>(high));
    std::memcpy(blocks + 4, low, sizeof low);
  }
}

}  // namespace bittern::codec
