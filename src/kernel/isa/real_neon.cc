// Real-valued weights with NEON. A virtual vector is four q registers.
//
// A tile of a panel is 4 weights x 5 rows of a quarter of a virtual vector: 20 accumulators, 5
// inputs and a weight of the 32 registers; per 4 lanes 9 loads for 20 FMLA. The other quarters of
// the lanes are passes of their own over the panel, which lies in the first level of cache.
// The speed of this is unverified: it has run under an emulator only.

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/real.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_neon.inl"

constexpr int64_t kFewRows = 4;
constexpr int kDirectRows = 2;
constexpr int kDirectWeights = 2, kDirectLanes = 4;
constexpr int kPanelWeights = 4, kPanelRows = 5;

struct IntLanes {
  IntPart part[kParts];
};

[[gnu::always_inline]] inline IntLanes from_words(uint16x8_t low, uint16x8_t high) {
  return {{IntPart(vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(low)))),
           IntPart(vreinterpretq_s32_u32(vmovl_high_u16(low))),
           IntPart(vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(high)))),
           IntPart(vreinterpretq_s32_u32(vmovl_high_u16(high)))}};
}

[[gnu::always_inline]] inline IntLanes load_bytes(const uint8_t* from) {
  const uint8x16_t bytes = vld1q_u8(from);
  return from_words(vmovl_u8(vget_low_u8(bytes)), vmovl_high_u8(bytes));
}

[[gnu::always_inline]] inline IntLanes load_halves(const uint8_t* from) {
  return from_words(vreinterpretq_u16_u8(vld1q_u8(from)),
                    vreinterpretq_u16_u8(vld1q_u8(from + 16)));
}

// Words of a byte each, the byte on top.
struct UpperBytes {
  uint16x8_t low, high;
};
[[gnu::always_inline]] inline UpperBytes upper_bytes(const uint8_t* from) {
  const uint8x16_t bytes = vld1q_u8(from), zero = vdupq_n_u8(0);
  return {vreinterpretq_u16_u8(vzip1q_u8(zero, bytes)),
          vreinterpretq_u16_u8(vzip2q_u8(zero, bytes))};
}

[[gnu::always_inline]] inline Lanes load_upper_halves(const uint8_t* from) {
  const UpperBytes halves = upper_bytes(from);
  return from_halves(halves.low, halves.high);
}

// The sign stays, the rest moves one place down.
[[gnu::always_inline]] inline uint16x8_t lowered(uint16x8_t halves) {
  const int16x8_t moved = vshrq_n_s16(vreinterpretq_s16_u16(halves), 1);
  return vandq_u16(vreinterpretq_u16_s16(moved), vdupq_n_u16(0xbfff));
}
[[gnu::always_inline]] inline Lanes load_lower_halves(const uint8_t* from) {
  const UpperBytes halves = upper_bytes(from);
  return from_halves(lowered(halves.low), lowered(halves.high));
}

// Lanes l + (l + 8) of a virtual vector, then + 4: four lanes are left.
[[gnu::always_inline]] inline float32x4_t folded(const float* lanes) {
  return vaddq_f32(vaddq_f32(vld1q_f32(lanes), vld1q_f32(lanes + 8)),
                   vaddq_f32(vld1q_f32(lanes + 4), vld1q_f32(lanes + 12)));
}

// Two of them to pairs: the first's lanes 0 + 2 and 1 + 3, then the second's.
[[gnu::always_inline]] inline float32x4_t pairs(float32x4_t a, float32x4_t b) {
  return vaddq_f32(vcombine_f32(vget_low_f32(a), vget_low_f32(b)),
                   vcombine_f32(vget_high_f32(a), vget_high_f32(b)));
}

[[gnu::always_inline]] inline FloatPart sums4(const float* lanes) {
  const float32x4_t first = pairs(folded(lanes), folded(lanes + kLanes));
  const float32x4_t second = pairs(folded(lanes + 2 * kLanes), folded(lanes + 3 * kLanes));
  return FloatPart(vpaddq_f32(first, second));
}

[[gnu::always_inline]] inline Lanes sums16(const float* lanes) {
  Lanes result;
  for (int i = 0; i < kParts; ++i) result.part[i] = sums4(lanes + i * kPartLanes * kLanes);
  return result;
}

#include "kernel/isa/real.inl"

}  // namespace

constinit const RealKernels neon_real = {"neon", real_dots};

}  // namespace bittern::kernel
