// HF_TERNARY: the packed uint8 linears of Hugging Face BitNet checkpoints. [R, C] values in
// S * C bytes, S = ceil(R / 4); the scale is a tensor of its own (TensorView::scale).
//
//   byte [k][c], k = 0..S-1:   bits 2i, 2i+1 hold the code of row k + i * S, column c
//   value = code - 1; codes 0, 1, 2
//
// So the rows are cut into four contiguous stripes laid over one another, not four adjacent rows
// in a byte. Where R is no multiple of 4 the codes of rows at or beyond R are padding (written as
// 0, which would read as -1) and are ignored. Code 3 is invalid and refused with bad_input.
// Encoding takes exactly -1, 0 and 1. Source: transformers, integrations/bitnet.py, pack_weights.
#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/checked_math.h"
#include "base/error.h"
#include "codec/formats.h"

namespace bittern::codec {
namespace {

int64_t stripe_rows(int64_t rows) { return rows / 4 + (rows % 4 != 0); }

}  // namespace

std::optional<int64_t> HfTernary::tensor_bytes(int64_t rows, int64_t columns) {
  if (rows < 0 || columns < 0) return std::nullopt;
  const auto elements = checked_multiply(rows, columns);
  if (!elements || !checked_multiply(*elements, sizeof(float))) return std::nullopt;
  return checked_multiply(stripe_rows(rows), columns);
}

void HfTernary::decode(const std::byte* data, int64_t rows, int64_t columns, int64_t first_row,
                       int64_t row_count, float* out) {
  const int64_t stripe = stripe_rows(rows);
  for (int64_t row = first_row; row < first_row + row_count; ++row, out += columns) {
    const std::byte* packed = data + row % stripe * columns;
    const int shift = static_cast<int>(2 * (row / stripe));
    int greatest = 0;
    for (int64_t c = 0; c < columns; ++c) {
      const int code = load<uint8_t>(packed + c) >> shift & 3;
      greatest = std::max(greatest, code);
      out[c] = static_cast<float>(code - 1);
    }
    if (greatest == 3) bad_input("HF_TERNARY: row {} holds the invalid code 3", row);
  }
}

void HfTernary::encode(const float* values, int64_t rows, int64_t columns, std::byte* data) {
  const int64_t stripe = stripe_rows(rows);
  if (rows * columns > 0) std::memset(data, 0, static_cast<size_t>(stripe * columns));
  for (int64_t row = 0; row < rows; ++row) {
    std::byte* packed = data + row % stripe * columns;
    const int shift = static_cast<int>(2 * (row / stripe));
    for (int64_t c = 0; c < columns; ++c) {
      const float value = values[row * columns + c];
      if (value != -1.0f && value != 0.0f && value != 1.0f) {
        bad_input("HF_TERNARY codes only -1, 0 and 1: row {}, column {} is {}", row, c, value);
      }
      packed[c] |= static_cast<std::byte>((static_cast<int>(value) + 1) << shift);
    }
  }
}

std::optional<int64_t> HfTernary::invalid_element(const std::byte* data, int64_t rows,
                                                  int64_t columns) {
  const int64_t stripe = stripe_rows(rows);
  for (int64_t row = 0; row < rows; ++row) {
    const std::byte* packed = data + row % stripe * columns;
    const int shift = static_cast<int>(2 * (row / stripe));
    for (int64_t c = 0; c < columns; ++c) {
      if ((load<uint8_t>(packed + c) >> shift & 3) == 3) return row * columns + c;
    }
  }
  return std::nullopt;
}

}  // namespace bittern::codec
