// The layouts of group-affine weights and their packing. The zero points stand where other layouts
// have minima; columns that are not there take their group's zero point as code.
#include "kernel/block_affine.h"

#include <algorithm>
#include <cstring>

#include "kernel/block_strip.h"

namespace bittern::kernel {
namespace {

using enum BlockScales;

constexpr BlockLayout kLayouts[] = {
    {"affine2_g32_f16", 2, 32, 0, f16_zeros},     {"affine2_g64_f16", 2, 64, 0, f16_zeros},
    {"affine2_g128_f16", 2, 128, 0, f16_zeros},   {"affine3_g32_f16", 3, 32, 0, f16_zeros},
    {"affine3_g64_f16", 3, 64, 0, f16_zeros},     {"affine3_g128_f16", 3, 128, 0, f16_zeros},
    {"affine4_g32_f16", 4, 32, 0, f16_zeros},     {"affine4_g64_f16", 4, 64, 0, f16_zeros},
    {"affine4_g128_f16", 4, 128, 0, f16_zeros},   {"affine8_g32_f16", 8, 32, 0, f16_zeros},
    {"affine8_g64_f16", 8, 64, 0, f16_zeros},     {"affine8_g128_f16", 8, 128, 0, f16_zeros},
    {"affine2_g32_bf16", 2, 32, 0, bf16_zeros},   {"affine2_g64_bf16", 2, 64, 0, bf16_zeros},
    {"affine2_g128_bf16", 2, 128, 0, bf16_zeros}, {"affine3_g32_bf16", 3, 32, 0, bf16_zeros},
    {"affine3_g64_bf16", 3, 64, 0, bf16_zeros},   {"affine3_g128_bf16", 3, 128, 0, bf16_zeros},
    {"affine4_g32_bf16", 4, 32, 0, bf16_zeros},   {"affine4_g64_bf16", 4, 64, 0, bf16_zeros},
    {"affine4_g128_bf16", 4, 128, 0, bf16_zeros}, {"affine8_g32_bf16", 8, 32, 0, bf16_zeros},
    {"affine8_g64_bf16", 8, 64, 0, bf16_zeros},   {"affine8_g128_bf16", 8, 128, 0, bf16_zeros},
};

}  // namespace

std::span<const BlockLayout> affine_layouts() { return kLayouts; }

const BlockLayout* affine_layout(int bits, int group, AffineScale scale) {
  const BlockScales scales = scale == AffineScale::f16 ? f16_zeros : bf16_zeros;
  for (const BlockLayout& layout : kLayouts) {
    if (layout.code_bits == bits && layout.sub == group && layout.scales == scales) return &layout;
  }
  return nullptr;
}

void pack_affine_strip(const BlockLayout& layout, const AffineWeights& weights,
                       std::span<const int64_t> rows, uint8_t* strip) {
  const int64_t groups = weights.groups(layout);
  for (int64_t first = 0; first < weights.columns; first += kBlockColumns) {
    BlockRow block[kBlockStripRows];
    const int64_t count = std::min(kBlockColumns, weights.columns - first);
    for (size_t n = 0; n < kBlockStripRows; ++n) {
      clear_block_row(layout, block[n]);
      if (n >= rows.size()) continue;
      BlockRow& row = block[n];
      for (int64_t j = 0; j * layout.sub < count; ++j) {
        const int64_t group = rows[n] * groups + first / layout.sub + j;
        row.scales[j] = weights.scales[group];
        row.minima[j] = weights.zeros[group];
        std::memset(row.codes + j * layout.sub, weights.zeros[group],
                    static_cast<size_t>(layout.sub));
      }
      std::memcpy(row.codes, weights.codes + rows[n] * weights.columns + first,
                  static_cast<size_t>(count));
    }
    store_block(layout, block, strip);
    strip += block_offsets(layout).bytes;
  }
}

}  // namespace bittern::kernel
