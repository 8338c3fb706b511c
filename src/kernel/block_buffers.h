// Memory for coded activations of block formats (kernel/block.h), with starts for one layout at a
// time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernel/block.h"

namespace bittern::kernel {

class BlockBuffers {
 public:
  BlockBuffers() = default;
  // For `pitch` rows of `blocks` blocks.
  BlockBuffers(int64_t blocks, int64_t pitch)
      : pitch_(pitch),
        codes_(static_cast<size_t>(blocks * pitch * kBlockColumns)),
        scales_(static_cast<size_t>(blocks * pitch * kBlockRuns)),
        sums_(static_cast<size_t>(blocks * pitch * kBlockSums)),
        scaled_sums_(sums_.size()),
        starts_(sums_.size()) {}

  // Makes room for so many, where there is less; what was there is lost then.
  void grow(int64_t blocks, int64_t pitch) {
    if (static_cast<int64_t>(codes_.size()) < blocks * pitch * kBlockColumns)
      *this = BlockBuffers(blocks, pitch);
  }

  BlockRows rows() { return rows(pitch_); }
  // The memory as that of fewer rows.
  BlockRows rows(int64_t pitch) {
    return {codes_.data(),       scales_.data(), sums_.data(),
            scaled_sums_.data(), starts_.data(), pitch};
  }
  // What products of `layout` start from; once the rows are there, before its products.
  void make_starts(const BlockKernels& kernels, const BlockLayout& layout) {
    kernels.starts(sums_.data(), static_cast<int64_t>(sums_.size()), kernels.start(layout),
                   starts_.data());
  }

 private:
  int64_t pitch_ = 0;
  std::vector<int8_t> codes_;
  std::vector<float> scales_;
  std::vector<int32_t> sums_;
  std::vector<float> scaled_sums_;
  std::vector<int32_t> starts_;
};

}  // namespace bittern::kernel
