// Ternary products (W1.58A8): strips of packed weights, pack.h, times int8 activations, exact in
// int32, then one chain of float multiplications. One table per instruction set; every row equals
// the scalar one bit for bit, so does every layout (guarantees G1 to G6).
//
// Included by ISA objects: plain types only.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bittern::kernel {

inline constexpr int64_t kStripRows = 16;      // output rows that a strip holds
inline constexpr int64_t kColumnPadding = 64;  // columns of a strip: a multiple of this
// Beyond this many columns int32 accumulators weighted by 64 could wrap.
inline constexpr int64_t kMaxTernaryColumns = 524288;
// Strips that share what is read of the activations: a caller who has as many gives them together.
inline constexpr int64_t kTernaryStrips = 4;

// Strips times `rows` rows of int8 codes in [-127, 127]:
// out[(s * rows + m) * 16 + n] = sum over k of weight(s, n, k) * codes[m * columns + k], exact.
struct TernaryDots {
  const uint8_t* strips;  // `strip_count`, one every `strip_bytes`
  int64_t strip_count;
  int64_t strip_bytes;
  int64_t columns;      // padded: a multiple of 64
  const int8_t* codes;  // [rows, columns], padding 0
  const int32_t* sums;  // [rows], sum of each row's codes
  int64_t rows;
  int32_t* out;  // [strip_count, rows, 16]
};

// Sums to values: out[m * stride + n] = (float(dots) * inverse_scales[m]) * scales[n] (+ bias[n]).
struct TernaryScale {
  const int32_t* dots;  // [rows, 16]
  int64_t rows;
  int64_t outputs;  // 1..16 of the strip's rows are real
  const float* inverse_scales;
  const float* scales;  // [16]
  const float* bias;    // [outputs], or null
  float* out;
  int64_t stride;
};

// Strips of layout T1.6.
struct DenseTernary {
  const char* name;             // "avx512-vbmi"
  bool needs_vbmi, needs_gfni;  // beyond what its table needs
  void (*dots)(const TernaryDots&);
};

struct TernaryKernels {
  const char* name;                  // "avx512-vnni"
  void (*dots)(const TernaryDots&);  // strips of layout T2
  void (*scale)(const TernaryScale&);
  const DenseTernary* dense;  // null where T2 is always better
};

extern const TernaryKernels scalar_ternary;
extern const DenseTernary scalar_dense;
#if defined(__x86_64__)
extern const TernaryKernels avx2_ternary;
extern const TernaryKernels avxvnni_ternary;
extern const TernaryKernels avx512_ternary;
extern const TernaryKernels avx512dual_ternary;
extern const TernaryKernels amx_ternary;
extern const DenseTernary avx512vbmi_dense;
extern const DenseTernary avx512gfni_dense;
extern const DenseTernary amxvbmi_dense;
#elif defined(__aarch64__)
extern const TernaryKernels neon_ternary;
extern const TernaryKernels neoni8mm_ternary;
#endif

}  // namespace bittern::kernel
