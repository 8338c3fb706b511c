// IEEE binary16 by integers, for ISAs without conversion instructions. The same rules as
// base/half.h, which an ISA object may not include (its functions would be emitted as weak
// symbols); tests/kernel compares all 65536 halves and every rounding boundary between them.

[[gnu::always_inline]] inline float half_value(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t magnitude_bits = bits & 0x7fffu;
  uint32_t result = (magnitude_bits << 13) + 0x38000000u;
  if (magnitude_bits >= 0x7c00u) {  // infinity, NaN (quieted)
    result = 0x7f800000u | (magnitude_bits & 0x3ffu) << 13;
    if (magnitude_bits > 0x7c00u) result |= 0x400000u;
  } else if (magnitude_bits < 0x400u) {  // zero, denormal: a multiple of 2^-24
    result = __builtin_bit_cast(uint32_t, static_cast<float>(magnitude_bits) * 0x1p-24f);
  }
  return __builtin_bit_cast(float, sign | result);
}

[[gnu::always_inline]] inline uint16_t half_bits(float value) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, value);
  const uint32_t sign = bits >> 16 & 0x8000u;
  const uint32_t magnitude_bits = bits & 0x7fffffffu;
  uint32_t result = 0;
  if (magnitude_bits > 0x7f800000u) {
    result = 0x7e00u | (magnitude_bits >> 13 & 0x3ffu);
  } else if (magnitude_bits >= 0x477ff000u) {
    result = 0x7c00u;
  } else if (magnitude_bits < 0x38800000u) {  // below 2^-14: one addition rounds to 2^-24
    const float shifted = __builtin_bit_cast(float, magnitude_bits) + 0.5f;
    result = __builtin_bit_cast(uint32_t, shifted) - 0x3f000000u;
  } else {
    result = (magnitude_bits + 0xfffu + (magnitude_bits >> 13 & 1u) - 0x38000000u) >> 13;
  }
  return static_cast<uint16_t>(sign | result);
}
