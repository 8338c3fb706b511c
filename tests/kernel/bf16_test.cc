// bf16 weights: packing, rounding of activations, and products. The two scalar kernels are held to
// plain chains of std::fma, every other kernel to the scalar one of its order, bit for bit, tiles
// of AMX in software where the processor has none.
#include <bit>
#include <cmath>
#include <limits>
#include <optional>

#include "base/cpu.h"
#include "base/half.h"
#include "kernel/amx_emulator_support.h"
#include "kernel/bf16_pack.h"
#include "kernel/kernel_support.h"
#include "kernel/select.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace bittern::kernel {
namespace {

struct Kernel {
  const Bf16Kernels* kernels;
  uint64_t features;  // without tiles, which the emulator has
};

std::vector<Kernel> every_kernel() {
  std::vector<Kernel> all = {{&scalar_bfloat, 0}, {&scalar_tilebfloat, 0}};
#if defined(__x86_64__)
  constexpr uint64_t kAvx2 = cpu::kAvx2 | cpu::kFma | cpu::kF16c;
  constexpr uint64_t kAvx512 =
      kAvx2 | cpu::kAvx512F | cpu::kAvx512BW | cpu::kAvx512VL | cpu::kAvx512DQ;
  all.push_back({&avx2_bfloat, kAvx2});
  all.push_back({&avx512_bfloat, kAvx512});
  all.push_back({&avx512bf16_bfloat, kAvx512 | cpu::kAvx512Bf16});
  all.push_back({&amx_bfloat, kAvx512 | cpu::kAvx512Bf16});
#elif defined(__aarch64__)
  all.push_back({&neon_bfloat, cpu::kDotProd});
#endif
  return all;
}

const Bf16Kernels& truth_of(const Bf16Kernels& kernels) {
  return kernels.order == Bf16Order::pairs ? scalar_bfloat : scalar_tilebfloat;
}

class Bf16 : public testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    const Kernel kernel = every_kernel()[GetParam()];
    kernels_ = kernel.kernels;
    if ((kernel.features & ~cpu::detect_features()) != 0)
      GTEST_SKIP() << "this machine lacks instructions of " << kernels_->name;
#if defined(__x86_64__)
    if (kernels_ == &amx_bfloat) emulator_.emplace();
#endif
  }
  const Bf16Kernels& kernels() const { return *kernels_; }

 private:
  const Bf16Kernels* kernels_ = nullptr;
  std::optional<AmxEmulator> emulator_;
};

std::string kernel_name(const testing::TestParamInfo<size_t>& info) {
  std::string name = every_kernel()[info.param].kernels->name;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Isa, Bf16, testing::Range(size_t{0}, every_kernel().size()), kernel_name);

// Weights [outputs, columns] in strips and activations [rows, columns], both bf16.
struct Case {
  int64_t outputs, columns, rows;
  std::vector<uint16_t> weights, inputs;
  std::vector<float> bias;

  template <typename Draw>
  Case(int64_t n, int64_t k, int64_t m, const Draw& draw) : outputs(n), columns(k), rows(m) {
    weights.resize(static_cast<size_t>(n * k));
    inputs.resize(static_cast<size_t>(m * k));
    for (uint16_t& weight : weights) weight = draw(true);
    for (uint16_t& input : inputs) input = draw(false);
  }
  float weight(int64_t n, int64_t k) const {
    return bf16_to_f32(weights[static_cast<size_t>(n * columns + k)]);
  }
  float input(int64_t m, int64_t k) const {
    return bf16_to_f32(inputs[static_cast<size_t>(m * columns + k)]);
  }

