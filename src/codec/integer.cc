// I8 to I64, U8 to U64, BOOL: two's complement, little-endian. Decoding rounds to the nearest float
// (beyond 2^24 a float does not hold every integer); encoding accepts only values that are
// integers of the type, because an integer tensor holds indices or codes, never approximations.
#include <cmath>
#include <limits>

#include "base/bytes.h"
#include "base/error.h"
#include "codec/formats.h"

namespace bittern::codec {

template <typename T>
void Integer<T>::decode(const std::byte* blocks, int64_t count, float* values) {
  for (int64_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>(load<T>(blocks + i * static_cast<int64_t>(sizeof(T))));
  }
}

template <typename T>
void Integer<T>::encode(const float* values, int64_t count, std::byte* blocks) {
  using Limits = std::numeric_limits<T>;
  // Both powers of two (or 0), so exact in float; max() itself need not be.
  const float lowest = static_cast<float>(Limits::min());
  const float end = std::ldexp(1.0f, Limits::digits);
  for (int64_t i = 0; i < count; ++i) {
    const float value = values[i];
    if (!(value >= lowest && value < end && std::trunc(value) == value)) {
      bad_input("element {}: {} cannot be coded as a {}-bit {} integer", i, value, 8 * sizeof(T),
                Limits::is_signed ? "signed" : "unsigned");
    }
    store(blocks + i * static_cast<int64_t>(sizeof(T)), static_cast<T>(value));
  }
}

template struct Integer<int8_t>;
template struct Integer<int16_t>;
template struct Integer<int32_t>;
template struct Integer<int64_t>;
template struct Integer<uint8_t>;
template struct Integer<uint16_t>;
template struct Integer<uint32_t>;
template struct Integer<uint64_t>;

void Boolean::decode(const std::byte* blocks, int64_t count, float* values) {
  for (int64_t i = 0; i < count; ++i) values[i] = blocks[i] == std::byte{0} ? 0.0f : 1.0f;
}

void Boolean::encode(const float* values, int64_t count, std::byte* blocks) {
  for (int64_t i = 0; i < count; ++i) {
    if (values[i] != 0.0f && values[i] != 1.0f)
      bad_input("element {}: BOOL codes only 0 and 1, got {}", i, values[i]);
    store(blocks + i, static_cast<uint8_t>(values[i] != 0.0f));
  }
}

}  // namespace bittern::codec
