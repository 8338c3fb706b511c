// The table of kernels: one constant per instruction set, plain data and function pointers.
// Every ISA gives the same bits for every entry (guarantee G6); tests/kernel holds each of them
// against the scalar table. Nothing here checks its arguments: callers do, once, at the edge.
//
// Two conventions run through all entries:
//   16 virtual lanes   a float reduction over k sends element k to lane k % 16, ascending, and
//                      ends in one tree: l + (l+8), then +4, +2, +1. A tail fills fewer lanes.
//   T2                 ternary weights, see pack.h.
// This header is included by the ISA objects, so it holds nothing but plain types.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bittern::kernel {

struct BlockKernels;  // block.h

enum class Gate : int32_t { silu, relu, relu2, gelu, gelu_tanh };

inline constexpr int64_t kStripRows = 16;      // output rows that a T2 strip holds
inline constexpr int64_t kColumnPadding = 64;  // columns of a T2 strip: a multiple of this
// Beyond this many columns the weighted int32 accumulators of T2 could wrap.
inline constexpr int64_t kMaxTernaryColumns = 524288;

// One T2 strip times `rows` rows of int8 codes in [-127, 127]:
// out[m * 16 + n] = sum over k of weight(n, k) * codes[m * columns + k], exact.
struct TernaryDots {
  const uint8_t* strip;  // columns / 16 lines of 64 bytes
  int64_t columns;       // padded: a multiple of 64
  const int8_t* codes;   // [rows, columns], padding 0
  const int32_t* sums;   // [rows], sum of each row's codes
  int64_t rows;
  int32_t* out;  // [rows, 16]
};

// Sums to values: out[m * stride + n] = (float(dots) * inverse_scales[m]) * scale (+ bias[n]).
struct TernaryScale {
  const int32_t* dots;  // [rows, 16]
  int64_t rows;
  int64_t outputs;  // 1..16 of the strip's rows are real
  const float* inverse_scales;
  float scale;
  const float* bias;  // [outputs], or null
  float* out;
  int64_t stride;
};

// out[m * out_stride + n] = 16-lane fused dot of in row m and weights row n.
struct FloatDots {
  const float* weights;
  int64_t weight_rows, weight_stride;
  const float* in;
  int64_t rows, in_stride;
  int64_t columns;
  float* out;
  int64_t out_stride;
};

// One chunk of online softmax. `scores` [count] (a multiple of 16) become exp(score - maximum),
// where `maximum` rises to the chunk's; `correction` is what earlier sums and values are to be
// multiplied by, and `sum` already has been, with the chunk's own sum added.
struct SoftmaxChunk {
  float* scores;
  int64_t count;
  float maximum, sum, correction;
};

// Decodes `count` elements (a multiple of the codec's block) of one row; unaligned bytes.
using Decode = void (*)(const void* bytes, int64_t count, float* out);

struct Table {
  const char* name;          // "avx512"
  const char* ternary_name;  // "avx512-vnni"
  const BlockKernels* block;

  void (*ternary_dots)(const TernaryDots&);
  void (*ternary_scale)(const TernaryScale&);
  void (*float_dots)(const FloatDots&);

  // Equal to the codec's decode, bit for bit.
  Decode decode_f16, decode_bf16, decode_q8_0, decode_q4_0, decode_q4_1;
  // Round to nearest even, as base/half.h does.
  void (*encode_f16)(const float* in, int64_t count, uint16_t* out);

  // int8 rule of activations: s = 127 / max(absmax, 1e-5), code = round half even(x * s) clamped
  // to [-127, 127]; codes[width, padded) = 0.
  void (*quantise)(const float* in, int64_t width, int64_t padded, int8_t* codes,
                   float* inverse_scale, int32_t* sum);
  // int8 rule of keys and values: scale = absmax / 127, code = round half even(x * (127 /
  // absmax)); a vector whose absmax is below 1e-30 is stored as zeros.
  void (*encode_i8)(const float* in, int64_t count, int8_t* codes, float* scale);
  void (*decode_i8)(const int8_t* codes, int64_t count, float scale, float* out);

  // x * (1 / sqrt(mean(x^2) + eps)) * weight, in this order; in place allowed.
  void (*rms_norm)(const float* in, const float* weight, float eps, int64_t width, float* out);
  // (x - mean) * (1 / sqrt(variance + eps)) * weight + bias, in this order; the mean first, then
  // the variance of what is centred; `weight` and `bias` may be null; in place allowed.
  void (*layer_norm)(const float* in, const float* weight, const float* bias, float eps,
                     int64_t width, float* out);
  // gate(x) * up, or gate(x) alone where up is null; in place allowed.
  void (*gate)(Gate kind, const float* in, const float* up, int64_t count, float* out);
  void (*add)(float* x, const float* y, int64_t count);
  // x[i] += factor * y[i], the product rounded first.
  void (*add_scaled)(float* x, const float* y, float factor, int64_t count);
  // x[i] = cap * tanh(x[i] / cap), within 3 ulp.
  void (*softcap)(float* x, float cap, int64_t count);
  // The normalised Walsh-Hadamard transform of `count` elements (a power of two) in natural order:
  // butterflies of span 1, 2, 4, ..., then times 1 / sqrt(count).
  void (*hadamard)(float* x, int64_t count);
  // Rotates one head: pairs (i, i + half) or (2i, 2i + 1), i < half.
  void (*rotate)(bool interleaved, const float* cosine, const float* sine, int64_t half, float* x);
  // exp of each element: within 1 ulp of the true value, denormals included; in place allowed.
  void (*exponential)(const float* in, int64_t count, float* out);

  void (*softmax_chunk)(SoftmaxChunk&);
  // x[i] *= factor
  void (*scale)(float* x, int64_t count, float factor);
  // out[i] = fma(weights[t], values[t * width + i], out[i]) for t ascending.
  void (*accumulate)(const float* weights, const float* values, int64_t count, int64_t width,
                     float* out);
};

extern const Table scalar_table;
#if defined(__x86_64__)
extern const Table avx2_table;
extern const Table avx512_table;
#endif

}  // namespace bittern::kernel
