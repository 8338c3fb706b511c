// Strips of block formats with random contents: what the self-test and the tests run kernels on.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "kernel/block.h"

namespace bittern::kernel {

// Sixteen rows of random codes, scales and minima: finite, over their whole range where they are
// integers, of both signs where they may be.
std::vector<uint8_t> random_block_strip(random::Sequence& draw, const BlockLayout& layout,
                                        int64_t blocks);

}  // namespace bittern::kernel
