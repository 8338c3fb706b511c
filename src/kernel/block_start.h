// What dot products of block formats start from (kernel/block.h), so that they may be of the bytes
// that a kernel multiplies instead of the weights those stand for.
#pragma once

#include <cstdint>

namespace bittern::kernel {

// A start is factor * (sum of the piece's codes of activations), plus `base` for the first piece of
// a run. A product that began with kFloatBase is, as bits, the float kFloatOffset + product, where
// it is less than 2^22: one fused multiply-add makes float(product) * scale of it.
struct BlockStart {
  int32_t factor = 0;
  int32_t base = 0;
  friend bool operator==(const BlockStart&, const BlockStart&) = default;
  // Another number for each.
  [[gnu::always_inline]] constexpr int64_t key() const {
    return int64_t{factor} * (int64_t{1} << 32) + base;
  }
};
inline constexpr int32_t kFloatBase = 0x4b400000;
inline constexpr float kFloatOffset = 12582912.0f;  // 1.5 * 2^23

}  // namespace bittern::kernel
