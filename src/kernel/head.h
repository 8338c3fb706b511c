// The coarse plane of an output layer of real-valued weights: 8-bit codes beside the weights, from
// which every logit is known within a bound that is proven, so that only rows that can still win
// are read in full.
//
// Layout. Strips as block.h has them, 8-bit codes with an f16 scale for each 128 columns, products
// by the block kernels of every ISA; behind the blocks of a strip, for each of its 16 rows:
//
//   error   f32 >= |w - v|    w the row as the full product reads it, v what its codes stand for,
//   weight  f32 >= |v|        |.| the Euclidean norm
//
// Activations. x is what the full product reads. Two rows of codes stand for it: x1 of x, then x2
// of x - x1, each int8 with a scale for each 32 columns, about 15 bits together.
//
// Bound. c = fl(c1 + c2), c_i = the block product of v and x_i; l the full product before its
// bias; K columns, R = K / 32 runs; u = 2^-24, g(n) = n u / (1 - n u). By Cauchy-Schwarz
//
//   |l - w.x|      <=  g(K + 16) |w| |x|         products and sums in any order, each rounded once
//   |w.x - v.x|    <=  |w - v| |x|
//   |v.x - v.x12|  <=  |v| |x - x1 - x2|
//   |v.x_i - c_i|  <=  g(R + 8) |v| |x_i|        one product and one fused multiply-add for a run
//
// and |w| <= |v| + |w - v|, so that
//
//   |l - c|  <=  error * reach.error + weight * reach.weight + reach.absolute + u |c|
//
// The absolute part is for what underflows or is taken as zero. Why 8 bits, and which formats:
// docs/decisions/0011-coarse-head.md.
#pragma once

#include <cstdint>

#include "kernel/block.h"

namespace bittern::kernel {

inline constexpr BlockLayout kHeadLayout = {"head8", 8, 128, 128, BlockScales::f16};

struct HeadNorms {
  float error[kBlockStripRows], weight[kBlockStripRows];
};

// Bytes of a strip, where its norms begin, and of a whole plane.
int64_t head_strip_bytes(int64_t columns);
int64_t head_norms_offset(int64_t columns);
int64_t head_bytes(int64_t rows, int64_t columns);

// Rows [rows <= 16, columns], `stride` floats apart, into head_strip_bytes(); missing rows are
// zeros. Returns a bound of the largest |w|; infinity where a weight is not a number that the bound
// above holds for: then the plane is of no use.
float pack_head_strip(const float* values, int64_t rows, int64_t stride, int64_t columns,
                      uint8_t* strip);

// The two rows of codes of one row of activations, as BlockKernels::quantise leaves them: rows 0
// and 1 of what has `pitch` rows in each block.
struct HeadCodes {
  const int8_t* codes;
  const float* scales;
  int64_t pitch;
};

// x - x1 into `rest` [columns], rounded.
void head_rest(const float* x, int64_t columns, const HeadCodes& codes, float* rest);

struct HeadReach {
  float error, weight, absolute;
};

// Of activations x [columns] with these codes and a plane whose largest |w| is `largest`. Infinite
// where a product could overflow or something is not a number.
HeadReach head_reach(const float* x, int64_t columns, const HeadCodes& codes, float largest);

}  // namespace bittern::kernel
