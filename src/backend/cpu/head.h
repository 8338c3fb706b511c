// Private to backend/cpu: what head() leaves between its parts. Taken once, when a coarse plane is
// packed.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernel/block_buffers.h"
#include "kernel/head.h"

namespace bittern::backend {

// Rows of a step for which the coarse plane is worth reading: beyond, the work it makes is more
// than the bytes it saves (docs/decisions/0011-coarse-head.md).
inline constexpr int64_t kHeadRows = 8;

struct HeadWork {
  std::vector<float> rest;  // [columns]
  // Two rows of codes for each row of activations: [blocks, 2 rows, ...].
  kernel::BlockBuffers codes;
  std::array<kernel::HeadReach, kHeadRows> reach = {};
  // Of each strip, for each row: the largest of the least that its logits can be, and of the most.
  std::vector<float> least, most;
  std::vector<float> order;  // to find the k-th largest in
  // Rows of weights to be read in full, those of each row of activations together, ascending.
  std::vector<int32_t> ids;
  std::vector<float> logits;  // theirs
  std::array<int64_t, kHeadRows + 1> ends = {};

  void grow(int64_t outputs, int64_t columns);
};

}  // namespace bittern::backend
