// Private to the packers: how the blocks of each codec become rows of a strip.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "codec/codec.h"
#include "kernel/block_strip.h"

namespace bittern::kernel {

struct BlockFormat {
  codec::Id id;
  BlockLayout layout;
  // One block of the codec into columns [first, first + its elements) of a cleared row. Codes,
  // scales and minima are carried over bit for bit; nothing is rounded.
  void (*read)(const std::byte* block, int64_t first, BlockRow& row);
};

std::span<const BlockFormat> block_formats();

// Of formats of base-3 digits, which are also read as ternary codes.
void read_tq1_0_block(const std::byte* block, int64_t first, BlockRow& row);
void read_ptq1_0_block(const std::byte* block, int64_t first, BlockRow& row);

// Of formats of codebooks of vectors (block_formats_iq.cc).
void read_iq3_xxs_block(const std::byte* block, int64_t first, BlockRow& row);
void read_iq3_s_block(const std::byte* block, int64_t first, BlockRow& row);
void read_iq2_xxs_block(const std::byte* block, int64_t first, BlockRow& row);
void read_iq2_xs_block(const std::byte* block, int64_t first, BlockRow& row);
void read_iq2_s_block(const std::byte* block, int64_t first, BlockRow& row);
void read_iq1_s_block(const std::byte* block, int64_t first, BlockRow& row);
void read_iq1_m_block(const std::byte* block, int64_t first, BlockRow& row);

}  // namespace bittern::kernel
