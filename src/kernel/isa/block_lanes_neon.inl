// What NEON gives the block kernels: a quarter of a vector of 64 codes (rows 4v to 4v + 3 of a
// strip) is one q register, and so are numbers for four rows. Included in the unnamed namespace of
// an ISA file, before them.

constexpr bool kSignedCodes = true;  // SDOT takes both sides as signed bytes

constexpr int kPartBytes = 16;
constexpr int kParts = 4;
constexpr int kPrefetchLocality = 3;
constexpr int kPartLanes = 4;

using Ints = int32x4_t;
using Floats = float32x4_t;

[[gnu::always_inline]] inline uint8x16_t bytes_of(Ints value) {
  return vreinterpretq_u8_s32(value);
}
[[gnu::always_inline]] inline Ints from_bytes(uint8x16_t bytes) {
  return vreinterpretq_s32_u8(bytes);
}

[[gnu::always_inline]] inline Ints load_ints(const void* from) {
  return from_bytes(vld1q_u8(static_cast<const uint8_t*>(from)));
}
[[gnu::always_inline]] inline void store_ints(void* to, Ints value) {
  vst1q_u8(static_cast<uint8_t*>(to), bytes_of(value));
}
[[gnu::always_inline]] inline Floats load_floats(const void* from) {
  return vld1q_f32(static_cast<const float*>(from));
}
[[gnu::always_inline]] inline void store_floats(void* to, Floats value) {
  vst1q_f32(static_cast<float*>(to), value);
}
[[gnu::always_inline]] inline Ints zero_ints() { return vdupq_n_s32(0); }
[[gnu::always_inline]] inline Ints broadcast_bytes(int value) {
  return from_bytes(vdupq_n_u8(static_cast<uint8_t>(value)));
}
[[gnu::always_inline]] inline Ints broadcast_int(int32_t value) { return vdupq_n_s32(value); }
[[gnu::always_inline]] inline Floats broadcast_float(float value) { return vdupq_n_f32(value); }

[[gnu::always_inline]] inline Ints both(Ints a, Ints b) { return vandq_s32(a, b); }
[[gnu::always_inline]] inline Ints differing(Ints a, Ints b) { return veorq_s32(a, b); }
// Each byte by itself; what could come over from its neighbour elsewhere is always masked.
template <int kBits>
[[gnu::always_inline]] inline Ints shifted_right(Ints value) {
  return from_bytes(vshrq_n_u8(bytes_of(value), kBits));
}
template <int kBits>
[[gnu::always_inline]] inline Ints shifted_left(Ints value) {
  return from_bytes(vshlq_n_u8(bytes_of(value), kBits));
}
// low | (high & mask)
[[gnu::always_inline]] inline Ints merged(Ints low, Ints high, Ints mask) {
  return vorrq_s32(low, vandq_s32(high, mask));
}
[[gnu::always_inline]] inline Ints table_of(const int8_t* sixteen) { return load_ints(sixteen); }
// Codes below 16.
[[gnu::always_inline]] inline Ints looked_up(Ints table, Ints codes) {
  return from_bytes(vqtbl1q_u8(bytes_of(table), bytes_of(codes)));
}
// `low` plus `value` in the bytes whose bit of vector p of a plane of bits is set: two bytes of
// the plane, each of which goes to the eight bytes that it is about.
[[gnu::always_inline]] inline Ints with_plane(Ints low, const uint8_t* plane, int p, int part,
                                              Ints value) {
  const uint8_t* bits = plane + 8 * p + 2 * part;
  const uint8x16_t spread = vcombine_u8(vdup_n_u8(bits[0]), vdup_n_u8(bits[1]));
  const uint8x16_t own = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201u));
  const uint8x16_t is_set = vtstq_u8(spread, own);
  return from_bytes(vaddq_u8(bytes_of(low), vandq_u8(is_set, bytes_of(value))));
}
// `low` or `value` in the four bytes of each row whose bit of a u16 is set.
[[gnu::always_inline]] inline Ints with_rows(Ints low, const uint8_t* rows, int part, Ints value) {
  const uint32x4_t spread = vdupq_n_u32(static_cast<uint32_t>(rows[part / 2] >> 4 * (part % 2)));
  const uint32x4_t own = vreinterpretq_u32_u8(vreinterpretq_u8_u64(
      vcombine_u64(vcreate_u64(0x0000000200000001u), vcreate_u64(0x0000000800000004u))));
  return vorrq_s32(low, vandq_s32(vreinterpretq_s32_u32(vtstq_u32(spread, own)), value));
}

[[gnu::always_inline]] inline Floats add(Floats a, Floats b) { return vaddq_f32(a, b); }
[[gnu::always_inline]] inline Ints subtract(Ints a, Ints b) { return vsubq_s32(a, b); }
[[gnu::always_inline]] inline Ints multiply(Ints a, Ints b) { return vmulq_s32(a, b); }
[[gnu::always_inline]] inline Floats multiply(Floats a, Floats b) { return vmulq_f32(a, b); }
[[gnu::always_inline]] inline Floats to_floats(Ints value) { return vcvtq_f32_s32(value); }
// The bits of a number as those of a float.
[[gnu::always_inline]] inline Floats as_floats(Ints bits) { return vreinterpretq_f32_s32(bits); }
[[gnu::always_inline]] inline Floats fused(Floats a, Floats b, Floats c) {
  return vfmaq_f32(c, a, b);
}

