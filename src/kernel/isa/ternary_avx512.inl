// One zmm is a line of T2: the primitives of ternary_vnni.inl, shared by the AVX-512 files.

typedef __m512i Vector;
constexpr int kLineVectors = 1;

// An unaligned dword that may alias anything.
typedef int32_t Dword __attribute__((may_alias, aligned(1)));

[[gnu::always_inline]] inline Vector zero() { return _mm512_setzero_si512(); }
[[gnu::always_inline]] inline Vector set(int32_t value) { return _mm512_set1_epi32(value); }
[[gnu::always_inline]] inline Vector sum(Vector a, Vector b) { return _mm512_add_epi32(a, b); }
[[gnu::always_inline]] inline Vector shift_right(Vector a) { return _mm512_srai_epi32(a, 2); }
[[gnu::always_inline]] inline Vector load_dwords(const int32_t* from) {
  return _mm512_loadu_si512(from);
}
[[gnu::always_inline]] inline void store_dwords(int32_t* to, Vector value) {
  _mm512_storeu_si512(to, value);
}
[[gnu::always_inline]] inline void prefetch(const void* at) { _mm_prefetch(at, _MM_HINT_T0); }
[[gnu::always_inline]] inline Vector broadcast_codes(const int8_t* codes) {
  return _mm512_set1_epi32(*reinterpret_cast<const Dword*>(codes));
}
[[gnu::always_inline]] inline Vector mask_plane(Vector line, int plane) {
  return _mm512_and_si512(line, _mm512_set1_epi8(static_cast<char>(3 << 2 * plane)));
}
[[gnu::always_inline]] inline Vector load_masked(const uint8_t* at, int plane) {
  return mask_plane(_mm512_loadu_si512(at), plane);
}

// In assembly, because gcc 12 copies the accumulator to and fro around the built-in and then runs
// out of registers: tiles of 16 accumulators ran at half of the peak with it, at 97 % without.
[[gnu::always_inline]] inline void dot(Vector& total, Vector weights, Vector codes) {
  asm("vpdpbusd %2, %1, %0" : "+v"(total) : "v"(weights), "v"(codes));
}
// The same with the broadcast as part of the instruction.
[[gnu::always_inline]] inline void dot(Vector& total, Vector weights, const int8_t* codes) {
  asm("vpdpbusd %2%{1to16%}, %1, %0"
      : "+v"(total)
      : "v"(weights), "m"(*reinterpret_cast<const Dword*>(codes)));
}

// Sums of planes 0 to 3, that are multiples of 1, 4, 16 and 64.
[[gnu::always_inline]] inline Vector sum_of_planes(const Vector* planes) {
  const Vector low = sum(planes[0], _mm512_srai_epi32(planes[1], 2));
  return sum(low, sum(_mm512_srai_epi32(planes[2], 4), _mm512_srai_epi32(planes[3], 6)));
}
