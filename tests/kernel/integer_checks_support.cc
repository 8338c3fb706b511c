// Checks of integer products: ternary and block formats. Codes at the ends of their ranges, one
// huge activation, rows of up to 131072 columns, every remainder of a tile; what stands between
// rows is poison (NaN, or codes that would be seen), the end a guard page.
#include <algorithm>
#include <memory>

#include "base/cpu.h"
#include "kernel/block.h"
#include "kernel/block_pack.h"
#include "kernel/block_probe.h"
#include "kernel/entry_checks.h"
#include "kernel/pack.h"
#include "kernel/select.h"

namespace bittern::kernel {
namespace {

constexpr int64_t kLong = 131072;

struct Shape {
  int64_t columns, rows, strips;
};

// ---- ternary

using Dots = void (*)(const TernaryDots&);
struct Layout {
  int64_t (*strip_bytes)(int64_t columns);
  void (*pack)(const int8_t* codes, int64_t rows, int64_t columns, uint8_t* strip);
};

void check_ternary(Dots dots, Dots truth, const Layout& layout, const Shape& shape, int fill,
                   random::Sequence& draw) {
  const int64_t padded = t2_columns(shape.columns), bytes = layout.strip_bytes(shape.columns);
  Guarded<uint8_t> strips(shape.strips * bytes);
  std::vector<int8_t> weights(static_cast<size_t>(kStripRows * shape.columns));
  for (int64_t s = 0; s < shape.strips; ++s) {
    // The first strip is all +1, the second all -1: the largest sums there are.
    for (int8_t& weight : weights)
      weight = s == 0 ? 1 : s == 1 ? -1 : static_cast<int8_t>(static_cast<int>(draw.below(3)) - 1);
    layout.pack(weights.data(), kStripRows, shape.columns, strips.data() + s * bytes);
  }
  Guarded<int8_t> codes(codes_of(draw, shape.rows * padded, fill));
  Guarded<int32_t> sums(shape.rows);
  for (int64_t m = 0; m < shape.rows; ++m) {
    for (int64_t k = shape.columns; k < padded; ++k) codes[m * padded + k] = 0;
    for (int64_t k = 0; k < padded; ++k) sums[m] += codes[m * padded + k];
  }
  const Guarded<int32_t> out(shape.strips * shape.rows * kStripRows), expected(out.size());
  TernaryDots job = {strips.data(), shape.strips, bytes,      padded,
                     codes.data(),  sums.data(),  shape.rows, out.data()};
  dots(job);
  job.out = expected.data();
  truth(job);
  ASSERT_EQ(out.values(), expected.values())
      << shape.columns << " columns, " << shape.rows << " rows, " << shape.strips
      << " strips, codes " << fill;
}

void ternary_on_all(Dots dots, Dots truth, const Layout& layout) {
  random::Sequence draw(92);
  SCOPED_TRACE("seed 92");
  const auto check = [&](const Shape& shape, int fill) {
    if (!testing::Test::HasFatalFailure()) check_ternary(dots, truth, layout, shape, fill, draw);
  };
  for (const int fill : kCodeFills) {
    for (const int64_t columns : {1, 63, 65, 80, 890, 960, 961, 1088, 1850})
      for (const int64_t rows : {1, 3, 6, 7, 16, 33}) check({columns, rows, 5}, fill);
    check({kLong, 7, 3}, fill);
    check({kLong - 63, 17, 2}, fill);
  }
}

void ternary_dots(const Table& table) {
  ternary_on_all(table.ternary->dots, scalar_ternary.dots, {t2_strip_bytes, t2_pack_strip});
}

void dense_dots(const Table& table) {
  const DenseTernary* dense = select_dense(table, cpu::detect_features());
  if (dense == nullptr) return;  // T2 is better there
  ternary_on_all(dense->dots, scalar_dense.dots, {t16_strip_bytes, t16_pack_strip});
}

void ternary_scale(const Table& table) {
  random::Sequence draw(93);
  SCOPED_TRACE("seed 93");
  for (const Fill& fill : fills()) {
    for (const int64_t rows : {0, 1, 5}) {
      for (const int64_t outputs : {1, 7, 15, 16}) {
        const int64_t stride = outputs + 2;
        Guarded<int32_t> dots(rows * kStripRows);
        for (int64_t i = 0; i < dots.size(); ++i) dots[i] = static_cast<int32_t>(draw.bits());
        const Guarded<float> inverse(fill.make(draw, rows)), scales(fill.make(draw, kStripRows));
        const Guarded<float> bias(fill.make(draw, outputs));
        const auto run = [&](const TernaryKernels& kernels, const float* with) {
          Guarded<float> out(std::max<int64_t>(rows * stride - 2, 0));
          kernels.scale({dots.data(), rows, outputs, inverse.data(), scales.data(), with,
                         out.data(), stride});
          return out.values();
        };
        for (const float* with :
             {static_cast<const float*>(nullptr), static_cast<const float*>(bias.data())}) {
          ASSERT_TRUE(same_numbers(run(*table.ternary, with), run(scalar_ternary, with)))
              << fill.name << ", " << rows << " rows, " << outputs << " outputs";
        }
      }
    }
  }
}

// ---- block formats

struct BlockInputs {
  BlockInputs(random::Sequence& draw, int64_t blocks, int64_t pitch, int fill)
      : codes(codes_of(draw, blocks * pitch * kBlockColumns, fill)),
        scales(random_floats(draw, blocks * pitch * kBlockRuns, 0.05f)),
        sums(blocks * pitch * kBlockSums),
        scaled_sums(sums.size()) {
    for (int64_t block = 0; block < blocks * pitch; ++block) {
      const int8_t* code = codes.data() + block * kBlockColumns;
      int32_t* sum = sums.data() + block * kBlockSums;
      for (int64_t k = 0; k < kBlockColumns; ++k) {
        sum[k / 16] += code[k];
        sum[16 + k / kBlockRun] += code[k];
      }
      for (int64_t i = 0; i < kBlockSums; ++i) {
        const float scale = scales[block * kBlockRuns + (i < 16 ? i / 2 : i - 16)];
        scaled_sums[block * kBlockSums + i] = static_cast<float>(sum[i]) * scale;
      }
    }
  }
  Guarded<int8_t> codes;
  Guarded<float> scales;
  Guarded<int32_t> sums;
  Guarded<float> scaled_sums;
};

// A call on rows [1, rows + 1) of the activations: what stands around them is not to be seen.
std::vector<float> run_block(const BlockKernels& kernels, const BlockLayout& layout,
                             const Guarded<uint8_t>& strips, const BlockInputs& in,
                             const Shape& shape, int64_t outputs, const float* bias) {
  const int64_t stride = outputs + 3, pitch = shape.rows + 2;
  const int64_t blocks = block_count(shape.columns);
  Guarded<float> out(std::vector<float>(static_cast<size_t>(shape.rows * stride), -77.0f));
  const Guarded<int32_t> starts(in.sums.size());
  kernels.starts(in.sums.data(), in.sums.size(), kernels.start(layout), starts.data());
  const BlockRows rows = {in.codes.data(),       in.scales.data(), in.sums.data(),
                          in.scaled_sums.data(), starts.data(),    pitch};
  kernels.dots({.layout = &layout,
                .strip = strips.data(),
                .strips = shape.strips,
                .strip_bytes = block_strip_bytes(layout, shape.columns),
                .blocks = blocks,
                .in = rows.from(1),
                .rows = shape.rows,
                .outputs = outputs,
                .bias = bias,
                .out = out.data(),
                .stride = stride});
  return out.values();
}

void check_block(const Table& table, const BlockLayout& layout, const Shape& shape, int fill,
                 random::Sequence& draw) {
  const int64_t blocks = block_count(shape.columns), outputs = shape.strips * kBlockStripRows - 3;
  // Long strips are a few blocks over and over: what takes time here is drawing them.
  const std::vector<uint8_t> drawn =
      random_block_strip(draw, layout, std::min<int64_t>(blocks * shape.strips, 11));
  Guarded<uint8_t> strips(shape.strips * block_strip_bytes(layout, shape.columns));
  for (int64_t i = 0; i < strips.size(); ++i)
    strips[i] = drawn[static_cast<size_t>(i) % drawn.size()];
  if (layout.scales == BlockScales::e8m0) {
    // The ends of the range: every other output has tiny scales alone, subnormal ones among them.
    constexpr uint8_t kEnds[] = {0, 127, 1, 150, 2, 200};
    const BlockOffsets at = block_offsets(layout);
    for (int64_t block = 0; block < blocks * shape.strips; ++block) {
      for (int64_t i = at.scales; i < at.minima; ++i)
        strips[block * at.bytes + i] = kEnds[(i - at.scales) % 6];
    }
  }
  const BlockInputs in(draw, blocks, shape.rows + 2, fill);
  // A bias would hide what is tiny.
  const Guarded<float> biases(random_floats(draw, outputs, 1.0f));
  const float* bias = shape.rows % 2 == 0 ? biases.data() : nullptr;
  ASSERT_TRUE(same_numbers(run_block(*table.block, layout, strips, in, shape, outputs, bias),
                           run_block(scalar_block, layout, strips, in, shape, outputs, bias)))
      << layout.name << ", " << shape.columns << " columns, " << shape.rows << " rows, "
      << shape.strips << " strips, codes " << fill;
}

void block_dots(const Table& table) {
  random::Sequence draw(94);
  SCOPED_TRACE("seed 94");
  for (const BlockLayout* layout : block_layouts()) {
    const auto check = [&](const Shape& shape, int fill) {
      if (!testing::Test::HasFatalFailure()) check_block(table, *layout, shape, fill, draw);
    };
    for (const int fill : kCodeFills) {
      for (const int64_t rows : {1, 4, 13}) check({512, rows, rows % 2 + 1}, fill);
    }
    check({kLong, 1, 1}, kRandom);
    check({kLong, 1, 1}, 127);
    check({kLong / 8, 6, 2}, -127);
  }
}

void block_quantise(const Table& table) {
  random::Sequence draw(95);
  SCOPED_TRACE("seed 95");
  for (const Fill& fill : fills()) {
    for (const int64_t width : {1, 31, 32, 33, 255, 256, 257, 1000}) {
      const Guarded<float> in(fill.make(draw, width));
      const int64_t blocks = block_count(width), pitch = 2;
      const auto run = [&](const BlockKernels& kernels) {
        Guarded<int8_t> codes(((blocks - 1) * pitch + 1) * kBlockColumns);
        Guarded<float> scales(((blocks - 1) * pitch + 1) * kBlockRuns);
        Guarded<int32_t> sums(((blocks - 1) * pitch + 1) * kBlockSums);
        Guarded<float> scaled_sums(sums.size());
        kernels.quantise(
            in.data(), width, blocks,
            {codes.data(), scales.data(), sums.data(), scaled_sums.data(), nullptr, pitch});
        std::vector<float> results = scales.values();
        for (int64_t i = 0; i < sums.size(); ++i) results.push_back(scaled_sums[i]);
        for (int64_t i = 0; i < codes.size(); ++i) results.push_back(codes[i]);
        for (int64_t i = 0; i < sums.size(); ++i) results.push_back(static_cast<float>(sums[i]));
        return results;
      };
      ASSERT_TRUE(same_numbers(run(*table.block), run(scalar_block)))
          << fill.name << ", width " << width;
    }
  }
}

void block_starts(const Table& table) {
  random::Sequence draw(96);
  SCOPED_TRACE("seed 96");
  for (const int64_t blocks : {0, 1, 2, 3, 5}) {
    const int64_t count = blocks * kBlockSums;
    Guarded<int32_t> sums(count);
    for (int64_t i = 0; i < count; ++i)
      sums[i] = static_cast<int32_t>(draw.below(2 * 32 * 127 + 1)) - 32 * 127;
    for (const BlockStart start :
         {BlockStart{}, BlockStart{1, 0}, BlockStart{-1, kFloatBase}, BlockStart{-8, 0},
          BlockStart{-128, kFloatBase}, BlockStart{128, 0}}) {
      const auto run = [&](const BlockKernels& kernels) {
        Guarded<int32_t> starts(count);
        kernels.starts(sums.data(), count, start, starts.data());
        return starts.values();
      };
      ASSERT_EQ(run(*table.block), run(scalar_block))
          << blocks << " blocks, factor " << start.factor << ", base " << start.base;
    }
  }
}

constexpr EntryCheck kChecks[] = {
    {"TernaryKernels.dots", ternary_dots},     {"TernaryKernels.scale", ternary_scale},
    {"DenseTernary.dots", dense_dots},         {"BlockKernels.dots", block_dots},
    {"BlockKernels.quantise", block_quantise}, {"BlockKernels.starts", block_starts},
};

}  // namespace

std::span<const EntryCheck> integer_checks() { return kChecks; }

}  // namespace bittern::kernel