  std::vector<float> run(const Bf16Kernels& kernels) const {
    const int64_t strips = (outputs + kBf16Outputs - 1) / kBf16Outputs;
    const int64_t strip_bytes = bf16_strip_bytes(columns);
    const int64_t panels = (columns + kBf16Panel - 1) / kBf16Panel;
    const int64_t pitch = rows + 1;
    Guarded<uint8_t> packed(strips * strip_bytes);
    for (int64_t s = 0; s < strips; ++s) {
      std::vector<const std::byte*> from;
      for (int64_t n = s * kBf16Outputs; n < std::min((s + 1) * kBf16Outputs, outputs); ++n)
        from.push_back(reinterpret_cast<const std::byte*>(weights.data() + n * columns));
      pack_bf16_strip(from, columns, packed.data() + s * strip_bytes);
    }
    Guarded<uint16_t> codes(panels * pitch * kBf16Panel);
    std::vector<float> values(static_cast<size_t>(columns));
    for (int64_t m = 0; m < rows; ++m) {
      for (int64_t k = 0; k < columns; ++k) values[static_cast<size_t>(k)] = input(m, k);
      kernels.encode(values.data(), columns, pitch, codes.data() + (m + 1) * kBf16Panel);
    }
    const Guarded<float> scratch(kBf16Scratch), out(rows * outputs);
    for (int64_t i = 0; i < kBf16Scratch; ++i) scratch[i] = std::nanf("");
    kernels.dots({.strips = packed.data(),
                  .strip_count = strips,
                  .columns = bf16_columns(columns),
                  .codes = codes.data() + kBf16Panel,
                  .pitch = pitch,
                  .rows = rows,
                  .outputs = outputs,
                  .bias = bias.empty() ? nullptr : bias.data(),
                  .out = out.data(),
                  .stride = outputs,
                  .scratch = scratch.data()});
    return out.values();
  }
};

// Sixteen bits whose exponent is drawn from [low, high].
auto exponents(random::Sequence& draw, uint32_t low, uint32_t high) {
  return [&draw, low, high](bool) {
    const auto bits = static_cast<uint32_t>(draw.below(0x10000));
    return static_cast<uint16_t>((bits & 0x807fu) |
                                 (low + static_cast<uint32_t>(draw.below(high - low + 1))) << 7);
  };
}

float total_of(const Case& c, Bf16Order order, int64_t m, int64_t n) {
  float total = 0.0f;
  const auto product = [&](int64_t k, float sum) {
    return k < c.columns ? std::fma(c.weight(n, k), c.input(m, k), sum) : sum;
  };
  for (int64_t first = 0; first < c.columns; first += kBf16Chunk) {
    float even = 0.0f, odd = 0.0f;
    for (int64_t k = first; k < first + kBf16Chunk; k += 2) {
      if (order == Bf16Order::pairs) {
        total = product(k, product(k + 1, total));
      } else {
        even = product(k, even);
        odd = product(k + 1, odd);
      }
    }
    if (order == Bf16Order::tiles) total += even + odd;
  }
  return total;
}

TEST(Bf16Truth, IsTheChainsOfTheHeader) {
  random::Sequence draw(61);
  Case c(19, 301, 3, exponents(draw, 120, 130));
  c.bias = random_floats(draw, 19, 1.0f);
  for (const Bf16Kernels* kernels : {&scalar_bfloat, &scalar_tilebfloat}) {
    std::vector<float> expected;
    for (int64_t m = 0; m < c.rows; ++m) {
      for (int64_t n = 0; n < c.outputs; ++n)
        expected.push_back(total_of(c, kernels->order, m, n) + c.bias[static_cast<size_t>(n)]);
    }
    EXPECT_TRUE(same_bits(c.run(*kernels), expected)) << kernels->name;
  }
}

// One output and row of two columns.
float flushed(const Bf16Kernels& kernels, std::vector<float> weights, std::vector<float> inputs) {
  Case c(1, static_cast<int64_t>(weights.size()), 1, [](bool) { return uint16_t{0}; });
  for (size_t i = 0; i < weights.size(); ++i) {
    c.weights[i] = f32_to_bf16(weights[i]);
    c.inputs[i] = f32_to_bf16(inputs[i]);
  }
  return c.run(kernels)[0];
}

