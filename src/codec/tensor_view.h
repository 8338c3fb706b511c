// A tensor as it lies in a file: name, codec, shape, span of bytes. Plain data that owns nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "codec/codec.h"

namespace bittern {

// Shapes are written as PyTorch does: outermost first, so a linear layer is [out, in] and the
// last dimension is contiguous. (GGUF writes them the other way round; the reader turns them.)
struct TensorView {
  std::string name;
  codec::Id codec = codec::Id::f32;
  std::vector<int64_t> shape;
  Bytes bytes;
  // Multiplies every decoded value: the `weight_scale` of a packed Hugging Face linear, already
  // turned into the multiplying convention. 1 where the codec holds its scales itself.
  float scale = 1.0f;

  // Product of all dimensions but the last; 1 for a vector or a scalar.
  int64_t rows() const;
  // The last dimension; 1 for a scalar.
  int64_t columns() const;
  int64_t elements() const { return rows() * columns(); }
};

// Decodes `row_count` whole rows from `first_row` into `out` [row_count, columns()], `scale`
// applied. The view must have been checked by its container (bytes match the shape).
void decode_rows(const TensorView& tensor, int64_t first_row, int64_t row_count, float* out);

}  // namespace bittern
