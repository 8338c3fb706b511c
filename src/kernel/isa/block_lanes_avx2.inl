// What AVX2 with FMA and F16C gives the block kernels: half a vector of 64 codes (rows 0 to 7 of a
// strip, or 8 to 15) is one ymm, and so are numbers for eight rows. Included in the unnamed
// namespace of an ISA file, before them; the file says whether it wants kSignedCodes.

constexpr int kPartBytes = 32;
constexpr int kParts = 2;
constexpr int kPrefetchLocality = 3;
constexpr int kPartLanes = 8;
// Rows of activations of one pass over a block: as many as keep sums and products in registers.
constexpr int kTileRows = 4;

using Ints = __m256i;
using Floats = __m256;

[[gnu::always_inline]] inline Ints load_ints(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}
[[gnu::always_inline]] inline void store_ints(void* to, Ints value) {
  _mm256_storeu_si256(static_cast<__m256i*>(to), value);
}
[[gnu::always_inline]] inline Floats load_floats(const void* from) {
  return _mm256_loadu_ps(static_cast<const float*>(from));
}
[[gnu::always_inline]] inline void store_floats(void* to, Floats value) {
  _mm256_storeu_ps(static_cast<float*>(to), value);
}
[[gnu::always_inline]] inline Ints zero_ints() { return _mm256_setzero_si256(); }
[[gnu::always_inline]] inline Ints broadcast_bytes(int value) {
  return _mm256_set1_epi8(static_cast<char>(value));
}
[[gnu::always_inline]] inline Ints broadcast_int(int32_t value) { return _mm256_set1_epi32(value); }
[[gnu::always_inline]] inline Floats broadcast_float(float value) { return _mm256_set1_ps(value); }

[[gnu::always_inline]] inline Ints both(Ints a, Ints b) { return _mm256_and_si256(a, b); }
[[gnu::always_inline]] inline Ints differing(Ints a, Ints b) { return _mm256_xor_si256(a, b); }
// Each pair of bytes shifted as one number.
template <int kBits>
[[gnu::always_inline]] inline Ints shifted_right(Ints value) {
  return _mm256_srli_epi16(value, kBits);
}
template <int kBits>
[[gnu::always_inline]] inline Ints shifted_left(Ints value) {
  return _mm256_slli_epi16(value, kBits);
}
// low | (high & mask)
[[gnu::always_inline]] inline Ints merged(Ints low, Ints high, Ints mask) {
  return _mm256_or_si256(low, _mm256_and_si256(high, mask));
}
[[gnu::always_inline]] inline Ints table_of(const int8_t* sixteen) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(sixteen)));
}
[[gnu::always_inline]] inline Ints looked_up(Ints table, Ints codes) {
  return _mm256_shuffle_epi8(table, codes);
}
// `low` plus `value` in the bytes whose bit of vector p of a plane of bits is set: each byte of
// the plane goes to the eight bytes that it is about, where one bit of it is kept.
[[gnu::always_inline]] inline Ints with_plane(Ints low, const uint8_t* plane, int p, int part,
                                              Ints value) {
  int32_t bits;
  __builtin_memcpy(&bits, plane + 8 * p + 4 * part, sizeof(bits));
  const __m256i spread = _mm256_shuffle_epi8(
      _mm256_set1_epi32(bits),
      _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303));
  const __m256i own = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201u));
  const __m256i is_set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, own), own);
  return _mm256_add_epi8(low, _mm256_and_si256(is_set, value));
}
// `low` or `value` in the four bytes of each row whose bit of a u16 is set.
[[gnu::always_inline]] inline Ints with_rows(Ints low, const uint8_t* rows, int part, Ints value) {
  const __m256i own = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i is_set =
      _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(rows[part]), own), own);
  return _mm256_or_si256(low, _mm256_and_si256(is_set, value));
}

[[gnu::always_inline]] inline Ints subtract(Ints a, Ints b) { return _mm256_sub_epi32(a, b); }
[[gnu::always_inline]] inline Ints multiply(Ints a, Ints b) { return _mm256_mullo_epi32(a, b); }
[[gnu::always_inline]] inline Floats multiply(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
[[gnu::always_inline]] inline Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
[[gnu::always_inline]] inline Floats to_floats(Ints value) { return _mm256_cvtepi32_ps(value); }
// The bits of a number as those of a float.
[[gnu::always_inline]] inline Floats as_floats(Ints bits) { return _mm256_castsi256_ps(bits); }
[[gnu::always_inline]] inline Floats fused(Floats a, Floats b, Floats c) {
  return _mm256_fmadd_ps(a, b, c);
}

// Scales of this part's rows.
[[gnu::always_inline]] inline Ints load_signed_bytes(const uint8_t* from) {
  return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
}
[[gnu::always_inline]] inline Ints load_bytes(const uint8_t* from) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
}
[[gnu::always_inline]] inline Floats load_f16(const uint8_t* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
[[gnu::always_inline]] inline Floats load_bf16(const uint8_t* from) {
  const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}
// 2^(byte - 128): the exponent's place holds byte - 1; bytes 0 and 1 are subnormal.
[[gnu::always_inline]] inline Floats load_e8m0(const uint8_t* from) {
  const __m256i exponent = load_bytes(from);
  const __m256i one = _mm256_set1_epi32(1);
  const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(exponent, one), 23);
  const __m256i subnormal = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), exponent);
  const __m256i is_normal = _mm256_cmpgt_epi32(exponent, one);
  return _mm256_castsi256_ps(_mm256_blendv_epi8(subnormal, normal, is_normal));
}

[[gnu::always_inline]] inline Ints broadcast_codes(const int8_t* codes) {
  int32_t four;
  __builtin_memcpy(&four, codes, sizeof(four));
  return _mm256_set1_epi32(four);
}

[[gnu::always_inline]] inline __m256i codes_of(const float* in, float factor) {
  __m256 x = _mm256_mul_ps(_mm256_loadu_ps(in), _mm256_set1_ps(factor));
  x = _mm256_max_ps(_mm256_min_ps(x, _mm256_set1_ps(127.0f)), _mm256_set1_ps(-127.0f));
  return _mm256_cvtps_epi32(x);
}

// Codes of 16 values: x * factor, at most 127 either way, to the nearest, half to even.
[[gnu::always_inline]] inline void store_codes(const float* in, float factor, int8_t* codes) {
  const __m256i mixed = _mm256_packs_epi32(codes_of(in, factor), codes_of(in + 8, factor));
  const __m256i words = _mm256_permute4x64_epi64(mixed, 0xd8);
  const __m128i bytes =
      _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(codes), bytes);
}

#include "kernel/isa/block_sum.inl"
