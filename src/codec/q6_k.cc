// Q6_K: 256 values in 210 bytes, 6.5625 bits each: six-bit codes, a signed 8-bit sub-scale for
// every 16 values, one f16 scale. Decoded only; the encoder with its scale search comes with the
// other k-quants.
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
// Source: ggml-quants.c, dequantize_row_q6_K.
#include "base/bytes.h"
#include "base/half.h"
#include "codec/formats.h"

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

}  // namespace

void Q6_K::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    const float d = f16_to_f32(load<uint16_t>(blocks + 208));
    decode_half(blocks, blocks + 128, blocks + 192, d, values);
    decode_half(blocks + 64, blocks + 160, blocks + 200, d, values + 128);
  }
}

}  // namespace bittern::codec
