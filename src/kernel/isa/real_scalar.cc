// Real-valued weights in portable C++: the truth the other tables are held to. Virtual lanes are
// four 16-byte vectors.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/real.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_scalar.inl"

constexpr int64_t kFewRows = 1;
constexpr int kDirectRows = 1;
constexpr int kDirectWeights = 1, kDirectLanes = 2;
constexpr int kPanelWeights = 2, kPanelRows = 2;

struct IntLanes {
  IntPart part[kParts];
};

[[gnu::always_inline]] inline IntLanes load_bytes(const uint8_t* from) {
  IntLanes result;
  for (int64_t i = 0; i < kLanes; ++i) result.part[i / kPartLanes][i % kPartLanes] = from[i];
  return result;
}

[[gnu::always_inline]] inline IntLanes load_halves(const uint8_t* from) {
  IntLanes result;
  for (int64_t i = 0; i < kLanes; ++i) {
    uint16_t half;
    __builtin_memcpy(&half, from + 2 * i, sizeof(half));
    result.part[i / kPartLanes][i % kPartLanes] = half;
  }
  return result;
}

[[gnu::always_inline]] inline Lanes load_upper_halves(const uint8_t* from) {
  float values[kLanes];
  for (int64_t i = 0; i < kLanes; ++i) values[i] = half_value(static_cast<uint16_t>(from[i] << 8));
  return load(values);
}

[[gnu::always_inline]] inline Lanes load_lower_halves(const uint8_t* from) {
  float values[kLanes];
  for (int64_t i = 0; i < kLanes; ++i) {
    values[i] = half_value(static_cast<uint16_t>((from[i] & 0x80) << 8 | (from[i] & 0x7f) << 7));
  }
  return load(values);
}

[[gnu::always_inline]] inline Lanes sums16(const float* lanes) {
  float sums[kLanes];
  for (int64_t n = 0; n < kLanes; ++n) sums[n] = sum(load(lanes + n * kLanes));
  return load(sums);
}

#include "kernel/isa/real.inl"

}  // namespace

constinit const RealKernels scalar_real = {"scalar", real_dots};

}  // namespace bittern::kernel
