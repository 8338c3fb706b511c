// The tile kernel of block formats against the scalar one, bit for bit, where it uses tiles: 16
// rows and more. Its instructions are executed in software where the processor has none.
#include "base/cpu.h"
#include "kernel/amx_emulator_support.h"
#include "kernel/block.h"
#include "kernel/block_pack.h"
#include "kernel/block_probe.h"
#include "kernel/block_strip.h"
#include "kernel/kernel_support.h"

namespace bittern::kernel {
namespace {

#if defined(__x86_64__)

class BlockAmx : public testing::Test {
 protected:
  void SetUp() override {
    constexpr uint64_t kNeeds = cpu::kAvx512F | cpu::kAvx512BW | cpu::kAvx512VL | cpu::kAvx512DQ |
                                cpu::kAvx512Vnni | AmxEmulator::kFeatures;
    const uint64_t missing = kNeeds & ~cpu::detect_features();
    emulator_ = AmxEmulator::for_missing(missing);
    if (missing != 0 && !emulator_) GTEST_SKIP() << "no AVX-512 VNNI";
  }
  bool emulated() const { return emulator_ != nullptr; }

 private:
  std::unique_ptr<AmxEmulator> emulator_;
};

// Activations of `rows` rows, one more before and behind them: what a job is given begins at the
// second, and its pitch is larger than its rows.
struct Rows {
  int64_t count, pitch;
  Guarded<int8_t> codes;
  Guarded<float> scales;
  Guarded<int32_t> sums;
  Guarded<float> scaled_sums;

  Rows(const std::vector<float>& values, int64_t rows, int64_t width)
      : count(rows),
        pitch(rows + 2),
        codes(pitch * block_count(width) * kBlockColumns),
        scales(pitch * block_count(width) * kBlockRuns),
        sums(pitch * block_count(width) * kBlockSums),
        scaled_sums(sums.size()) {
    for (int64_t m = 0; m < pitch; ++m)
      scalar_block.quantise(values.data() + (m + rows - 1) % rows * width, width,
                            block_count(width), all(nullptr).from(m));
  }
  BlockRows all(int32_t* starts) const {
    return {codes.data(), scales.data(), sums.data(), scaled_sums.data(), starts, pitch};
  }
};

struct Strips {
  const BlockLayout* layout;
  int64_t count, blocks;
  Guarded<uint8_t> bytes;

