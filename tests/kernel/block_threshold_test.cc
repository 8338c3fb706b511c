// Where activations of block formats stop being zero: a run whose greatest magnitude is 1e-30 has
// codes, one a unit in the last place below has none. Random ranges hardly ever come near it.
#include <cmath>

#include "kernel/block_buffers.h"
#include "kernel/kernel_support.h"

namespace bittern::kernel {
namespace {

class BlockThresholdKernel : public EachTable {};

TEST_P(BlockThresholdKernel, QuantisesWhatIsNotBelowIt) {
  const struct {
    float greatest;
    bool zero;
  } cases[] = {{std::nextafterf(1e-30f, 0.0f), true}, {1e-30f, false}, {3e-30f, false}};
  for (const auto& item : cases) {
    std::vector<float> values(kBlockColumns, 0.0f);
    values[33] = -item.greatest;
    BlockBuffers buffers(1, 1);
    const BlockRows row = buffers.rows();
    ASSERT_NE(table().block, nullptr);
    table().block->quantise(values.data(), kBlockColumns, 1, row);
    EXPECT_EQ(row.codes[33], item.zero ? 0 : -127) << item.greatest;
    EXPECT_EQ(row.scales[1], item.zero ? 0.0f : item.greatest / 127.0f);
    EXPECT_EQ(row.scales[0], 0.0f);
  }
}

BITTERN_EACH_TABLE(BlockThresholdKernel);

}  // namespace
}  // namespace bittern::kernel
