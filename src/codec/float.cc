// F64, F32, F16, BF16: one number per element, little-endian. Coding rounds to nearest, ties to
// even (F64 when decoded, the halves when encoded); NaN stays NaN. The conversions of halves are
// base/half.h, so every machine gives the same bits.
#include <cstring>

#include "base/bytes.h"
#include "base/half.h"
#include "codec/formats.h"

namespace bittern::codec {

void F64::decode(const std::byte* blocks, int64_t count, float* values) {
  for (int64_t i = 0; i < count; ++i)
    values[i] = static_cast<float>(load<double>(blocks + i * kBytes));
}

void F64::encode(const float* values, int64_t count, std::byte* blocks) {
  for (int64_t i = 0; i < count; ++i) store(blocks + i * kBytes, static_cast<double>(values[i]));
}

void F32::decode(const std::byte* blocks, int64_t count, float* values) {
  if (count > 0) std::memcpy(values, blocks, static_cast<size_t>(count) * sizeof(float));
}

void F32::encode(const float* values, int64_t count, std::byte* blocks) {
  if (count > 0) std::memcpy(blocks, values, static_cast<size_t>(count) * sizeof(float));
}

void F16::decode(const std::byte* blocks, int64_t count, float* values) {
  for (int64_t i = 0; i < count; ++i) values[i] = f16_to_f32(load<uint16_t>(blocks + i * kBytes));
}

void F16::encode(const float* values, int64_t count, std::byte* blocks) {
  for (int64_t i = 0; i < count; ++i) store(blocks + i * kBytes, f32_to_f16(values[i]));
}

void BF16::decode(const std::byte* blocks, int64_t count, float* values) {
  for (int64_t i = 0; i < count; ++i) values[i] = bf16_to_f32(load<uint16_t>(blocks + i * kBytes));
}

void BF16::encode(const float* values, int64_t count, std::byte* blocks) {
  for (int64_t i = 0; i < count; ++i) store(blocks + i * kBytes, f32_to_bf16(values[i]));
}

}  // namespace bittern::codec
