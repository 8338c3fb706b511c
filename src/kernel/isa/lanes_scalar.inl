// What portable C++ gives the shared sources: virtual lanes are four 16-byte vectors, which any
// target has or gets emulated. Fused multiply-add is exact without an instruction for it: the
// product of two floats is exact in double, and the sum is rounded to odd before it is rounded to
// float, which cannot round twice (Boldo and Melquiond, "When double rounding is odd", 2005).
// Included in the unnamed namespace of an ISA file, before them.

constexpr int kPartBytes = 16;

#include "kernel/isa/half.inl"
#include "kernel/isa/lanes.inl"

// Lane by lane a > b ? a : b (smaller: a < b ? a : b); a NaN in a is passed over.
[[gnu::always_inline]] inline Lanes larger(const Lanes& a, const Lanes& b) {
  Lanes result;
  for (int i = 0; i < kParts; ++i) result.part[i] = a.part[i] > b.part[i] ? a.part[i] : b.part[i];
  return result;
}

[[gnu::always_inline]] inline Lanes smaller(const Lanes& a, const Lanes& b) {
  Lanes result;
  for (int i = 0; i < kParts; ++i) result.part[i] = a.part[i] < b.part[i] ? a.part[i] : b.part[i];
  return result;
}

[[gnu::always_inline]] inline float fused(float a, float b, float c) {
#if defined(__FP_FAST_FMAF)
  return __builtin_fmaf(a, b, c);
#else
  const double product = static_cast<double>(a) * static_cast<double>(b);
  const double addend = static_cast<double>(c);
  const double total = product + addend;
  const double back = total - product;
  const double error = (product - (total - back)) + (addend - back);  // exact (two-sum)
  uint64_t bits = __builtin_bit_cast(uint64_t, total);
  // Round to odd: an inexact even result moves one step towards the error.
  const bool inexact = error < 0.0 || error > 0.0;  // false for NaN
  const bool outward = (error > 0.0) == (total > 0.0);
  if (inexact && (bits & 1u) == 0) bits = outward ? bits + 1 : bits - 1;
  return static_cast<float>(__builtin_bit_cast(double, bits));
#endif
}

[[gnu::always_inline]] inline FloatPart fma_part(FloatPart a, FloatPart b, FloatPart c) {
  FloatPart result;
  for (int i = 0; i < kPartLanes; ++i) result[i] = fused(a[i], b[i], c[i]);
  return result;
}

[[gnu::always_inline]] inline Lanes fma(const Lanes& a, const Lanes& b, const Lanes& c) {
  Lanes result;
  for (int i = 0; i < kParts; ++i) result.part[i] = fma_part(a.part[i], b.part[i], c.part[i]);
  return result;
}

[[gnu::always_inline]] inline Lanes load_i8(const int8_t* from) {
  float values[kLanes];
  for (int64_t i = 0; i < kLanes; ++i) values[i] = static_cast<float>(from[i]);
  return load(values);
}

// Integers in [-128, 127].
[[gnu::always_inline]] inline void store_i8(int8_t* to, const Lanes& lanes) {
  float values[kLanes];
  store(values, lanes);
  for (int64_t i = 0; i < kLanes; ++i) to[i] = static_cast<int8_t>(static_cast<int32_t>(values[i]));
}

struct Nibbles {
  Lanes low, high;
};

[[gnu::always_inline]] inline Nibbles load_nibbles(const uint8_t* from) {
  float low[kLanes], high[kLanes];
  for (int64_t i = 0; i < kLanes; ++i) {
    low[i] = static_cast<float>(from[i] & 15);
    high[i] = static_cast<float>(from[i] >> 4);
  }
  return {load(low), load(high)};
}

[[gnu::always_inline]] inline Lanes load_f16(const uint8_t* from) {
  float values[kLanes];
  for (int64_t i = 0; i < kLanes; ++i) {
    uint16_t bits;
    __builtin_memcpy(&bits, from + 2 * i, sizeof(bits));
    values[i] = half_value(bits);
  }
  return load(values);
}

[[gnu::always_inline]] inline void store_f16(uint16_t* to, const Lanes& lanes) {
  float values[kLanes];
  store(values, lanes);
  for (int64_t i = 0; i < kLanes; ++i) to[i] = half_bits(values[i]);
}