  Strips(random::Sequence& draw, const BlockLayout& its_layout, int64_t strips, int64_t its_blocks)
      : layout(&its_layout),
        count(strips),
        blocks(its_blocks),
        bytes(random_block_strip(draw, its_layout, strips * its_blocks)) {}
};

std::vector<float> run(const BlockKernels& kernels, const Strips& strips, const Rows& rows,
                       int64_t outputs, const float* bias) {
  const int64_t stride = outputs + 3;
  const Guarded<float> out(rows.count * stride - 3);
  const Guarded<int32_t> starts(rows.sums.size());
  kernels.starts(rows.sums.data(), rows.sums.size(), kernels.start(*strips.layout), starts.data());
  for (int64_t i = 0; i < out.size(); ++i) out[i] = -77.0f;
  kernels.dots({.layout = strips.layout,
                .strip = strips.bytes.data(),
                .strips = strips.count,
                .strip_bytes = strips.bytes.size() / strips.count,
                .blocks = strips.blocks,
                .in = rows.all(starts.data()).from(1),
                .rows = rows.count,
                .outputs = outputs,
                .bias = bias,
                .out = out.data(),
                .stride = stride});
  return out.values();  // with what stands between rows
}

void compare(const Strips& strips, const Rows& rows, int64_t outputs, const float* bias) {
  ASSERT_TRUE(same_bits(run(amx_block, strips, rows, outputs, bias),
                        run(scalar_block, strips, rows, outputs, bias)))
      << strips.layout->name << ", " << strips.count << " strips, " << strips.blocks << " blocks, "
      << rows.count << " rows, " << outputs << " outputs";
}

TEST_F(BlockAmx, EqualsScalarOnEveryLayout) {
  random::Sequence draw(91);
  for (const BlockLayout* layout : block_layouts()) {
    SCOPED_TRACE("seed 91");
    for (const int64_t blocks : {1, 3}) {
      const int64_t width = blocks * kBlockColumns - 15, strips = 5 - blocks;
      const Rows rows(random_floats(draw, 35 * width, 2.0f), 35, width);
      const Guarded<float> bias(random_floats(draw, 16 * strips - 5, 1.0f));
      const int64_t before = AmxEmulator::executed();
      compare({draw, *layout, strips, blocks}, rows, bias.size(), bias.data());
      if (emulated()) {
        EXPECT_GT(AmxEmulator::executed(), before) << layout->name;
      }
    }
  }
}

TEST_F(BlockAmx, EveryCountOfRowsStripsAndOutputs) {
  random::Sequence draw(92);
  for (const codec::Id id : {codec::Id::q4_k, codec::Id::q6_k, codec::Id::q4_0, codec::Id::iq2_s}) {
    SCOPED_TRACE("seed 92");
    const BlockLayout& layout = *block_layout(id);
    for (int64_t rows = 1; rows <= 40; ++rows) {
      const Rows activations(random_floats(draw, rows * 512, 2.0f), rows, 512);
      compare({draw, layout, 1 + rows % 4, 2}, activations, 16 * (1 + rows % 4), nullptr);
    }
    for (int64_t outputs = 1; outputs <= 64; outputs += outputs < 18 ? 1 : 9) {
      const Rows activations(random_floats(draw, 16 * 256, 2.0f), 16, 256);
      const Guarded<float> bias(random_floats(draw, outputs, 1.0f));
      compare({draw, layout, (outputs + 15) / 16, 1}, activations, outputs, bias.data());
    }
  }
}

// More rows than a block is unpacked for at a time.
TEST_F(BlockAmx, ManyRows) {
  random::Sequence draw(93);
  for (const int64_t rows : {127, 128, 129, 143, 144, 259}) {
    SCOPED_TRACE("seed 93");
    const Rows activations(random_floats(draw, rows * 512, 2.0f), rows, 512);
    compare({draw, *block_layout(codec::Id::q4_k), 2, 2}, activations, 32, nullptr);
    compare({draw, *block_layout(codec::Id::nvfp4), 1, 2}, activations, 16, nullptr);
  }
}

// The greatest sums there are: every code, scale and activation at an end of its range.
TEST_F(BlockAmx, Extremes) {
  random::Sequence draw(94);
  for (const BlockLayout* layout : block_layouts()) {
    for (const bool greatest : {false, true}) {
      const Strips strips(draw, *layout, 2, 1);
      for (int64_t s = 0; s < 2; ++s) {
        make_extreme(*layout, greatest, strips.bytes.data() + s * block_offsets(*layout).bytes);
      }
      for (const float value : {1.0f, -1.0f, 0.0f}) {
        const Rows activations(std::vector<float>(17 * 256, value), 17, 256);
        compare(strips, activations, 32, nullptr);
      }
    }
  }
}

TEST_F(BlockAmx, OneHugeActivation) {
  random::Sequence draw(95);
  for (const BlockLayout* layout : block_layouts()) {
    SCOPED_TRACE("seed 95");
    std::vector<float> values = random_floats(draw, 16 * 256, 1.0f);
    values[5 * 256 + 77] = 1e30f;
    compare({draw, *layout, 2, 1}, Rows(values, 16, 256), 32, nullptr);
  }
}

TEST_F(BlockAmx, VeryLongRows) {
  random::Sequence draw(96);
  SCOPED_TRACE("seed 96");
  const Rows activations(random_floats(draw, 16 * 131072, 2.0f), 16, 131072);
  compare({draw, *block_layout(codec::Id::q4_k), 1, 512}, activations, 16, nullptr);
}

// Weights that are no int8 are left to the AVX-512 kernel.
TEST_F(BlockAmx, CodesThatDoNotFit) {
  random::Sequence draw(97);
  SCOPED_TRACE("seed 97");
  const BlockLayout layout = {"codes to 255", 8, 32, 0, BlockScales::f16};
  const Rows activations(std::vector<float>(16 * 512, 1.0f), 16, 512);
  const int64_t before = AmxEmulator::executed();
  compare({draw, layout, 2, 2}, activations, 32, nullptr);
  EXPECT_EQ(AmxEmulator::executed(), before);
}

#endif

}  // namespace
}  // namespace bittern::kernel
