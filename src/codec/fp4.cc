// MXFP4 and NVFP4: four-bit floats E2M1 (0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives) under a
// shared eight-bit scale.
//
//   MXFP4, 32 values, 17 bytes       NVFP4, 64 values, 36 bytes
//   0   u8 e                         0   u8 d[4], one for every 16 values
//   1   u8 qs[16]                    4   u8 qs[32], eight bytes for every 16 values
//   value = E2M1[q] * 2^(e - 127)    value = E2M1[q] * UE4M3[d]
//   Byte j of qs holds value j of its 32 (16) in the low nibble, value j + 16 (j + 8) in the high.
//   UE4M3 is E4M3 without its sign (the top bit is ignored); the byte 0x7f, NaN there, is 0 here.
//   Code 8, minus zero, reads as plus zero.
//
// As in ggml, the levels are doubled to integers and the scales halved. A per-tensor f32 scale may
// stand beside an NVFP4 tensor (NAME.scale); it is not part of the block.
//
// Encoding: e = floor(log2(max|x|)) - 2 + 127, d = UE4M3(max|x| / 6), every value to the nearest
// level, the lower code on a tie. Source: ggml-quants.c, ggml-impl.h; OCP Microscaling Formats 1.0.
#include <algorithm>
#include <bit>
#include <cmath>

#include "base/bytes.h"
#include "codec/formats.h"
#include "codec/rounding.h"

namespace bittern::codec {
namespace {

constexpr int kLevels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// 2^(e - 128).
float mx_scale(int e) {
  const auto bits = e < 2 ? 0x00200000u << e : static_cast<uint32_t>(e - 1) << 23;
  return std::bit_cast<float>(bits);
}

// Half of the UE4M3 value.
float nv_scale(int code) {
  if (code == 0x7f) return 0.0f;
  const int exponent = code >> 3 & 15;
  const int mantissa = code & 7;
  return exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -10)
                       : std::ldexp(static_cast<float>(8 + mantissa), exponent - 11);
}

// To UE4M3: halves away from zero; what is not above 0 gives 0. Everything from 256 up, not only
// what is beyond 448, becomes 0x7e = 448: the reference saturates by the exponent alone.
int nv_code(float value) {
  if (!(value > 0.0f)) return 0;
  const auto bits = std::bit_cast<uint32_t>(std::min(value, 448.0f));
  const int exponent = static_cast<int>(bits >> 23) - 127 + 7;
  if (exponent <= 0) return std::min(7, truncate(value * 512.0f + 0.5f));
  // The carry of the mantissa's rounding runs into the exponent.
  const int code =
      (exponent << 3 | static_cast<int>(bits >> 20 & 7u)) + static_cast<int>(bits >> 19 & 1u);
  return code >= 15 << 3 ? 0x7e : code;
}

float greatest_magnitude(const float* values, int count) {
  float greatest = 0.0f;
  for (int j = 0; j < count; ++j) greatest = std::max(greatest, std::fabs(values[j]));
  return greatest;
}

int nearest_code(float value, float scale) {
  int nearest = 0;
  float least = std::fabs(static_cast<float>(kLevels[0]) * scale - value);
  for (int code = 1; code < 16; ++code) {
    const float error = std::fabs(static_cast<float>(kLevels[code]) * scale - value);
    if (error < least) {
      nearest = code;
      least = error;
    }
  }
  return nearest;
}

// 2 * half values.
void store_codes(const float* values, int half, float scale, std::byte* qs) {
  for (int j = 0; j < half; ++j) {
    const int low = nearest_code(values[j], scale);
    const int high = nearest_code(values[j + half], scale);
    store(qs + j, static_cast<uint8_t>(low | high << 4));
  }
}

void decode_codes(const std::byte* qs, int half, float scale, float* values) {
  for (int j = 0; j < half; ++j) {
    const int byte = load<uint8_t>(qs + j);
    values[j] = static_cast<float>(kLevels[byte & 15]) * scale;
    values[j + half] = static_cast<float>(kLevels[byte >> 4]) * scale;
  }
}

}  // namespace

void MXFP4::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes, values += kElements)
    decode_codes(blocks + 1, 16, mx_scale(load<uint8_t>(blocks)), values);
}

void MXFP4::encode(const float* values, int64_t count, std::byte* blocks) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    const float greatest = greatest_magnitude(values, kElements);
    // Subnormal blocks wrap round, as in the reference on x86-64; they decode to zeros.
    const auto e = static_cast<uint8_t>(
        greatest > 0.0f ? truncate(std::floor(std::log2(greatest)) - 2.0f + 127.0f) : 0);
    store(blocks, e);
    store_codes(values, 16, mx_scale(e), blocks + 1);
  }
}

void NVFP4::decode(const std::byte* blocks, int64_t count, float* values) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    for (int sub = 0; sub < 4; ++sub)
      decode_codes(blocks + 4 + 8 * sub, 8, nv_scale(load<uint8_t>(blocks + sub)),
                   values + 16 * sub);
  }
}

void NVFP4::encode(const float* values, int64_t count, std::byte* blocks) {
  for (; count > 0; --count, blocks += kBytes, values += kElements) {
    for (int sub = 0; sub < 4; ++sub) {
      const int d = nv_code(greatest_magnitude(values + 16 * sub, 16) / 6.0f);
      store(blocks + sub, static_cast<uint8_t>(d));
      store_codes(values + 16 * sub, 8, nv_scale(d), blocks + 4 + 8 * sub);
    }
  }
}

}  // namespace bittern::codec
