// Packing of block formats: which codecs have a layout, and tensors into strips.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "codec/tensor_view.h"
#include "kernel/block.h"

namespace bittern::kernel {

// Every layout there is: those of codecs, then those of block_affine.h.
std::vector<const BlockLayout*> block_layouts();
// By the codec's block format; null where there is none: such a codec runs decoded to f32.
const BlockLayout* block_layout(codec::Id id);

// Columns in whole blocks, bytes of a strip and of a packed [rows, columns] matrix.
int64_t block_count(int64_t columns);
int64_t block_strip_bytes(const BlockLayout& layout, int64_t columns);
int64_t block_bytes(const BlockLayout& layout, int64_t rows, int64_t columns);

// Rows `rows` (indices into `tensor`, at most 16) into a strip; missing rows are zeros. The packed
// values decode to those of the codec exactly.
void pack_block_strip(const TensorView& tensor, std::span<const int64_t> rows, uint8_t* strip);
// The inverse, for tests: 16 x block_count(columns) * 256 values, as the codec decodes them (one
// rounding of each product, one of each sum).
void unpack_block_strip(const BlockLayout& layout, const uint8_t* strip, int64_t columns,
                        float* values);

}  // namespace bittern::kernel
