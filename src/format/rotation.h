// Weights that are stored in a rotated basis, as plain data: what a model must do with the input
// of a linear so that its weights mean what they say.
//
// For a weight W of `weights` with input width n: y = W x', where x' is, in every consecutive
// block of `block_size` inputs, H (s * x) with the signs s of width n and the orthogonal Walsh
// matrix in natural order, H[i][j] = (-1)^popcount(i & j) / sqrt(block_size). A row z looked up
// in a weight of `inverse_weights` (the token embedding) becomes s * (H z).
// A program that ignores this loads without complaint and prints fluent nonsense.
// Source: keys prism.hadamard.* of PrismML's GGUF files (Ternary-Bonsai 2), version 1.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bittern::format {

struct Rotation {
  struct Signs {
    int64_t width = 0;
    std::vector<int8_t> values;  // width of them, each -1 or 1
  };

  int64_t block_size = 0;    // a power of two; divides every width concerned
  std::vector<Signs> signs;  // one per width, every width that occurs; empty: all signs are +
  std::vector<std::string> weights;          // tensors of the file, unique
  std::vector<std::string> inverse_weights;  // likewise
  // The value heads of a gated delta net are grouped differently in the weights; only models with
  // that mixer care.
  bool grouped_value_heads = false;

  // The signs for inputs of one width; null where all are +.
  const Signs* signs_of(int64_t width) const {
    for (const Signs& row : signs)
      if (row.width == width) return &row;
    return nullptr;
  }
};

}  // namespace bittern::format
