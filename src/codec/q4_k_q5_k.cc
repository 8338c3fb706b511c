// Q4_K and Q5_K: 256 values of four and five bits in eight sub-blocks of 32, each with a six-bit
// scale and a six-bit minimum.
//
//   Q4_K, 144 bytes, 4.5 bits     Q5_K, 176 bytes, 5.5 bits
//    0   f16 d                     0   f16 d
//    2   f16 dmin                  2   f16 dmin
//    4   u8 scales[12]             4   u8 scales[12]
//   16   u8 qs[128]               16   u8 qh[32]
//                                 48   u8 qs[128]
//   value = d * scale * q - dmin * minimum
//
//   Every 64 values have 32 bytes of qs: value l in the low nibble of byte l, value l + 32 in its
//   high nibble. The fifth bit of value 32 * sub + l is bit `sub` of qh[l].
//   Sub-block j < 4: scale in the low six bits of scales[j], minimum in those of scales[j + 4].
//   Sub-block j >= 4: low four bits in the nibbles of scales[j + 4] (scale low, minimum high), top
//   two in the top bits of scales[j - 4] (scale) and scales[j] (minimum).
//
// Encoding searches every sub-block's scale and minimum with weights rms + |x|, codes them by
// their greatest, then the values once more by what is stored. Source: ggml-quants.c,
// quantize_row_q4_K_ref, quantize_row_q5_K_ref.
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

constexpr int kSub = 32;
constexpr int kSubs = 8;

// Six-bit codes of a sub-block.
struct SubCodes {
  int scale = 0;
  int minimum = 0;
};

SubCodes sub_codes(const std::byte* scales, int j) {
  const auto at = [scales](int i) { return static_cast<int>(load<uint8_t>(scales + i)); };
  if (j < 4) return {at(j) & 63, at(j + 4) & 63};
  return {(at(j + 4) & 15) | at(j - 4) >> 6 << 4, at(j + 4) >> 4 | at(j) >> 6 << 4};
}

void store_sub_codes(const SubCodes* codes, std::byte* scales) {
  uint8_t bytes[12] = {};
  for (int j = 0; j < 4; ++j) {
    bytes[j] = static_cast<uint8_t>(codes[j].scale | codes[j + 4].scale >> 4 << 6);
    bytes[j + 4] = static_cast<uint8_t>(codes[j].minimum | codes[j + 4].minimum >> 4 << 6);
    bytes[j + 8] =
        static_cast<uint8_t>((codes[j + 4].scale & 15) | (codes[j + 4].minimum & 15) << 4);
  }
  std::memcpy(scales, bytes, sizeof bytes);
}

// Finds scales and minima, stores d, dmin and scales, and the codes in `codes`.
void encode_affine(const float* values, const AffineSearch& search, std::byte* block,
                   uint8_t* codes) {
  constexpr float kGreatest = 63.0f;
  AffineFit fits[kSubs];
  AffineFit greatest;
  for (int j = 0; j < kSubs; ++j) {
    const float* sub = values + kSub * j;
    float squares = 0.0f;
    for (int l = 0; l < kSub; ++l) squares += sub[l] * sub[l];
    const float rms = std::sqrt(squares / static_cast<float>(kSub));
    float weights[kSub];
    for (int l = 0; l < kSub; ++l) weights[l] = rms + std::fabs(sub[l]);
    fits[j] = search_affine({sub, kSub}, weights, search, codes + kSub * j);
    if (fits[j].scale > greatest.scale) greatest.scale = fits[j].scale;
    if (fits[j].minimum > greatest.minimum) greatest.minimum = fits[j].minimum;
  }
  const float scale_inverse = greatest.scale > 0.0f ? kGreatest / greatest.scale : 0.0f;
  const float minimum_inverse = greatest.minimum > 0.0f ? kGreatest / greatest.minimum : 0.0f;
  const auto six_bits = [](float scaled) {
    // Through eight bits, as the reference: what is below 0 becomes 63.
    return std::min<int>(63, static_cast<uint8_t>(round_half_even(scaled)));
  };
  SubCodes subs[kSubs];
  for (int j = 0; j < kSubs; ++j)
    subs[j] = {six_bits(scale_inverse * fits[j].scale),
               six_bits(minimum_inverse * fits[j].minimum)};
  const uint16_t d = f32_to_f16(greatest.scale / kGreatest);
  const uint16_t dmin = f32_to_f16(greatest.minimum / kGreatest);
  for (int j = 0; j < kSubs; ++j) {
    const float step = f16_to_f32(d) * static_cast<float>(subs[j].scale);
    if (step == 0.0f) continue;  // the codes of the search stand
    const float base = f16_to_f32(dmin) * static_cast<float>(subs[j].minimum);
    for (int l = kSub * j; l < kSub * (j + 1); ++l) {
      const int code = round_half_even((values[l] + base) / step);
      codes[l] = static_cast<uint8_t>(std::clamp(code, 0, search.limit));
    }
  }
  store(block, d);
  store(block + 2, dmin);
  store_sub_codes(subs, block + 4);
}

// The low nibbles of the codes.
void store_nibbles(const uint8_t* codes, std::byte* qs) {
  for (int pair = 0; pair < kSubs / 2; ++pair, codes += 2 * kSub, qs += kSub) {
    for (int l = 0; l < kSub; ++l)
      store(qs + l, static_cast<uint8_t>((codes[l] & 15) | (codes[l + kSub] & 15) << 4));
  }
}

// `qh` is null in Q4_K.
void decode_affine(const std::byte* block, const std::byte* qh, const std::byte* qs,
                   float* values) {
  const float d = f16_to_f32(load<uint16_t>(block));
  const float dmin = f16_to_f32(load<uint16_t>(block + 2));
  for (int j = 0; j < kSubs; ++j, values += kSub) {
    const SubCodes sub = sub_codes(block + 4, j);
    const float scale = d * static_cast<float>(sub.scale);
    const float minimum = dmin * static_cast<float>(sub.minimum);
    const std::byte* nibbles = qs + j / 2 * kSub;
    for (int l = 0; l < kSub; ++l) {
      int code = load<uint8_t>(nibbles + l) >> (j % 2 * 4) & 15;
      if (qh != nullptr) code |= (load<uint8_t>(qh + l) >> j & 1) << 4;
      values[l] = scale * static_cast<float>(code) - minimum;
    }
  }
}

}  // namespace

void Q4_K::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes, values += kElements)
    decode_affine(blocks, nullptr, blocks + 16, values);
}

void Q4_K::encode(const float* values, int64_t count, std::byte* blocks) {
  constexpr AffineSearch kSearch{
      .limit = 15, .first = -1.0f, .step = 0.1f, .steps = 20, .absolute = false};
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    uint8_t codes[kElements];
    encode_affine(values, kSearch, blocks, codes);
    store_nibbles(codes, blocks + 16);
  }
}

void Q5_K::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes, values += kElements)
    decode_affine(blocks, blocks + 16, blocks + 48, values);
}

void Q5_K::encode(const float* values, int64_t count, std::byte* blocks) {
  constexpr AffineSearch kSearch{
      .limit = 31, .first = -0.5f, .step = 0.1f, .steps = 15, .absolute = false};
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    uint8_t codes[kElements];
    encode_affine(values, kSearch, blocks, codes);
    std::memset(blocks + 16, 0, kSub);
    for (int j = 0; j < kElements; ++j)
      blocks[16 + j % kSub] |= static_cast<std::byte>(codes[j] >> 4 << (j / kSub));
    store_nibbles(codes, blocks + 48);
  }
}

}  // namespace bittern::codec