TEST_P(Bf16, DenormalsAreZeros) {
  constexpr float kLeast = std::numeric_limits<float>::min();
  EXPECT_EQ(flushed(kernels(), {kLeast / 2, 0}, {1024, 0}), 0.0f) << "a weight";
  EXPECT_EQ(flushed(kernels(), {1024, 0}, {kLeast / 2, 0}), 0.0f) << "an activation";
  EXPECT_EQ(flushed(kernels(), {kLeast, 0}, {0.5f, 0}), 0.0f) << "a product";
  EXPECT_EQ(flushed(kernels(), {kLeast, 0}, {1, 0}), kLeast) << "the least normal number stays";
  // 1.5 - 1: the pairs' chain ends in a denormal, and so does the sum of the tiles' two.
  EXPECT_EQ(flushed(kernels(), {-1, 1.5f}, {kLeast, kLeast}), 0.0f) << "a sum";
}

TEST_P(Bf16, KeepsTheModeOfTheThread) {
#if defined(__x86_64__)
  random::Sequence draw(62);
  const Case c(20, 64, 9, exponents(draw, 120, 130));
  const auto expected = c.run(kernels());
  const unsigned former = _mm_getcsr();
  _mm_setcsr(former | 0x8040);
  const auto flushing = c.run(kernels());
  const unsigned after = _mm_getcsr() & ~0x3fu;
  _mm_setcsr(former);
  EXPECT_TRUE(same_bits(flushing, expected));
  EXPECT_EQ(after, (former | 0x8040) & ~0x3fu);
  (void)c.run(kernels());
  EXPECT_EQ(_mm_getcsr() & ~0x3fu, former & ~0x3fu);
#endif
}

TEST_P(Bf16, RoundsActivationsToNearestEven) {
  random::Sequence draw(63);
  std::vector<float> values = {0.0f, -0.0f, 1.0f, INFINITY, -INFINITY, 3.4e38f, -3.4e38f};
  for (const uint32_t bits :
       {0x3f808000u, 0x3f818000u, 0x3f808001u, 0x3f807fffu, 0x7f7fffffu, 1u, 0x8000u, 0x18000u,
        0x807fffffu, 0x7f800001u, 0xffc00000u, 0x7fffffffu})
    values.push_back(std::bit_cast<float>(bits));
  while (values.size() < 3 * kBf16Panel - 7)
    values.push_back(std::bit_cast<float>(static_cast<uint32_t>(draw.bits())));
  for (const int64_t width : {int64_t{1}, int64_t{15}, int64_t{16}, int64_t{33}, kBf16Panel,
                              kBf16Panel + 1, static_cast<int64_t>(values.size())}) {
    const int64_t panels = (width + kBf16Panel - 1) / kBf16Panel, pitch = 2;
    const Guarded<float> in(std::vector<float>(values.begin(), values.begin() + width));
    const Guarded<uint16_t> codes(panels * pitch * kBf16Panel);
    for (int64_t i = 0; i < codes.size(); ++i) codes[i] = 0xabcd;
    kernels().encode(in.data(), width, pitch, codes.data() + kBf16Panel);
    for (int64_t k = 0; k < panels * kBf16Panel; ++k) {
      const int64_t panel = k / kBf16Panel * pitch * kBf16Panel;
      ASSERT_EQ(codes[panel + kBf16Panel + k % kBf16Panel], k < width ? f32_to_bf16(in[k]) : 0)
          << "seed 63, element " << k << " of " << width;
      ASSERT_EQ(codes[panel + k % kBf16Panel], 0xabcd) << "the row before";
    }
  }
}

TEST_P(Bf16, EqualsScalarForEveryShape) {
  random::Sequence draw(64);
  const int64_t shapes[][3] = {
      {1, 1, 1},     {16, 2, 1},    {64, 32, 1},   {61, 33, 2},   {17, 255, 3},   {64, 257, 4},
      {33, 96, 5},   {64, 130, 6},  {64, 511, 7},  {48, 64, 11},  {40, 300, 12},  {64, 33, 13},
      {16, 40, 15},  {64, 70, 16},  {20, 129, 17}, {32, 513, 25}, {64, 64, 31},   {47, 160, 32},
      {64, 96, 33},  {5, 64, 48},   {64, 1025, 3}, {64, 1057, 9}, {33, 2080, 26}, {64, 34, 63},
      {16, 32, 240}, {64, 48, 239},
  };
  for (const auto& [outputs, columns, rows] : shapes) {
    SCOPED_TRACE(testing::Message() << "seed 64: " << outputs << " outputs, " << columns
                                    << " columns, " << rows << " rows");
    Case c(outputs, columns, rows, exponents(draw, 115, 132));
    if (rows % 2 == 1) c.bias = random_floats(draw, outputs, 1.0f);
    const int64_t before = AmxEmulator::executed();
    const auto results = c.run(kernels());
    if (kernels().needs == Bf16Needs::amx_bf16 && rows > 4 &&
        (cpu::detect_features() & cpu::kAmxBf16) == 0) {
      EXPECT_GT(AmxEmulator::executed(), before);
    }
    ASSERT_TRUE(same_bits(results, c.run(truth_of(kernels()))));
  }
}

