// What AVX-512 (F, BW, VL, DQ, VNNI) gives the block kernels: 64 codes, or a number for each of a
// strip's 16 rows, are one zmm. Included in the unnamed namespace of an ISA file, before them.

constexpr int kPartBytes = 64;
constexpr int kParts = 1;
constexpr int kPartLanes = 16;
constexpr bool kSignedCodes = false;  // vpdpbusd takes codes as bytes from 0 to 255

using Ints = __m512i;
using Floats = __m512;

[[gnu::always_inline]] inline Ints load_ints(const void* from) { return _mm512_loadu_si512(from); }
[[gnu::always_inline]] inline void store_ints(void* to, Ints value) {
  _mm512_storeu_si512(to, value);
}
[[gnu::always_inline]] inline Floats load_floats(const void* from) { return _mm512_loadu_ps(from); }
[[gnu::always_inline]] inline void store_floats(void* to, Floats value) {
  _mm512_storeu_ps(to, value);
}
[[gnu::always_inline]] inline Ints zero_ints() { return _mm512_setzero_si512(); }
[[gnu::always_inline]] inline Ints broadcast_bytes(int value) {
  return _mm512_set1_epi8(static_cast<char>(value));
}
[[gnu::always_inline]] inline Ints broadcast_int(int32_t value) { return _mm512_set1_epi32(value); }
[[gnu::always_inline]] inline Floats broadcast_float(float value) { return _mm512_set1_ps(value); }

[[gnu::always_inline]] inline Ints both(Ints a, Ints b) { return _mm512_and_si512(a, b); }
[[gnu::always_inline]] inline Ints differing(Ints a, Ints b) { return _mm512_xor_si512(a, b); }
// Each pair of bytes shifted as one number.
template <int kBits>
[[gnu::always_inline]] inline Ints shifted_right(Ints value) {
  return _mm512_srli_epi16(value, kBits);
}
template <int kBits>
[[gnu::always_inline]] inline Ints shifted_left(Ints value) {
  return _mm512_slli_epi16(value, kBits);
}
// low | (high & mask)
[[gnu::always_inline]] inline Ints merged(Ints low, Ints high, Ints mask) {
  return _mm512_ternarylogic_epi32(low, high, mask, 0xf8);
}
[[gnu::always_inline]] inline Ints table_of(const int8_t* sixteen) {
  return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(sixteen)));
}
[[gnu::always_inline]] inline Ints looked_up(Ints table, Ints codes) {
  return _mm512_shuffle_epi8(table, codes);
}
// `low` plus `value` in the bytes whose bit of vector p of a plane of bits is set.
[[gnu::always_inline]] inline Ints with_plane(Ints low, const uint8_t* plane, int p, int,
                                              Ints value) {
  uint64_t bits;
  __builtin_memcpy(&bits, plane + 8 * p, sizeof(bits));
  return _mm512_mask_add_epi8(low, _cvtu64_mask64(bits), low, value);
}
// `low` or `value` in the four bytes of each row whose bit of a u16 is set.
[[gnu::always_inline]] inline Ints with_rows(Ints low, const uint8_t* rows, int, Ints value) {
  uint16_t bits;
  __builtin_memcpy(&bits, rows, sizeof(bits));
  return _mm512_mask_or_epi32(low, _cvtu32_mask16(bits), low, value);
}

[[gnu::always_inline]] inline Ints subtract(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
[[gnu::always_inline]] inline Ints multiply(Ints a, Ints b) { return _mm512_mullo_epi32(a, b); }
[[gnu::always_inline]] inline Floats multiply(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
[[gnu::always_inline]] inline Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
[[gnu::always_inline]] inline Floats to_floats(Ints value) { return _mm512_cvtepi32_ps(value); }
// The bits of a number as those of a float.
[[gnu::always_inline]] inline Floats as_floats(Ints bits) { return _mm512_castsi512_ps(bits); }
[[gnu::always_inline]] inline Floats fused(Floats a, Floats b, Floats c) {
  return _mm512_fmadd_ps(a, b, c);
}

// Scales of this part's rows.
[[gnu::always_inline]] inline Ints load_signed_bytes(const uint8_t* from) {
  return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
[[gnu::always_inline]] inline Ints load_bytes(const uint8_t* from) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
[[gnu::always_inline]] inline Floats load_f16(const uint8_t* from) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
[[gnu::always_inline]] inline Floats load_bf16(const uint8_t* from) {
  const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}
// 2^(byte - 128): the exponent's place holds byte - 1; bytes 0 and 1 are subnormal.
[[gnu::always_inline]] inline Floats load_e8m0(const uint8_t* from) {
  const __m512i exponent = load_bytes(from);
  const __m512i one = _mm512_set1_epi32(1);
  const __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(exponent, one), 23);
  const __m512i subnormal = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), exponent);
  const __mmask16 is_normal = _mm512_cmpgt_epi32_mask(exponent, one);
  return _mm512_castsi512_ps(_mm512_mask_blend_epi32(is_normal, subnormal, normal));
}

// Four dwords of activations, each on its own in all lanes.
struct Spread {
  Ints dword[4];
};
[[gnu::always_inline]] inline Spread spread(const int8_t* codes) {
  const __m512i all =
      _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)));
  return {{_mm512_shuffle_epi32(all, _MM_PERM_AAAA), _mm512_shuffle_epi32(all, _MM_PERM_BBBB),
           _mm512_shuffle_epi32(all, _MM_PERM_CCCC), _mm512_shuffle_epi32(all, _MM_PERM_DDDD)}};
}

// Codes of 16 values: x * factor, at most 127 either way, to the nearest, half to even.
[[gnu::always_inline]] inline void store_codes(const float* in, float factor, int8_t* codes) {
  __m512 x = _mm512_mul_ps(_mm512_loadu_ps(in), _mm512_set1_ps(factor));
  x = _mm512_max_ps(_mm512_min_ps(x, _mm512_set1_ps(127.0f)), _mm512_set1_ps(-127.0f));
  const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(codes), bytes);
}

#include "kernel/isa/block_sum.inl"
