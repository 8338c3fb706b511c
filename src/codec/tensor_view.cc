// TensorView's shape and the one way its values are read.
#include "codec/tensor_view.h"

#include "base/check.h"

namespace bittern {

int64_t TensorView::rows() const {
  int64_t product = 1;
  for (size_t i = 0; i + 1 < shape.size(); ++i) product *= shape[i];
  return product;
}

int64_t TensorView::columns() const { return shape.empty() ? 1 : shape.back(); }

void decode_rows(const TensorView& tensor, int64_t first_row, int64_t row_count, float* out) {
  const codec::Codec& codec = codec::get(tensor.codec);
  const int64_t rows = tensor.rows();
  const int64_t columns = tensor.columns();
  BITTERN_CHECK(first_row >= 0 && row_count >= 0 && row_count <= rows - first_row,
                "{}: rows {} + {} of {}", printable(tensor.name), first_row, row_count, rows);
  const auto bytes = codec.tensor_bytes(rows, columns);
  BITTERN_CHECK(bytes && static_cast<uint64_t>(*bytes) <= tensor.bytes.size(),
                "{}: {} bytes for {} x {} {}", printable(tensor.name), tensor.bytes.size(), rows,
                columns, codec.name);
  codec.decode(tensor.bytes.data(), rows, columns, first_row, row_count, out);
  if (tensor.scale == 1.0f) return;
  for (int64_t i = 0; i < row_count * columns; ++i) out[i] *= tensor.scale;
}

}  // namespace bittern
