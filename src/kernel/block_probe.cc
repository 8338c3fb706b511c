#include "kernel/block_probe.h"

#include "base/half.h"
#include "kernel/block_strip.h"

namespace bittern::kernel {
namespace {

void fill_row(random::Sequence& draw, const BlockLayout& layout, BlockRow& row) {
  const auto small = [&] { return static_cast<float>(draw.uniform() * 0.2 - 0.1); };
  const auto byte = [&](uint64_t limit) { return static_cast<uint16_t>(draw.below(limit)); };
  clear_block_row(layout, row);
  for (uint8_t& code : row.codes)
    code = static_cast<uint8_t>(draw.below(uint64_t{1} << layout.code_bits));
  row.super = f32_to_f16(small());
  row.super_minimum = f32_to_f16(small());
  for (int64_t j = 0; j < kBlockColumns / layout.sub; ++j) {
    row.scales[j] = f32_to_f16(small());
    switch (layout.scales) {
      case BlockScales::f16:
        break;
      case BlockScales::f16_minima:
        row.minima[j] = f32_to_f16(small());
        break;
      case BlockScales::bf16_zeros:
        row.scales[j] = f32_to_bf16(small());
        [[fallthrough]];
      case BlockScales::f16_zeros:
        row.minima[j] = byte(256);
        break;
      case BlockScales::e8m0:  // 2^-32 to 2^31; block_test.cc has the ends of the range
        row.scales[j] = static_cast<uint16_t>(96 + byte(64));
        break;
      case BlockScales::integer:
        row.scales[j] = byte(256);
        break;
      case BlockScales::integer_minima:
        row.scales[j] = byte(64);
        row.minima[j] = byte(256);
        break;
    }
  }
}

}  // namespace

std::vector<uint8_t> random_block_strip(random::Sequence& draw, const BlockLayout& layout,
                                        int64_t blocks) {
  const int64_t bytes = block_offsets(layout).bytes;
  std::vector<uint8_t> strip(static_cast<size_t>(blocks * bytes));
  for (int64_t b = 0; b < blocks; ++b) {
    BlockRow rows[kBlockStripRows];
    for (BlockRow& row : rows) fill_row(draw, layout, row);
    store_block(layout, rows, strip.data() + b * bytes);
  }
  return strip;
}

}  // namespace bittern::kernel
