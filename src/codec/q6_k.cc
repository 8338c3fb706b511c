// Q6_K: 256 values in 210 bytes, 6.5625 bits each: six-bit codes, a signed 8-bit sub-scale for
// every 16 values, one f16 scale.
//
//     0   u8 ql[128]      low four bits
//   128   u8 qh[64]       high two bits
//   192   int8 scales[16]
//   208   f16 d
//
// The two halves of 128 values use 64 bytes of ql, 32 of qh and 8 sub-scales each. Within a half,
// value 32 * run + l (run 0..3, l 0..31) takes
//   low bits    run 0, 1: low nibble of ql[l], ql[l + 32]; run 2, 3: their high nibbles
//   high bits   bits 2 * run of qh[l]
//   sub-scale   scales[2 * run + l / 16]
// and is d * scale * (q - 32), multiplied left to right.
//
// Encoding searches the scale of every 16 values with weights x^2, codes those by the one of
// greatest magnitude, then the values once more by what is stored.
// Source: ggml-quants.c, dequantize_row_q6_K, quantize_row_q6_K_ref.
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

void decode_half(const std::byte* ql, const std::byte* qh, const std::byte* scales, float d,
                 float* values) {
  for (int run = 0; run < 4; ++run) {
    const std::byte* low = ql + 32 * (run % 2);
    const int low_shift = run < 2 ? 0 : 4;
    for (int l = 0; l < 32; ++l) {
      const int q = (load<uint8_t>(low + l) >> low_shift & 15) |
                    (load<uint8_t>(qh + l) >> (2 * run) & 3) << 4;
      const float scale = d * static_cast<float>(load<int8_t>(scales + 2 * run + l / 16));
      values[32 * run + l] = scale * static_cast<float>(q - 32);
    }
  }
}

constexpr int kSub = 16;
constexpr int kSubs = 16;

// 128 codes to 64 bytes of ql and 32 of qh.
void store_half(const uint8_t* codes, std::byte* ql, std::byte* qh) {
  for (int l = 0; l < 32; ++l) {
    const int code[] = {codes[l], codes[l + 32], codes[l + 64], codes[l + 96]};
    store(ql + l, static_cast<uint8_t>((code[0] & 15) | (code[2] & 15) << 4));
    store(ql + l + 32, static_cast<uint8_t>((code[1] & 15) | (code[3] & 15) << 4));
    const int high = code[0] >> 4 | code[1] >> 4 << 2 | code[2] >> 4 << 4 | code[3] >> 4 << 6;
    store(qh + l, static_cast<uint8_t>(high));
  }
}

void encode_block(const float* values, std::byte* block) {
  uint8_t codes[Q6_K::kElements];  // plus 32
  float scales[kSubs];
  for (int i = 0; i < kSubs; ++i) {
    float weights[kSub];
    for (int l = 0; l < kSub; ++l) weights[l] = values[kSub * i + l] * values[kSub * i + l];
    scales[i] = search_symmetric({values + kSub * i, kSub}, weights, 32, codes + kSub * i);
  }
  const float greatest = extreme_of(scales);
  if (std::fabs(greatest) < kZeroMagnitude) {
    std::memset(block, 0, Q6_K::kBytes);
    return;
  }
  const float inverse = -128.0f / greatest;
  const uint16_t d = f32_to_f16(1.0f / inverse);
  for (int i = 0; i < kSubs; ++i) {
    const auto scale = static_cast<int8_t>(std::min(127, round_half_even(inverse * scales[i])));
    store(block + 192 + i, scale);
    const float step = f16_to_f32(d) * static_cast<float>(scale);
    if (step == 0.0f) continue;  // the codes of the search stand
    for (int l = kSub * i; l < kSub * (i + 1); ++l)
      codes[l] = static_cast<uint8_t>(std::clamp(round_half_even(values[l] / step), -32, 31) + 32);
  }
  store_half(codes, block, block + 128);
  store_half(codes + 128, block + 64, block + 160);
  store(block + 208, d);
}

}  // namespace

void Q6_K::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    const float d = f16_to_f32(load<uint16_t>(blocks + 208));
    decode_half(blocks, blocks + 128, blocks + 192, d, values);
    decode_half(blocks + 64, blocks + 160, blocks + 200, d, values + 128);
  }
}

void Q6_K::encode(const float* values, int64_t count, std::byte* blocks) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) encode_block(values, blocks);
}

}  // namespace bittern::codec