// Four bytes in the lower lanes.
[[gnu::always_inline]] inline uint8x8_t load_four(const uint8_t* from) {
  uint32_t four;
  __builtin_memcpy(&four, from, sizeof(four));
  return vreinterpret_u8_u32(vdup_n_u32(four));
}
// Scales of this part's rows.
[[gnu::always_inline]] inline Ints load_signed_bytes(const uint8_t* from) {
  return vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(load_four(from)))));
}
[[gnu::always_inline]] inline Ints load_bytes(const uint8_t* from) {
  return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(load_four(from)))));
}
[[gnu::always_inline]] inline Floats load_f16(const uint8_t* from) {
  return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(from)));
}
[[gnu::always_inline]] inline Floats load_bf16(const uint8_t* from) {
  return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(from)), 16));
}
// 2^(byte - 128): the exponent's place holds byte - 1; bytes 0 and 1 are subnormal.
[[gnu::always_inline]] inline Floats load_e8m0(const uint8_t* from) {
  const int32x4_t exponent = load_bytes(from), one = vdupq_n_s32(1);
  const int32x4_t normal = vshlq_n_s32(vsubq_s32(exponent, one), 23);
  const int32x4_t subnormal = vshlq_s32(vdupq_n_s32(0x00200000), exponent);
  return vreinterpretq_f32_s32(vbslq_s32(vcgtq_s32(exponent, one), normal, subnormal));
}

[[gnu::always_inline]] inline Floats magnitude(Floats x) { return vabsq_f32(x); }
// a > b ? a : b in each lane.
[[gnu::always_inline]] inline Floats larger(Floats a, Floats b) {
  return vbslq_f32(vcgtq_f32(a, b), a, b);
}

// Of each run the factor from values to codes and the scale back, which is 0 where codes are; NaN
// is passed over.
[[gnu::always_inline]] inline void scales_of_runs(const float* block, float* factors,
                                                  float* scales) {
  for (int64_t i = 0; i < kBlockRuns; ++i, block += kBlockRun) {
    Floats found = broadcast_float(0.0f);
    for (int64_t k = 0; k < kBlockRun; k += kPartLanes)
      found = larger(magnitude(load_floats(block + k)), found);
    const float largest = vmaxvq_f32(found);
    factors[i] = 127.0f / largest;
    // Below, that would overflow.
    scales[i] = largest >= 1e-30f ? largest / 127.0f : 0.0f;
  }
}

[[gnu::always_inline]] inline int32x4_t codes_of(const float* in, float factor) {
  const float32x4_t most = vdupq_n_f32(127.0f), least = vdupq_n_f32(-127.0f);
  float32x4_t x = vmulq_n_f32(vld1q_f32(in), factor);
  x = vbslq_f32(vcltq_f32(x, most), x, most);  // NaN becomes 127
  return vcvtnq_s32_f32(larger(x, least));
}

// Codes of 16 values: x * factor, at most 127 either way, to the nearest, half to even.
[[gnu::always_inline]] inline void store_codes(const float* in, float factor, int8_t* codes) {
  const int16x8_t low =
      vcombine_s16(vmovn_s32(codes_of(in, factor)), vmovn_s32(codes_of(in + 4, factor)));
  const int16x8_t high =
      vcombine_s16(vmovn_s32(codes_of(in + 8, factor)), vmovn_s32(codes_of(in + 12, factor)));
  vst1q_s8(codes, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
}

// Sums of each 16 codes of a block.
[[gnu::always_inline]] inline void sums_of_pieces(const int8_t* codes, int32_t* sums) {
  for (int64_t i = 0; i < kBlockColumns / 16; ++i) sums[i] = vaddlvq_s8(vld1q_s8(codes + 16 * i));
}

// Sums of the codes of eight runs, times their scales.
[[gnu::always_inline]] inline void scale_runs(const int32_t* sums, const float* scales, float* to) {
  for (int i = 0; i < 8; i += 4)
    vst1q_f32(to + i, vmulq_f32(vcvtq_f32_s32(vld1q_s32(sums + i)), vld1q_f32(scales + i)));
}

// Of sixteen pieces, two to a scale.
[[gnu::always_inline]] inline void scale_pieces(const int32_t* sums, const float* scales,
                                                float* to) {
  for (int i = 0; i < 8; i += 4) {
    const float32x4_t four = vld1q_f32(scales + i);
    const float32x4x2_t twice = vzipq_f32(four, four);
    for (int half = 0; half < 2; ++half) {
      const int at = 2 * i + 4 * half;
      vst1q_f32(to + at, vmulq_f32(vcvtq_f32_s32(vld1q_s32(sums + at)), twice.val[half]));
    }
  }
}
