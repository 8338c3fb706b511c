// Linear layers of both families: the arithmetic written out again, every table and thread count
// with equal bits, rows that do not see each other, and what packing refuses.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "backend/backend_support.h"
#include "base/error.h"

namespace bittern::test {
namespace {

using backend::Linear;
using backend::LinearSource;

constexpr int64_t kOutputs[] = {1, 15, 16, 17, 31};

LinearSource source_of(const OwnedTensor& weight, bool ternary, const OwnedTensor* bias = nullptr) {
  LinearSource source;
  source.weight = &weight.view();
  source.bias = bias == nullptr ? nullptr : &bias->view();
  source.ternary = ternary;
  return source;
}

std::vector<float> random_ternary(random::Sequence& draw, int64_t count, float scale) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values)
    value = scale * static_cast<float>(static_cast<int>(draw.below(3)) - 1);
  return values;
}

TEST(TernaryLinear, EqualsThePlainRuleOnEveryMachine) {
  random::Sequence draw(41);
  for (const int64_t columns : {1, 63, 64, 65, 256}) {
    for (const int64_t outputs : kOutputs) {
      SCOPED_TRACE(testing::Message() << "seed 41: " << outputs << " x " << columns);
      const float scale = 0.37f;
      const OwnedTensor weight(codec::Id::f32, outputs, columns,
                               random_ternary(draw, outputs * columns, scale));
      const OwnedTensor bias(codec::Id::f32, 1, outputs, random_values(draw, outputs, 2.0f));
      const std::vector<float> in = random_values(draw, 5 * columns, 3.0f);
      const std::vector<int> codes = signs_of(weight.values());
      // A tensor of zeros alone has no scale, and a single weight may be zero.
      const bool all_zero = std::all_of(codes.begin(), codes.end(), [](int c) { return c == 0; });
      const std::vector<float> used(static_cast<size_t>(outputs), all_zero ? 0.0f : scale);
      const auto without = plain_ternary(codes, used, {}, columns, 5, in);
      const auto with = plain_ternary(codes, used, bias.values(), columns, 5, in);
      on_every_machine([&](Machine& machine) {
        const auto bare = machine.backend->pack(source_of(weight, true));
        const auto biased = machine.backend->pack(source_of(weight, true, &bias));
        ASSERT_TRUE(same_bits(run_linear(machine, *bare, 5, in), without));
        ASSERT_TRUE(same_bits(run_linear(machine, *biased, 5, in), with));
      });
    }
  }
}

// Master weights: the tensor's own absmean rule, whose codes the codec tests hold to the
// reference; here only that they are used with their scale.
TEST(TernaryLinear, MasterWeightsTakeTheAbsmeanScale) {
  random::Sequence draw(42);
  const std::vector<float> values = random_values(draw, 20 * 128, 0.05f);
  const OwnedTensor weight(codec::Id::f32, 20, 128, values);
  double sum = 0;
  for (const float value : values) sum += std::fabs(double{value});
  const float inverse = 1.0f / static_cast<float>(sum / static_cast<double>(values.size()));
  std::vector<int> codes;
  for (const float value : values)
    codes.push_back(static_cast<int>(std::clamp(std::nearbyint(value * inverse), -1.0f, 1.0f)));
  const std::vector<float> in = random_values(draw, 2 * 128, 1.0f);
  Machine machine(1, kernel::scalar_table);
  const auto linear = machine.backend->pack(source_of(weight, true));
  EXPECT_TRUE(
      same_bits(run_linear(machine, *linear, 2, in),
                plain_ternary(codes, std::vector<float>(20, 1.0f / inverse), {}, 128, 2, in)));
}

TEST(TernaryLinear, SaysWhatItIs) {
  const OwnedTensor weight(codec::Id::f32, 17, 65, std::vector<float>(17 * 65, 1.0f));
  Machine machine(1, kernel::scalar_table);
  const auto linear = machine.backend->pack(source_of(weight, true));
  EXPECT_EQ(linear->in_size, 65);
  EXPECT_EQ(linear->out_size, 17);
  EXPECT_EQ(linear->layout, "T2");
  EXPECT_EQ(linear->kernel, "ternary/scalar");
  EXPECT_EQ(linear->resident_bytes, 2 * 16 * 128 / 4);
}

