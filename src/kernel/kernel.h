// The table of kernels: one constant per instruction set, plain data and function pointers.
// Every ISA gives the same bits for every entry (guarantee G6); tests/kernel holds each of them
// against the scalar table. Nothing here checks its arguments: callers do, once, at the edge.
//
// Two conventions run through all entries:
//   16 virtual lanes   a float reduction over k sends element k to lane k % 16, ascending, and
//                      ends in one tree: l + (l+8), then +4, +2, +1. A tail fills fewer lanes.
//   strips             16 output rows of packed weights stand together, see pack.h.
// This header is included by the ISA objects, so it holds nothing but plain types.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/ternary.h"

namespace bittern::kernel {

struct AttentionKernels;  // attention.h
struct Bf16Kernels;       // bf16.h
struct BlockKernels;      // block.h
struct RealKernels;       // real.h

enum class Gate : int32_t { silu, relu, relu2, gelu, gelu_tanh };

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
  const char* name;  // "avx512"
  const TernaryKernels* ternary;
  const BlockKernels* block;
  const AttentionKernels* attention;
  const RealKernels* real;
  const Bf16Kernels* bf16;  // may need more than the table does: see select_bf16()

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
  // x[i] += factors[r] * rows[r * stride + i] for each of `row_count` rows in ascending order, each
  // product fused into the sum.
  void (*add_rows)(float* x, const float* rows, int64_t stride, const float* factors,
                   int64_t row_count, int64_t count);
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
};

extern const Table scalar_table;
#if defined(__x86_64__)
extern const Table avx2_table;
extern const Table avxvnni_table;
extern const Table avx512_table;
extern const Table avx512dual_table;
extern const Table amx_table;
#elif defined(__aarch64__)
extern const Table neon_table;
extern const Table neoni8mm_table;
#endif

}  // namespace bittern::kernel
