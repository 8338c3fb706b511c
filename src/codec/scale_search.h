// Private to codec/: what the encoders look for in a block, and the scale searches of the k-quant
// encoders. Each search takes the values of one sub-block and a weight for the error of each, tries
// a row of scales and keeps the codes with the least weighted error. The weights are arguments
// because formats differ in them, and because an importance matrix enters a quantiser by nothing
// else.
//
// The order of every sum and product is the reference's, so that the bytes are. Source:
// ggml-quants.c: make_qx_quants, make_q3_quants, make_qkx2_quants.
#pragma once

#include <cfloat>
#include <cstdint>
#include <span>

namespace bittern::codec {

// A sub-block whose values are all below this counts as zero.
inline constexpr float kZeroMagnitude = 1e-15f;

// The first value of greatest magnitude, with its sign; 0 for none.
float extreme_of(std::span<const float> values);

// The least and the greatest value, each the first of its size; a NaN is neither.
struct Range {
  float least = FLT_MAX, greatest = -FLT_MAX;
};
Range range_of(std::span<const float> values);

// value ~ scale * (code - limit), codes 0 to 2 * limit - 1. Tries 19 scales around the one that
// sends the extreme value to -limit. A block of zeros gets codes 0 and scale 0.
float search_symmetric(std::span<const float> values, std::span<const float> weights, int limit,
                       uint8_t* codes);

// The same form, weights x^2; from the scale that sends the extreme value to -limit the codes are
// changed one by one, in at most five rounds, while that lowers the error.
float search_by_descent(std::span<const float> values, int limit, uint8_t* codes);

// value ~ scale * code - minimum, codes 0 to limit, minimum at least 0.
struct AffineFit {
  float scale = 0.0f;
  float minimum = 0.0f;
};
// Grids of (first + step * i + limit) / (max - min) codes per unit, i = 0..steps, each followed by
// weighted least squares for scale and minimum.
struct AffineSearch {
  int limit;
  float first;
  float step;
  int steps;
  bool absolute;  // least sum of |error| instead of error^2
};
AffineFit search_affine(std::span<const float> values, std::span<const float> weights,
                        const AffineSearch& search, uint8_t* codes);

}  // namespace bittern::codec
