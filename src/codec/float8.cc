// Eight-bit floats as SafeTensors holds them: sign, exponent, mantissa from the top bit down.
//
//               bits    bias   greatest   beyond it
//   F8_E4M3     1 4 3      7        448   NaN, 0x7f and 0xff; no infinity
//   F8_E5M2     1 5 2     15      57344   infinity 0x7c, NaN 0x7d..0x7f, as IEEE
//   F8_E4M3FNUZ 1 4 3      8        240   NaN, 0x80 alone; no infinity, no minus zero
//   F8_E5M2FNUZ 1 5 2     16      57344   the same
//   F8_E8M0     0 8 0    127      2^127   NaN, 0xff; no sign, no zero: a power of two, for scales
//
// Encoding rounds to nearest, ties to even, and does not saturate: what rounds beyond the greatest
// becomes what the table says. F8_E8M0 rounds to the nearer power of two, upwards from the middle
// (between 2^-127 and 2^-126, where float32 is subnormal, always upwards, as ml_dtypes), and takes
// no zero and nothing negative: NaN.
// Source: OCP 8-bit Floating Point 1.0, Microscaling Formats 1.0; ml_dtypes for FNUZ and rounding.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/bytes.h"
#include "codec/formats.h"

namespace bittern::codec {

struct E4M3 {
  static constexpr int kMantissa = 3, kBias = 7, kGreatest = 0x7e, kBeyond = 0x7f, kNan = 0x7f;
  static constexpr bool kUnsignedZero = false;
};
struct E5M2 {
  static constexpr int kMantissa = 2, kBias = 15, kGreatest = 0x7b, kBeyond = 0x7c, kNan = 0x7e;
  static constexpr bool kUnsignedZero = false;
};
struct E4M3Fnuz {
  static constexpr int kMantissa = 3, kBias = 8, kGreatest = 0x7f, kBeyond = 0x80, kNan = 0x80;
  static constexpr bool kUnsignedZero = true;
};
struct E5M2Fnuz {
  static constexpr int kMantissa = 2, kBias = 16, kGreatest = 0x7f, kBeyond = 0x80, kNan = 0x80;
  static constexpr bool kUnsignedZero = true;
};

namespace {

constexpr int kSign = 0x80;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Value of a code whose sign bit is clear.
template <typename Spec>
float magnitude_of(int code) {
  if (code > Spec::kGreatest) {
    const bool infinite = code == Spec::kBeyond && Spec::kBeyond != Spec::kNan;
    return infinite ? std::numeric_limits<float>::infinity() : kNan;
  }
  const int exponent = code >> Spec::kMantissa;
  const int mantissa = code & ((1 << Spec::kMantissa) - 1);
  const int implicit = exponent > 0 ? 1 << Spec::kMantissa : 0;
  return std::ldexp(static_cast<float>(implicit + mantissa),
                    std::max(exponent, 1) - Spec::kBias - Spec::kMantissa);
}

// Code of a finite value that is not negative, before it is held against the greatest: a multiple
// of the spacing around it. The carry of the rounding runs into the exponent.
template <typename Spec>
int64_t rounded_code(float magnitude) {
  const int smallest = 1 - Spec::kBias;
  const int exponent = magnitude > 0.0f ? std::max(std::ilogb(magnitude), smallest) : smallest;
  const float steps = std::ldexp(magnitude, Spec::kMantissa - exponent);  // exact, below 2^24
  return (static_cast<int64_t>(exponent - smallest) << Spec::kMantissa) +
         static_cast<int64_t>(std::nearbyint(steps));
}

template <typename Spec>
int code_of(float value) {
  const int sign = std::signbit(value) ? kSign : 0;
  if (std::isnan(value)) return Spec::kNan | sign;
  const float magnitude = std::fabs(value);
  const int64_t code = std::isinf(magnitude) ? Spec::kBeyond : rounded_code<Spec>(magnitude);
  if (code > Spec::kGreatest) return Spec::kBeyond | sign;
  if (code == 0 && Spec::kUnsignedZero) return 0;
  return static_cast<int>(code) | sign;
}

}  // namespace

template <typename Spec>
void Float8<Spec>::decode(const std::byte* blocks, int64_t count, float* values) {
  for (int64_t i = 0; i < count; ++i) {
    const int code = load<uint8_t>(blocks + i);
    if (Spec::kUnsignedZero && code == kSign) {
      values[i] = kNan;
      continue;
    }
    const float magnitude = magnitude_of<Spec>(code & ~kSign);
    values[i] = (code & kSign) != 0 ? -magnitude : magnitude;
  }
}

template <typename Spec>
void Float8<Spec>::encode(const float* values, int64_t count, std::byte* blocks) {
  for (int64_t i = 0; i < count; ++i)
    store(blocks + i, static_cast<uint8_t>(code_of<Spec>(values[i])));
}

template struct Float8<E4M3>;
template struct Float8<E5M2>;
template struct Float8<E4M3Fnuz>;
template struct Float8<E5M2Fnuz>;

void F8_E8M0::decode(const std::byte* blocks, int64_t count, float* values) {
  for (int64_t i = 0; i < count; ++i) {
    const int code = load<uint8_t>(blocks + i);
    values[i] = code == 0xff ? kNan : std::ldexp(1.0f, code - 127);
  }
}

void F8_E8M0::encode(const float* values, int64_t count, std::byte* blocks) {
  for (int64_t i = 0; i < count; ++i) {
    uint32_t code = 0xff;
    if (values[i] > 0.0f) {
      const auto bits = std::bit_cast<uint32_t>(values[i]);
      const bool subnormal = bits < 0x00800000u;
      // The exponent field is the code. Infinity has 0xff there already.
      code = subnormal ? (bits > 0x00400000u ? 1u : 0u) : (bits + 0x00400000u) >> 23;
    }
    store(blocks + i, static_cast<uint8_t>(code));
  }
}

}  // namespace bittern::codec