TEST(TernaryLinear, QuantisesOnceForAllThatReadTheRows) {
  const OwnedTensor weight(codec::Id::f32, 16, 64, std::vector<float>(16 * 64, 1.0f));
  Machine machine(1, kernel::scalar_table);
  const auto linear = machine.backend->pack(source_of(weight, true));
  OwnedActivations activations(1, 64, std::vector<float>(64, 1.0f));
  std::vector<float> out(16);
  machine.backend->linear(*linear, activations.in, out.data(), 16);
  EXPECT_TRUE(activations.in.quantised);
  EXPECT_EQ(out[0], 64.0f);
  activations.in.sums[0] = 0;  // the second linear must take what it finds
  machine.backend->linear(*linear, activations.in, out.data(), 16);
  EXPECT_NE(out[0], 64.0f);
}

TEST(FloatLinear, CloseToDoubleAndEqualOnEveryMachine) {
  random::Sequence draw(43);
  for (const codec::Id id : {codec::Id::f32, codec::Id::f16, codec::Id::bf16, codec::Id::q8_0,
                             codec::Id::q4_0, codec::Id::q4_1, codec::Id::tq2_0, codec::Id::f8_e4m3,
                             codec::Id::f8_e5m2, codec::Id::f8_e4m3fnuz, codec::Id::f8_e5m2fnuz}) {
    for (const int64_t outputs : kOutputs) {
      const int64_t columns = 256, count = 5;
      SCOPED_TRACE(testing::Message() << "seed 43: " << codec::get(id).name << ", " << outputs);
      const OwnedTensor weight(id, outputs, columns, random_values(draw, outputs * columns, 0.5f));
      const OwnedTensor bias(codec::Id::f32, 1, outputs, random_values(draw, outputs, 2.0f));
      const std::vector<float> values = weight.values(), shift = bias.values();
      const std::vector<float> in = random_values(draw, count * columns, 3.0f);
      std::vector<float> first;
      const auto body = [&](Machine& machine) {
        const auto linear = machine.backend->pack(source_of(weight, false, &bias));
        const std::vector<float> out = run_linear(machine, *linear, count, in);
        if (first.empty()) first = out;
        ASSERT_TRUE(same_bits(out, first));
      };
      on_every_machine(body, true);
      for (int64_t m = 0; m < count; ++m) {
        for (int64_t n = 0; n < outputs; ++n) {
          double truth = shift[static_cast<size_t>(n)], size = 0;
          for (int64_t k = 0; k < columns; ++k) {
            const double term = double{values[static_cast<size_t>(n * columns + k)]} *
                                double{in[static_cast<size_t>(m * columns + k)]};
            truth += term;
            size += std::fabs(term);
          }
          ASSERT_NEAR(first[static_cast<size_t>(m * outputs + n)], truth, size * 22 * 0x1p-24);
        }
      }
    }
  }
}

