// What NEON of ARMv8-A gives the shared sources: a virtual vector is four q registers. Included in
// the unnamed namespace of an ISA file, before them.

constexpr int kPartBytes = 16;

#include "kernel/isa/lanes.inl"

// Lane by lane a > b ? a : b (smaller: a < b ? a : b): FCMGT and BSL. FMAX would keep a NaN of a,
// which is passed over here, and FMAXNM one of b, which is not.
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

[[gnu::always_inline]] inline FloatPart fma_part(FloatPart a, FloatPart b, FloatPart c) {
  return FloatPart(vfmaq_f32(float32x4_t(c), float32x4_t(a), float32x4_t(b)));
}

[[gnu::always_inline]] inline Lanes fma(const Lanes& a, const Lanes& b, const Lanes& c) {
  Lanes result;
  for (int i = 0; i < kParts; ++i) result.part[i] = fma_part(a.part[i], b.part[i], c.part[i]);
  return result;
}

// Eight int16 to floats.
[[gnu::always_inline]] inline FloatPart lower_floats(int16x8_t words) {
  return FloatPart(vcvtq_f32_s32(vmovl_s16(vget_low_s16(words))));
}
[[gnu::always_inline]] inline FloatPart upper_floats(int16x8_t words) {
  return FloatPart(vcvtq_f32_s32(vmovl_high_s16(words)));
}

[[gnu::always_inline]] inline Lanes from_bytes(int8x16_t bytes) {
  const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
  return {{lower_floats(low), upper_floats(low), lower_floats(high), upper_floats(high)}};
}

[[gnu::always_inline]] inline Lanes load_i8(const int8_t* from) {
  return from_bytes(vld1q_s8(from));
}

// Integers in [-128, 127].
[[gnu::always_inline]] inline void store_i8(int8_t* to, const Lanes& lanes) {
  int32x4_t words[kParts];
  for (int i = 0; i < kParts; ++i) words[i] = vcvtnq_s32_f32(float32x4_t(lanes.part[i]));
  const int16x8_t low = vcombine_s16(vmovn_s32(words[0]), vmovn_s32(words[1]));
  const int16x8_t high = vcombine_s16(vmovn_s32(words[2]), vmovn_s32(words[3]));
  vst1q_s8(to, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
}

struct Nibbles {
  Lanes low, high;
};

[[gnu::always_inline]] inline Nibbles load_nibbles(const uint8_t* from) {
  const uint8x16_t bytes = vld1q_u8(from);
  return {from_bytes(vreinterpretq_s8_u8(vandq_u8(bytes, vdupq_n_u8(15)))),
          from_bytes(vreinterpretq_s8_u8(vshrq_n_u8(bytes, 4)))};
}

[[gnu::always_inline]] inline float half_value(uint16_t bits) {
  return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(bits))), 0);
}

// Sixteen halves, of which these are eight and eight.
[[gnu::always_inline]] inline Lanes from_halves(uint16x8_t low, uint16x8_t high) {
  const float16x8_t first = vreinterpretq_f16_u16(low), second = vreinterpretq_f16_u16(high);
  return {{FloatPart(vcvt_f32_f16(vget_low_f16(first))), FloatPart(vcvt_high_f32_f16(first)),
           FloatPart(vcvt_f32_f16(vget_low_f16(second))), FloatPart(vcvt_high_f32_f16(second))}};
}

[[gnu::always_inline]] inline Lanes load_f16(const uint8_t* from) {
  return from_halves(vreinterpretq_u16_u8(vld1q_u8(from)),
                     vreinterpretq_u16_u8(vld1q_u8(from + 16)));
}

[[gnu::always_inline]] inline void store_f16(uint16_t* to, const Lanes& lanes) {
  for (int i = 0; i < kParts; ++i) {
    const float16x4_t halves = vcvt_f16_f32(float32x4_t(lanes.part[i]));
    vst1_u16(to + kPartLanes * i, vreinterpret_u16_f16(halves));
  }
}