// Which NaN it is may differ.
void expect_same(const std::vector<float>& results, const std::vector<float>& truth) {
  for (size_t i = 0; i < truth.size(); ++i) {
    ASSERT_TRUE(std::bit_cast<uint32_t>(results[i]) == std::bit_cast<uint32_t>(truth[i]) ||
                (std::isnan(results[i]) && std::isnan(truth[i])))
        << "result " << i << ": " << results[i] << " for " << truth[i];
  }
}

TEST_P(Bf16, EqualsScalarOnHardNumbers) {
  random::Sequence draw(65);
  const struct {
    const char* what;
    uint32_t low, high;  // exponents: 0 denormals and zeros, 255 infinities and NaNs
  } ranges[] = {{"all", 0, 254},
                {"denormals", 0, 3},
                {"products near the least", 60, 66},
                {"cancelling", 127, 127},
                {"near the largest", 187, 191}};
  for (const auto& range : ranges) {
    for (const int64_t rows : {1, 3, 5, 14, 40}) {
      SCOPED_TRACE(testing::Message() << "seed 65, " << range.what << ", " << rows << " rows");
      const Case c(35, 420, rows, exponents(draw, range.low, range.high));
      expect_same(c.run(kernels()), c.run(truth_of(kernels())));
    }
  }
}

// One infinity, in an odd column or an even one, of a weight or an activation: it makes a total
// infinite and none of its neighbours NaN.
TEST_P(Bf16, InfinitiesStayWhereTheyAre) {
  random::Sequence draw(69);
  for (const int64_t rows : {1, 2, 4, 5, 14, 40}) {
    for (int64_t column = 30; column < 34; ++column) {
      SCOPED_TRACE(testing::Message() << "seed 69, " << rows << " rows, column " << column);
      Case c(35, 70, rows, exponents(draw, 120, 130));
      c.inputs[static_cast<size_t>((rows - 1) * c.columns + column)] = f32_to_bf16(INFINITY);
      c.weights[static_cast<size_t>(7 * c.columns + column)] = f32_to_bf16(-INFINITY);
      const auto results = c.run(kernels());
      for (int64_t m = 0; m < rows; ++m) {
        for (int64_t n = 0; n < c.outputs; ++n) {
          const float expected = total_of(c, kernels().order, m, n);
          ASSERT_FALSE(std::isnan(expected));
          ASSERT_EQ(results[static_cast<size_t>(m * c.outputs + n)], expected)
              << "row " << m << ", output " << n;
        }
      }
    }
  }
}

// A negative denormal is flushed to -0, to which only -0 is added: even and odd columns alike, so
// that what a kernel puts in place of the other kind shows.
TEST_P(Bf16, ZerosKeepTheirSign) {
  constexpr float kLeast = std::numeric_limits<float>::min();
  for (const int64_t rows : {1, 4, 5}) {
    Case c(1, 96, rows, [](bool) { return uint16_t{0}; });
    const auto set = [&](int64_t column, float weight, float input) {
      c.weights[static_cast<size_t>(column)] = f32_to_bf16(weight);
      for (int64_t m = 0; m < rows; ++m)
        c.inputs[static_cast<size_t>(m * c.columns + column)] = f32_to_bf16(input);
    };
    set(0, kLeast * 1.5f, 1.0f);
    set(32, kLeast * -1.75f, 1.0f);
    for (const int64_t k : {64, 65}) set(k, -kLeast, 0.5f);
    for (int64_t k = 66; k < 96; ++k) set(k, -0.0f, 1.0f);
    for (const float result : c.run(kernels()))
      EXPECT_EQ(std::bit_cast<uint32_t>(result), 0x80000000u) << rows << " rows, " << result;
  }
}