// The same numbers in other clothes: integers with a 127 in every block of 32 have scale 1 in
// Q8_0 and are exact in f16 and bf16.
TEST(FloatLinear, EqualValuesGiveEqualBitsWhateverTheCodec) {
  random::Sequence draw(44);
  const int64_t outputs = 19, columns = 96, count = 18;
  std::vector<float> values(static_cast<size_t>(outputs * columns));
  for (size_t i = 0; i < values.size(); ++i) {
    const int number = static_cast<int>(draw.below(255)) - 127;
    values[i] = i % 32 == 5 ? 127.0f : static_cast<float>(number);
  }
  const std::vector<float> in = random_values(draw, count * columns, 1.0f);
  const OwnedTensor plain(codec::Id::f32, outputs, columns, values);
  const auto body = [&](Machine& machine) {
    const auto reference = machine.backend->pack(source_of(plain, false));
    EXPECT_EQ(reference->resident_bytes, 0);
    const std::vector<float> expected = run_linear(machine, *reference, count, in);
    for (const codec::Id id : {codec::Id::f16, codec::Id::bf16, codec::Id::q8_0}) {
      const OwnedTensor other(id, outputs, columns, values);
      ASSERT_EQ(other.values(), values) << codec::get(id).name;
      const auto linear = machine.backend->pack(source_of(other, false));
      EXPECT_EQ(linear->resident_bytes, 0);
      EXPECT_EQ(linear->layout, codec::get(id).name);
      ASSERT_TRUE(same_bits(run_linear(machine, *linear, count, in), expected))
          << codec::get(id).name;
    }
    // Unaligned f32 and a view with a scale take the codec's path.
    TensorView scaled = plain.view();
    scaled.scale = 0.5f;
    LinearSource source;
    source.weight = &scaled;
    const auto half = machine.backend->pack(source);
    std::vector<float> halved = expected;
    for (float& value : halved) value *= 0.5f;
    ASSERT_TRUE(same_bits(run_linear(machine, *half, count, in), halved));
  };
  on_every_machine(body, true);
}

TEST(FloatLinear, SaysWhatItIs) {
  const OwnedTensor fast(codec::Id::q8_0, 3, 32, std::vector<float>(96, 1.0f));
  const OwnedTensor slow(codec::Id::tq2_0, 1, 256, std::vector<float>(256, 1.0f));
  Machine machine(1, kernel::scalar_table, true);
  EXPECT_EQ(machine.backend->pack(source_of(fast, false))->kernel, "float/scalar");
  EXPECT_EQ(machine.backend->pack(source_of(slow, false))->kernel,
            "float/scalar (scalar decode of TQ2_0)");
  EXPECT_EQ(machine.backend->description(), "cpu scalar, 1 thread");
}

// Both families: batch, permutation of the batch, and row_order.
class AnyLinear : public testing::TestWithParam<bool> {};

TEST_P(AnyLinear, RowsDoNotSeeEachOther) {
  random::Sequence draw(45);
  const int64_t outputs = 33, columns = 100, count = 71;
  const OwnedTensor weight(codec::Id::f32, outputs, columns,
                           random_values(draw, outputs * columns, 1.0f));
  const std::vector<float> in = random_values(draw, count * columns, 2.0f);
  on_every_machine([&](Machine& machine) {
    const auto linear = machine.backend->pack(source_of(weight, GetParam()));
    const std::vector<float> together = run_linear(machine, *linear, count, in);
    const auto row_of = [&](const std::vector<float>& from, int64_t row, int64_t width) {
      return std::vector<float>(from.begin() + row * width, from.begin() + (row + 1) * width);
    };
    std::vector<float> reversed;
    for (int64_t row = count - 1; row >= 0; --row) {
      const std::vector<float> one = row_of(in, row, columns);
      reversed.insert(reversed.end(), one.begin(), one.end());
      ASSERT_TRUE(same_bits(run_linear(machine, *linear, 1, one), row_of(together, row, outputs)))
          << row;
    }
    const std::vector<float> backwards = run_linear(machine, *linear, count, reversed);
    for (int64_t row = 0; row < count; ++row) {
      ASSERT_TRUE(
          same_bits(row_of(backwards, count - 1 - row, outputs), row_of(together, row, outputs)))
          << row;
    }
  });
}

