// Private to the packers: a block of a strip as plain rows, and the two ways between that and the
// bytes of block.h. The one place beside the kernels that knows where a code lies in a strip.
#pragma once

#include <cstdint>

#include "kernel/block.h"

namespace bittern::kernel {

// 256 columns of one row. Scales and minima of the sub-blocks as the strip stores them: bits of
// f16 or bf16, or a byte in the low half (int8 sub-scales as their two's complement).
struct BlockRow {
  uint8_t codes[kBlockColumns];
  uint16_t scales[16];
  uint16_t minima[16];
  uint16_t super;
  uint16_t super_minimum;
};

// Columns that are not there: the code of zero, scales of zero.
void clear_block_row(const BlockLayout& layout, BlockRow& row);

// Sixteen rows, one block of a strip; the padding bytes become zero.
void store_block(const BlockLayout& layout, const BlockRow* rows, uint8_t* block);
void load_block(const BlockLayout& layout, const uint8_t* block, BlockRow* rows);

// The number that a code stands for: w of block.h. `zero_point` where the layout has them.
int block_weight(const BlockLayout& layout, int code, int zero_point);
// The values of a row's block, with the roundings of the codecs.
void decode_block_row(const BlockLayout& layout, const BlockRow& row, float* values);

}  // namespace bittern::kernel