TEST_P(Bf16, LongRowsAndOneHugeActivation) {
  random::Sequence draw(66);
  const auto small = exponents(draw, 120, 127);
  int64_t count = 0;
  Case c(16, 131072, 2, [&](bool weight) {
    return weight || ++count % 100000 != 0 ? small(weight) : f32_to_bf16(1e30f);
  });
  ASSERT_TRUE(same_bits(c.run(kernels()), c.run(truth_of(kernels()))));
}

// A row's bits depend neither on the rows beside it nor on its strip's neighbours.
TEST_P(Bf16, RowsAndStripsDoNotMatter) {
  random::Sequence draw(67);
  const Case c(64, 1100, 37, exponents(draw, 120, 130));
  const auto all = c.run(kernels());
  for (const int64_t m : {int64_t{0}, int64_t{11}, int64_t{12}, int64_t{31}, int64_t{36}}) {
    for (const int64_t strip : {0, 3}) {
      Case one(16, c.columns, 1, [](bool) { return uint16_t{0}; });
      std::copy_n(c.weights.begin() + strip * 16 * c.columns, 16 * c.columns, one.weights.begin());
      std::copy_n(c.inputs.begin() + m * c.columns, c.columns, one.inputs.begin());
      const auto part = all.begin() + m * 64 + strip * 16;
      ASSERT_TRUE(same_bits(one.run(kernels()), std::vector<float>(part, part + 16)))
          << "seed 67, row " << m << ", strip " << strip;
    }
  }
}

TEST(Bf16Pack, RoundTripsAndPadsWithZeros) {
  random::Sequence draw(68);
  for (const int64_t columns : {1, 2, 31, 32, 33, 100}) {
    for (const size_t count : {size_t{1}, size_t{15}, size_t{16}}) {
      std::vector<uint16_t> values(count * static_cast<size_t>(columns));
      for (uint16_t& value : values) value = static_cast<uint16_t>(draw.below(0x10000));
      std::vector<const std::byte*> rows;
      for (size_t n = 0; n < count; ++n)
        rows.push_back(reinterpret_cast<const std::byte*>(values.data() + n * columns));
      const Guarded<uint8_t> strip(bf16_strip_bytes(columns));
      pack_bf16_strip(rows, columns, strip.data());
      const int64_t padded = bf16_columns(columns);
      std::vector<uint16_t> back(static_cast<size_t>(16 * padded));
      unpack_bf16_strip(strip.data(), columns, back.data());
      for (int64_t n = 0; n < 16; ++n) {
        for (int64_t k = 0; k < padded; ++k) {
          const bool real = n < static_cast<int64_t>(count) && k < columns;
          ASSERT_EQ(back[static_cast<size_t>(n * padded + k)],
                    real ? values[static_cast<size_t>(n * columns + k)] : 0)
              << "seed 68, row " << n << ", column " << k;
        }
      }
    }
  }
}

TEST(Bf16Select, TakesWhatTheMachineHas) {
#if defined(__x86_64__)
  Table table = scalar_table;
  table.bf16 = &amx_bfloat;
  EXPECT_EQ(&select_bf16(scalar_table, 0), &scalar_bfloat);
  const uint64_t features = cpu::detect_features();
  if ((features & cpu::kAvx512Bf16) == 0) GTEST_SKIP() << "no AVX-512 BF16";
  EXPECT_EQ(&select_bf16(table, features & ~uint64_t{cpu::kAmxBf16}), &avx512bf16_bfloat);
  EXPECT_EQ(&select_bf16(table, features & ~uint64_t{cpu::kAvx512Bf16}), &avx512_bfloat);
  const AmxEmulator emulator;
  const uint64_t tiles = cpu::kAmxTile | cpu::kAmxBf16 | cpu::kAmxPermission;
  EXPECT_EQ(&select_bf16(table, features | tiles), &amx_bfloat);
#endif
}

}  // namespace
}  // namespace bittern::kernel