TEST_P(AnyLinear, RowOrderPermutesResultsAndBias) {
  random::Sequence draw(46);
  const int64_t outputs = 40, columns = 64;
  const OwnedTensor weight(codec::Id::f16, outputs, columns,
                           random_values(draw, outputs * columns, 1.0f));
  const OwnedTensor bias(codec::Id::f32, 1, outputs, random_values(draw, outputs, 2.0f));
  const std::vector<float> in = random_values(draw, columns, 2.0f);
  std::vector<int32_t> order(static_cast<size_t>(outputs));
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i * 7 % order.size());
  on_every_machine([&](Machine& machine) {
    LinearSource source = source_of(weight, GetParam(), &bias);
    const auto straight = machine.backend->pack(source);
    source.row_order = order;
    const auto ordered = machine.backend->pack(source);
    const std::vector<float> expected = run_linear(machine, *straight, 1, in);
    const std::vector<float> out = run_linear(machine, *ordered, 1, in);
    for (size_t i = 0; i < order.size(); ++i)
      ASSERT_EQ(out[i], expected[static_cast<size_t>(order[i])]) << i;
  });
}

// As the parts of a fused tensor are taken.
TEST_P(AnyLinear, RowOrderTakesAPartOfTheRows) {
  random::Sequence draw(47);
  const int64_t outputs = 40, columns = 64;
  const OwnedTensor weight(codec::Id::f32, outputs, columns,
                           random_values(draw, outputs * columns, 1.0f));
  const OwnedTensor bias(codec::Id::f32, 1, outputs, random_values(draw, outputs, 2.0f));
  const std::vector<float> in = random_values(draw, 3 * columns, 2.0f);
  const std::vector<int32_t> order = {17, 18, 19, 20, 39, 0, 1};
  on_every_machine([&](Machine& machine) {
    LinearSource source = source_of(weight, GetParam(), &bias);
    const std::vector<float> expected = run_linear(machine, *machine.backend->pack(source), 3, in);
    source.row_order = order;
    const auto part = machine.backend->pack(source);
    ASSERT_EQ(part->out_size, static_cast<int64_t>(order.size()));
    const std::vector<float> out = run_linear(machine, *part, 3, in);
    for (size_t row = 0; row < 3; ++row) {
      for (size_t i = 0; i < order.size(); ++i)
        ASSERT_EQ(out[row * order.size() + i],
                  expected[row * static_cast<size_t>(outputs) + static_cast<size_t>(order[i])]);
    }
  });
}

TEST_P(AnyLinear, WritesOnlyItsColumns) {
  const int64_t outputs = 18, columns = 32, stride = 25;
  const OwnedTensor weight(codec::Id::f32, outputs, columns,
                           std::vector<float>(static_cast<size_t>(outputs * columns), 1.0f));
  on_every_machine([&](Machine& machine) {
    const auto linear = machine.backend->pack(source_of(weight, GetParam()));
    OwnedActivations activations(3, columns, std::vector<float>(3 * columns, 1.0f));
    std::vector<float> out(3 * stride, -5.0f);
    machine.backend->linear(*linear, activations.in, out.data(), stride);
    for (int64_t i = 0; i < 3 * stride; ++i)
      ASSERT_EQ(out[static_cast<size_t>(i)], i % stride < outputs ? 32.0f : -5.0f) << i;
  });
}

TEST_P(AnyLinear, RefusesABiasOfAnotherSize) {
  const OwnedTensor weight(codec::Id::f32, 4, 32, std::vector<float>(128, 1.0f));
  const OwnedTensor bias(codec::Id::f32, 1, 5, std::vector<float>(5, 1.0f));
  Machine machine(1, kernel::scalar_table);
  try {
    machine.backend->pack(source_of(weight, GetParam(), &bias));
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    EXPECT_NE(error.message().find("4 rows"), std::string::npos) << error.message();
  }
}

INSTANTIATE_TEST_SUITE_P(Family, AnyLinear, testing::Bool(), [](const auto& family) {
  return std::string(family.param ? "ternary" : "float");
});

TEST(TernaryLinear, RefusesRowsWhoseSumsCouldWrap) {
  const OwnedTensor weight(codec::Id::f32, 1, kernel::kMaxTernaryColumns + 1,
                           std::vector<float>(kernel::kMaxTernaryColumns + 1, 1.0f));
  Machine machine(1, kernel::scalar_table);
  EXPECT_THROW(machine.backend->pack(source_of(weight, true)), Error);
}

}  // namespace
}  // namespace bittern::test
