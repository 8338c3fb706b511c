// Linear layers of real-valued weights: f32, the halves and the eight-bit floats, times f32
// activations, straight from where the weights lie. One arithmetic for one row and for a thousand,
// on every ISA and for every format, bit for bit (guarantees G2 to G6):
//
//   the weight is decoded exactly to f32 and multiplied by `scale`; lane k % 16 takes element k by
//   fused multiply-add, k ascending from +0, zeros of weights and activations behind the last
//   column as far as lane 15; then the tree l + (l + 8), + 4, + 2, + 1 of kernel.h; then + bias,
//   where there is one.
//
// Two ways through it, chosen by the number of rows: few rows read each weight once and decode it
// in registers; many rows work on panels of 16 outputs x kRealPanel columns, decoded once into
// scratch that stays in the first level of cache, with the lanes of every (row, output) kept in
// scratch between panels.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bittern::kernel {

inline constexpr int64_t kRealOutputs = 16;    // outputs of a call at most
inline constexpr int64_t kRealPanel = 256;     // columns of a panel
inline constexpr int64_t kRealRowBlock = 192;  // rows of activations whose lanes are held at once
// Floats of RealDots::scratch: a panel, then 16 lanes of every row and output of a block.
inline constexpr int64_t kRealScratch =
    kRealOutputs * kRealPanel + kRealRowBlock * kRealOutputs * 16;

enum class RealFormat : uint8_t { f32, f16, bf16, f8_e4m3, f8_e5m2, f8_e4m3fnuz, f8_e5m2fnuz };

// out[m * stride + n] = dot of row m of `in` and weight row n (+ bias[n]).
struct RealDots {
  RealFormat format;
  const uint8_t* const* weights;  // [outputs], where each row begins; no alignment is needed
  int64_t outputs;                // 1..16
  int64_t columns;
  float scale;  // of every weight, rounded once; 1: none
  const float* in;
  int64_t rows, in_stride;
  const float* bias;  // [outputs], or null
  float* out;
  int64_t stride;
  float* scratch;  // kRealScratch floats, best aligned to 64 bytes
};

struct RealKernels {
  const char* name;  // "avx512"
  void (*dots)(const RealDots&);
};

extern const RealKernels scalar_real;
#if defined(__x86_64__)
extern const RealKernels avx2_real;
extern const RealKernels avx512_real;
#elif defined(__aarch64__)
extern const RealKernels neon_real;
#endif

}  // namespace bittern::kernel
