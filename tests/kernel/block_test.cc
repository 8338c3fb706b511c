// Products of block formats: the scalar kernel against the arithmetic of kernel/block.h written
// out again, and every other table against the scalar one, bit for bit, on every layout, with
// every buffer ending at a guard page (guarantees G1, G3 and G6).
#include "kernel/block.h"

#include <cmath>

#include "base/half.h"
#include "kernel/block_pack.h"
#include "kernel/block_probe.h"
#include "kernel/block_strip.h"
#include "kernel/kernel_support.h"

namespace bittern::kernel {
namespace {

// Activations of a job, guarded.
struct Rows {
  Guarded<int8_t> codes;
  Guarded<float> scales;
  Guarded<int32_t> sums;
  Guarded<float> scaled_sums;
  int64_t pitch;
  Rows(const BlockKernels& kernels, const std::vector<float>& values, int64_t rows, int64_t width)
      : codes(rows * block_count(width) * kBlockColumns),
        scales(rows * block_count(width) * kBlockRuns),
        sums(rows * block_count(width) * kBlockSums),
        scaled_sums(sums.size()),
        pitch(rows) {
    const int64_t blocks = block_count(width);
    for (int64_t m = 0; m < rows; ++m) {
      const std::vector<float> row(values.begin() + m * width, values.begin() + (m + 1) * width);
      const Guarded<float> in(row);
      kernels.quantise(in.data(), width, blocks, all(nullptr).from(m));
    }
  }
  BlockRows all(int32_t* starts) const {
    return {codes.data(), scales.data(), sums.data(), scaled_sums.data(), starts, pitch};
  }
};

// The strips are as many as the outputs need.
struct Shape {
  int64_t blocks = 0, rows = 0, outputs = 0;
  int64_t strips() const { return (outputs + kBlockStripRows - 1) / kBlockStripRows; }
};

std::vector<float> run(const BlockKernels& kernels, const BlockLayout& layout,
                       const Guarded<uint8_t>& strip, const Rows& rows, const Shape& shape,
                       const float* bias) {
  const int64_t stride = shape.outputs + 3;
  Guarded<float> out(shape.rows == 0 ? 0 : shape.rows * stride - 3);
  for (int64_t i = 0; i < out.size(); ++i) out[i] = -77.0f;
  const Guarded<int32_t> starts(rows.sums.size());
  kernels.starts(rows.sums.data(), rows.sums.size(), kernels.start(layout), starts.data());
  kernels.dots({.layout = &layout,
                .strip = strip.data(),
                .strips = shape.strips(),
                .strip_bytes = shape.blocks * block_offsets(layout).bytes,
                .blocks = shape.blocks,
                .in = rows.all(starts.data()),
                .rows = shape.rows,
                .outputs = shape.outputs,
                .bias = bias,
                .out = out.data(),
                .stride = stride});
  for (int64_t i = 0; i < out.size(); ++i) {
    if (i % stride >= shape.outputs) {
      EXPECT_EQ(out[i], -77.0f) << "written between rows, at " << i;
    }
  }
  return out.values();
}

float float_scale(BlockScales scales, uint16_t stored) {
  if (scales == BlockScales::e8m0) return std::ldexp(1.0f, int{stored} - 128);
  return scales == BlockScales::bf16_zeros ? bf16_to_f32(stored) : f16_to_f32(stored);
}

// block.h, one output at a time.
float plain_output(const BlockLayout& layout, const std::vector<BlockRow>& weights,
                   const Rows& rows, int64_t blocks, int64_t m) {
  const bool minima = layout.scales == BlockScales::integer_minima;
  const bool integer = minima || layout.scales == BlockScales::integer;
  float total = 0.0f;
  for (int64_t b = 0; b < blocks; ++b) {
    const BlockRow& row = weights[static_cast<size_t>(b)];
    const int8_t* codes = rows.codes.data() + (b * rows.pitch + m) * kBlockColumns;
    float p = 0.0f, l = 0.0f;
    for (int64_t run = 0; run < kBlockRuns; ++run) {
      const float a = rows.scales[(b * rows.pitch + m) * kBlockRuns + run];
      int64_t whole = 0;
      for (int64_t first = run * 32; first < run * 32 + 32; first += std::min(layout.sub, 32)) {
        const int64_t j = first / layout.sub;
        int64_t dot = 0, asum = 0;
        for (int64_t k = first; k < first + std::min(layout.sub, 32); ++k) {
          dot += int64_t{block_weight(layout, row.codes[k], row.minima[j])} * codes[k];
          asum += codes[k];
        }
        if (integer) {
          whole += dot * static_cast<int8_t>(row.scales[j]);
          l = std::fma(static_cast<float>(row.minima[j]), static_cast<float>(asum) * a, l);
          continue;
        }
        total =
            std::fma(static_cast<float>(dot) * a, float_scale(layout.scales, row.scales[j]), total);
        if (layout.scales == BlockScales::f16_minima)
          total = std::fma(static_cast<float>(asum) * a, f16_to_f32(row.minima[j]), total);
      }
      p = std::fma(static_cast<float>(whole), a, p);
    }
    if (integer) {
      total = std::fma(p, std::ldexp(f16_to_f32(row.super), -layout.fraction_bits), total);
    }
    if (minima) total = std::fma(l, -f16_to_f32(row.super_minimum), total);
  }
  return total;
}

TEST(ScalarBlock, IsTheArithmeticOfTheHeader) {
  random::Sequence draw(71);
  for (const BlockLayout* layout : block_layouts()) {
    SCOPED_TRACE(testing::Message() << "seed 71: " << layout->name);
    const int64_t width = 700, blocks = 3, rows = 3;
    const Guarded<uint8_t> strip(random_block_strip(draw, *layout, blocks));
    const Rows activations(scalar_block, random_floats(draw, rows * width, 2.0f), rows, width);
    const Guarded<float> bias(random_floats(draw, 16, 1.0f));
    const auto out =
        run(scalar_block, *layout, strip, activations, {blocks, rows, 16}, bias.data());
    for (int64_t n = 0; n < 16; ++n) {
      std::vector<BlockRow> weights;
      for (int64_t b = 0; b < blocks; ++b) {
        BlockRow all[kBlockStripRows];
        load_block(*layout, strip.data() + b * block_offsets(*layout).bytes, all);
        weights.push_back(all[n]);
      }
      for (int64_t m = 0; m < rows; ++m) {
        ASSERT_EQ(out[static_cast<size_t>(m * 19 + n)],
                  plain_output(*layout, weights, activations, blocks, m) + bias[n])
            << m << ", " << n;
      }
    }
  }
}

class BlockKernel : public EachTable {
 protected:
  void SetUp() override {
    EachTable::SetUp();
    if (IsSkipped()) return;
    ASSERT_NE(table().block, nullptr);
  }
  const BlockKernels& kernels() const { return *table().block; }
  // This table against the scalar one on one job.
  void compare(const BlockLayout& layout, const Guarded<uint8_t>& strip, const Rows& activations,
               const Shape& shape, const float* bias) const {
    ASSERT_TRUE(same_bits(run(kernels(), layout, strip, activations, shape, bias),
                          run(scalar_block, layout, strip, activations, shape, bias)))
        << layout.name << ", " << shape.blocks << " blocks, " << shape.rows << " rows, "
        << shape.outputs << " outputs";
  }
};

TEST_P(BlockKernel, EqualsScalarOnEveryLayout) {
  random::Sequence draw(72);
  for (const BlockLayout* layout : block_layouts()) {
    for (const int64_t blocks : {1, 2, 5}) {
      const Guarded<uint8_t> strip(random_block_strip(draw, *layout, blocks));
      const Guarded<float> bias(random_floats(draw, 16, 1.0f));
      for (const int64_t rows : {0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33}) {
        const int64_t width = blocks * 256 - 15;
        SCOPED_TRACE(testing::Message() << "seed 72");
        const Rows activations(scalar_block, random_floats(draw, rows * width, 2.0f), rows, width);
        compare(*layout, strip, activations, {blocks, rows, 16}, bias.data());
      }
    }
  }
}

TEST_P(BlockKernel, EveryCountOfRowsAndOutputs) {
  random::Sequence draw(73);
  for (const codec::Id id : {codec::Id::q4_k, codec::Id::q6_k, codec::Id::q4_0, codec::Id::q1_0,
                             codec::Id::iq3_xxs, codec::Id::iq2_s}) {
    const BlockLayout& layout = *block_layout(id);
    const Guarded<uint8_t> strip(random_block_strip(draw, layout, 2));
    const Rows activations(scalar_block, random_floats(draw, 33 * 512, 2.0f), 33, 512);
    const Guarded<float> bias(random_floats(draw, 16, 1.0f));
    for (int64_t rows = 1; rows <= 33; ++rows)
      compare(layout, strip, activations, {2, rows, 16}, nullptr);
    for (int64_t outputs = 1; outputs < 16; ++outputs) {
      const Guarded<float> fewer(
          std::vector<float>(bias.data(), bias.data() + outputs));  // ends at a guard page
      for (const int64_t rows : {1, 3, 6, 18})
        compare(layout, strip, activations, {2, rows, outputs}, fewer.data());
    }
  }
}

// Strips of one call are as each by itself, the last one short.
TEST_P(BlockKernel, EveryCountOfStrips) {
  random::Sequence draw(78);
  constexpr int64_t kBlocks = 2, kMostRows = 29;
  const Rows activations(scalar_block, random_floats(draw, kMostRows * 512, 2.0f), kMostRows, 512);
  for (const BlockLayout* layout : block_layouts()) {
    for (int64_t strips = 1; strips <= kBlockStrips; ++strips) {
      const Guarded<uint8_t> several(random_block_strip(draw, *layout, strips * kBlocks));
      for (const int64_t missing : {0, 3, 15}) {
        SCOPED_TRACE(testing::Message() << "seed 78: " << strips << " strips");
        const int64_t outputs = strips * kBlockStripRows - missing;
        const Guarded<float> bias(random_floats(draw, outputs, 1.0f));
        for (const int64_t rows : {0, 1, 2, 5, 12, 29})
          compare(*layout, several, activations, {kBlocks, rows, outputs}, bias.data());
      }
    }
  }
}

// More rows than are multiplied from packed codes, and than one group of them has.
TEST_P(BlockKernel, ManyRows) {
  random::Sequence draw(80);
  for (const BlockLayout* layout : block_layouts()) {
    SCOPED_TRACE(testing::Message() << "seed 80");
    const Guarded<uint8_t> strips(random_block_strip(draw, *layout, 3 * 2));
    const Guarded<float> bias(random_floats(draw, 45, 1.0f));
    for (const int64_t rows : {50, 141}) {
      const Rows activations(scalar_block, random_floats(draw, rows * 500, 2.0f), rows, 500);
      compare(*layout, strips, activations, {2, rows, 45}, bias.data());
    }
  }
}

TEST(ScalarBlock, StripsOfACallAreAsEachByItself) {
  random::Sequence draw(79);
  const BlockLayout& layout = *block_layout(codec::Id::q4_k);
  const int64_t rows = 3, outputs = kBlockStrips * kBlockStripRows - 5;
  const Rows activations(scalar_block, random_floats(draw, rows * 256, 2.0f), rows, 256);
  const std::vector<uint8_t> bytes = random_block_strip(draw, layout, kBlockStrips);
  const Guarded<float> bias(random_floats(draw, outputs, 1.0f));
  const auto all = run(scalar_block, layout, Guarded<uint8_t>(bytes), activations,
                       {1, rows, outputs}, bias.data());
  for (int64_t s = 0; s < kBlockStrips; ++s) {
    const int64_t size = block_offsets(layout).bytes, own = std::min<int64_t>(16, outputs - 16 * s);
    const Guarded<uint8_t> strip(
        std::vector<uint8_t>(bytes.begin() + s * size, bytes.begin() + (s + 1) * size));
    const auto one =
        run(scalar_block, layout, strip, activations, {1, rows, own}, bias.data() + 16 * s);
    for (int64_t m = 0; m < rows; ++m) {
      for (int64_t n = 0; n < own; ++n)
        ASSERT_EQ(all[static_cast<size_t>(m * (outputs + 3) + 16 * s + n)],
                  one[static_cast<size_t>(m * (own + 3) + n)])
            << s << ": " << m << ", " << n;
    }
  }
}

// The greatest sums there are: every code and activation at an end of its range.
TEST_P(BlockKernel, Extremes) {
  random::Sequence draw(74);
  for (const BlockLayout* layout : block_layouts()) {
    for (const bool greatest : {false, true}) {
      const Guarded<uint8_t> strip(random_block_strip(draw, *layout, 2));
      const BlockOffsets at = block_offsets(*layout);
      for (int64_t b = 0; b < 2; ++b) make_extreme(*layout, greatest, strip.data() + b * at.bytes);
      for (const float value : {1.0f, -1.0f, 0.0f}) {
        const std::vector<float> values(5 * 512, value);
        const Rows activations(scalar_block, values, 5, 512);
        compare(*layout, strip, activations, {2, 1, 16}, nullptr);
        compare(*layout, strip, activations, {2, 5, 16}, nullptr);
      }
    }
  }
}

TEST_P(BlockKernel, OneHugeActivation) {
  random::Sequence draw(75);
  for (const BlockLayout* layout : block_layouts()) {
    const Guarded<uint8_t> strip(random_block_strip(draw, *layout, 3));
    std::vector<float> values = random_floats(draw, 4 * 768, 1.0f);
    values[300] = 1e30f;
    const Rows activations(scalar_block, values, 4, 768);
    for (int64_t k = 288; k < 320; ++k)  // of the first of four rows
      ASSERT_EQ(activations.codes[4 * 256 + k - 256], k == 300 ? 127 : 0);
    compare(*layout, strip, activations, {3, 1, 16}, nullptr);
    compare(*layout, strip, activations, {3, 4, 16}, nullptr);
  }
}

TEST_P(BlockKernel, VeryLongRows) {
  random::Sequence draw(76);
  for (const codec::Id id :
       {codec::Id::q4_k, codec::Id::q8_0, codec::Id::q6_k, codec::Id::q3_k, codec::Id::q5_1,
        codec::Id::tq2_0, codec::Id::iq2_xs, codec::Id::iq1_m}) {
    const BlockLayout& layout = *block_layout(id);
    const Guarded<uint8_t> strip(random_block_strip(draw, layout, 512));
    for (const int64_t rows : {1, 5}) {
      const Rows activations(scalar_block, random_floats(draw, rows * 131072, 2.0f), rows, 131072);
      compare(layout, strip, activations, {512, rows, 16}, nullptr);
    }
  }
}

TEST_P(BlockKernel, QuantisesAsTheRuleSays) {
  random::Sequence draw(77);
  for (const int64_t width : {1, 15, 255, 256, 257, 700}) {
    for (const float range : {3.0f, 1e-31f, 0.0f, 1e35f, 1e-20f}) {
      SCOPED_TRACE(testing::Message() << "seed 77: " << width << ", range " << range);
      const std::vector<float> values = random_floats(draw, width, range);
      const Rows made(kernels(), values, 1, width);
      for (int64_t run = 0; run < block_count(width) * kBlockRuns; ++run) {
        float maximum = 0.0f;
        for (int64_t k = 32 * run; k < std::min(width, 32 * (run + 1)); ++k)
          maximum = std::max(maximum, std::fabs(values[static_cast<size_t>(k)]));
        const bool zero = maximum < 1e-30f;
        ASSERT_EQ(made.scales[run], zero ? 0.0f : maximum / 127.0f);
        int32_t sums[2] = {};
        for (int64_t k = 32 * run; k < 32 * (run + 1); ++k) {
          int expected = 0;
          if (!zero && k < width) {
            const float x = values[static_cast<size_t>(k)];
            expected = static_cast<int>(std::nearbyint(x * (127.0f / maximum)));
          }
          ASSERT_EQ(made.codes[k], expected) << k;
          sums[k / 16 % 2] += expected;
        }
        const int32_t* of_block = made.sums.data() + run / kBlockRuns * kBlockSums;
        const int64_t at = run % kBlockRuns;
        ASSERT_EQ(of_block[2 * at], sums[0]) << run;
        ASSERT_EQ(of_block[2 * at + 1], sums[1]) << run;
        ASSERT_EQ(of_block[16 + at], sums[0] + sums[1]) << run;
      }
    }
  }
}

TEST_P(BlockKernel, QuantisesWhatIsNotANumberAsTheScalarKernelDoes) {
  std::vector<float> values(300, 1.0f);
  values[5] = NAN;
  values[290] = -INFINITY;
  const Rows made(kernels(), values, 1, 300), expected(scalar_block, values, 1, 300);
  EXPECT_EQ(made.codes.values(), expected.codes.values());
  EXPECT_EQ(made.sums.values(), expected.sums.values());
  EXPECT_TRUE(same_bits(made.scales.values(), expected.scales.values()));
}

BITTERN_EACH_TABLE(BlockKernel);

}  // namespace
}  // namespace bittern::kernel
