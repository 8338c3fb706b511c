// Ternary weights of any stored form, as int8 codes -1, 0, 1 and one scale per tensor: what a
// W1.58A8 linear binds. Use it only where the model says that the tensor is W1.58A8; a tensor
// that merely looks ternary keeps its own arithmetic.
//
// Three cases; the codec decides the first, the values the others:
//   rows     IQ1_BN and IQ2_BN store a scale for each row: the codes are the signs, as stored
//   exact    every value is in {-a, 0, a} for one a: the codes are the signs and the scale is a,
//            never averaged again (the mean of |w| is below a as soon as one weight is 0)
//   masters  anything else is quantised by the reference's rule, TernaryRule
// Everything streams over rows: no f32 copy of a tensor is made.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "codec/tensor_view.h"

namespace bittern::codec {

// Watches values go by and says whether all of them are in {-a, 0, a} for one finite a.
class ExactTernary {
 public:
  void add(std::span<const float> values);

  // a, as long as no value has broken the pattern. All zeros (or nothing): 0, which is max|w| and
  // what I2_S and TQ store for such a tensor; nothing divides by it.
  std::optional<float> scale() const;

  // Magnitude of the first value that is not zero; 0 so far.
  float magnitude() const { return magnitude_; }
  // The first value that breaks the pattern, and its place in the order of add(); index -1 while
  // there is none.
  int64_t odd_index() const { return odd_index_; }
  float odd_value() const { return odd_value_; }

 private:
  float magnitude_ = 0.0f;
  float odd_value_ = 0.0f;
  int64_t odd_index_ = -1;
  int64_t count_ = 0;
};

// ExactTernary over values that stand together.
std::optional<float> exact_ternary_scale(std::span<const float> values);

// The reference's weight rule (transformers, integrations/bitnet.py, WeightQuant), in float32:
//   inverse = 1 / max(mean|W|, 1e-5)       over the whole tensor
//   code    = clamp(round_half_even(w * inverse), -1, 1)
//   weight  = code / inverse, so scale = 1 / inverse
// Multiplying by the rounded inverse, where a division by the mean would round once less, is the
// reference's; it decides ties, so it is kept.
struct TernaryRule {
  float inverse = 1.0f;
  float scale = 1.0f;

  // From the sum of |w| over `count` weights. An empty tensor gets the floor, 1e-5.
  static TernaryRule from_sum(double sum_of_magnitudes, int64_t count);

  // Half to even sends exactly +-0.5 to 0, and the clamp makes everything beyond it +-1.
  int8_t code(float weight) const {
    const float scaled = weight * inverse;
    return static_cast<int8_t>((scaled > 0.5f) - (scaled < -0.5f));
  }
};

// Sum of |w|, in double, and in an order fixed by the column index alone (eight interleaved
// partial sums per row, then the rows in order), so that the mean never depends on the machine
// or on threads. Within 1e-7 relative of torch's float32 mean at any size met.
double sum_of_magnitudes(std::span<const float> row);

// Whether tensors of this codec are ternary with one scale for each row.
bool has_row_scales(Id id);

// Throws bad_input, naming tensor, row and column, if an I2_S, HF_TERNARY or IQ2_BN tensor holds
// the invalid code 3. Other codecs have no invalid codes.
void check_ternary_codes(const TensorView& tensor);

// The codes of a tensor of any codec, row by row.
class TernarySource {
 public:
  // Decides exact or masters; reads the whole tensor once (of I2_S, HF_TERNARY, TQ1_0, TQ2_0,
  // IQ1_BN and IQ2_BN only what is needed: codes checked in place, stored scales compared). Throws
  // bad_input where a code is invalid or a value or scale is not finite. The bytes behind the view
  // must live on.
  explicit TernarySource(const TensorView& tensor);

  int64_t rows() const { return tensor_.rows(); }
  int64_t columns() const { return tensor_.columns(); }
  // Multiplies every code; never negative. With a scale for each row: the largest.
  float scale() const { return rule_.scale; }
  // The scale of one row, whatever the case.
  float row_scale(int64_t row) const {
    return row_scales_.empty() ? rule_.scale : row_scales_[static_cast<size_t>(row)];
  }
  // Whether the stored values are ternary already, so that codes and scale lose nothing.
  bool exact() const { return exact_; }

  // The codes of one row, out[columns()], each -1, 0 or 1. Safe to call from several threads;
  // allocates one row of floats.
  void codes(int64_t row, int8_t* out) const;

 private:
  TensorView tensor_;
  TernaryRule rule_;
  std::vector<float> row_scales_;
  bool exact_ = false;
};

}  // namespace bittern::codec
