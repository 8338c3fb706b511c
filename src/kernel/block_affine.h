// Groups of a few columns with a scale and an integer zero point each, as GPTQ and AWQ write them:
// their layouts, and packing from plain arrays (a reader of such a file unfolds its bit order
// first).
#pragma once

#include <cstdint>
#include <span>

#include "kernel/block.h"

namespace bittern::kernel {

enum class AffineScale : uint8_t { f16, bf16 };

// Of 2, 3, 4 or 8 bits and groups of 32, 64 or 128 columns; null for any other.
const BlockLayout* affine_layout(int bits, int group, AffineScale scale);
std::span<const BlockLayout> affine_layouts();

// value (row, column) = scales[row, group] * (codes[row, column] - zeros[row, group]), group =
// column / the layout's; a last group may be short.
struct AffineWeights {
  int64_t columns = 0;
  const uint8_t* codes = nullptr;    // [rows, columns]
  const uint16_t* scales = nullptr;  // [rows, groups]: bits of f16 or bf16
  const uint8_t* zeros = nullptr;    // [rows, groups]
  int64_t groups(const BlockLayout& layout) const {
    return (columns + layout.sub - 1) / layout.sub;
  }
};
// As pack_block_strip: at most 16 rows into block_strip_bytes() bytes.
void pack_affine_strip(const BlockLayout& layout, const AffineWeights& weights,
                       std::span<const int64_t> rows, uint8_t* strip);

}  // namespace bittern::kernel
