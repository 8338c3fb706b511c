// Linear layers of bf16 weights: close to double precision on the rounded activations, every table
// of one order and every thread count with equal bits, rows that do not see each other, parts and
// orders of rows, scales beside the codec, and who rounds nothing.
#include <algorithm>
#include <cmath>
#include <map>

#include "backend/backend_support.h"
#include "base/half.h"
#include "kernel/bf16.h"

namespace bittern::test {
namespace {

using backend::LinearSource;

LinearSource source_of(const TensorView& weight, const OwnedTensor* bias = nullptr) {
  LinearSource source;
  source.weight = &weight;
  source.bias = bias == nullptr ? nullptr : &bias->view();
  return source;
}

double rounded(float value) { return bf16_to_f32(f32_to_bf16(value)); }

// One order of sums on AMX, one everywhere else (kernel/bf16.h).
bool has_tiles(const backend::Linear& linear) { return linear.kernel == "bf16/amx-bf16"; }

TEST(Bf16Linear, CloseToDoubleAndEqualOnEveryMachine) {
  random::Sequence draw(71);
  const int64_t shapes[][3] = {{1, 40, 3}, {17, 257, 5}, {200, 96, 14}, {33, 512, 300}};
  for (const auto& [outputs, columns, count] : shapes) {
    SCOPED_TRACE(testing::Message() << "seed 71: " << outputs << " x " << columns);
    const OwnedTensor weight(codec::Id::bf16, outputs, columns,
                             random_values(draw, outputs * columns, 0.5f));
    const OwnedTensor bias(codec::Id::f32, 1, outputs, random_values(draw, outputs, 2.0f));
    const std::vector<float> values = weight.values(), shift = bias.values();
    const std::vector<float> in = random_values(draw, count * columns, 3.0f);
    std::map<bool, std::vector<float>> first;
    on_every_machine([&](Machine& machine) {
      const auto linear = machine.backend->pack(source_of(weight.view(), &bias));
      const std::vector<float> out = run_linear(machine, *linear, count, in);
      ASSERT_TRUE(same_bits(out, first.try_emplace(has_tiles(*linear), out).first->second));
    });
    for (const auto& [tiles, out] : first) {
      for (int64_t m = 0; m < count; ++m) {
        for (int64_t n = 0; n < outputs; ++n) {
          double truth = shift[static_cast<size_t>(n)], size = std::fabs(truth);
          for (int64_t k = 0; k < columns; ++k) {
            const double term = double{values[static_cast<size_t>(n * columns + k)]} *
                                rounded(in[static_cast<size_t>(m * columns + k)]);
            truth += term;
            size += std::fabs(term);
          }
          ASSERT_NEAR(out[static_cast<size_t>(m * outputs + n)], truth, size * 0x1p-19);
        }
      }
    }
  }
}

TEST(Bf16Linear, RowsDoNotSeeEachOther) {
  random::Sequence draw(72);
  constexpr int64_t kOutputs = 83, kColumns = 330, kCount = 500;
  const OwnedTensor weight(codec::Id::bf16, kOutputs, kColumns,
                           random_values(draw, kOutputs * kColumns, 0.5f));
  const std::vector<float> in = random_values(draw, kCount * kColumns, 3.0f);
  Machine machine(3, best_table());
  const auto linear = machine.backend->pack(source_of(weight.view()));
  const std::vector<float> all = run_linear(machine, *linear, kCount, in);
  for (const int64_t row : {0, 1, 191, 192, 383, 499}) {
    const std::vector<float> one(in.begin() + row * kColumns, in.begin() + (row + 1) * kColumns);
    const auto part = all.begin() + row * kOutputs;
    EXPECT_TRUE(
        same_bits(run_linear(machine, *linear, 1, one), std::vector<float>(part, part + kOutputs)))
        << "seed 72, row " << row;
  }
}

TEST(Bf16Linear, PartsAndOrdersOfRows) {
  random::Sequence draw(73);
  const OwnedTensor weight(codec::Id::bf16, 40, 64, random_values(draw, 40 * 64, 0.5f));
  const OwnedTensor bias(codec::Id::f32, 1, 40, random_values(draw, 40, 2.0f));
  const std::vector<float> in = random_values(draw, 2 * 64, 3.0f);
  Machine machine(2, best_table());
  const auto whole = machine.backend->pack(source_of(weight.view(), &bias));
  const std::vector<float> all = run_linear(machine, *whole, 2, in);
  LinearSource source = source_of(weight.view(), &bias);
  for (int32_t row = 39; row >= 3; row -= 2) source.row_order.push_back(row);
  const auto part = machine.backend->pack(source);
  const std::vector<float> some = run_linear(machine, *part, 2, in);
  const auto count = static_cast<int64_t>(source.row_order.size());
  ASSERT_EQ(part->out_size, count);
  for (int64_t m = 0; m < 2; ++m) {
    for (int64_t n = 0; n < count; ++n) {
      EXPECT_EQ(some[static_cast<size_t>(m * count + n)],
                all[static_cast<size_t>(m * 40 + source.row_order[static_cast<size_t>(n)])]);
    }
  }
}

TEST(Bf16Linear, ScaleBesideTheWeightsComesBeforeTheBias) {
  random::Sequence draw(74);
  const OwnedTensor weight(codec::Id::bf16, 20, 64, random_values(draw, 20 * 64, 0.5f));
  const OwnedTensor bias(codec::Id::f32, 1, 20, random_values(draw, 20, 2.0f));
  const std::vector<float> in = random_values(draw, 3 * 64, 3.0f), shift = bias.values();
  Machine machine(1, best_table());
  const auto plain = machine.backend->pack(source_of(weight.view()));
  const std::vector<float> unscaled = run_linear(machine, *plain, 3, in);
  TensorView scaled = weight.view();
  scaled.scale = 0.37f;
  const auto linear = machine.backend->pack(source_of(scaled, &bias));
  const std::vector<float> out = run_linear(machine, *linear, 3, in);
  for (size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], unscaled[i] * 0.37f + shift[i % 20]);
}

TEST(Bf16Linear, SaysWhatItIs) {
  const OwnedTensor weight(codec::Id::bf16, 17, 40, std::vector<float>(17 * 40, 1.0f));
  Machine machine(1, kernel::scalar_table);
  const auto linear = machine.backend->pack(source_of(weight.view()));
  EXPECT_EQ(linear->layout, "BF16 pairs");
  EXPECT_EQ(linear->kernel, "bf16/scalar");
  EXPECT_EQ(linear->wants, backend::Codes::bf16);
  EXPECT_EQ(linear->resident_bytes, 2 * 16 * 64 * 2);
  EXPECT_EQ(backend::packed_bytes(weight.view()), 2 * 16 * 64 * 2);
}

// Output layers and --activations f32: the weights stay in the file, activations as they are.
TEST(Bf16Linear, HeadsAndFloatActivationsAreExact) {
  random::Sequence draw(75);
  const OwnedTensor weight(codec::Id::bf16, 24, 100, random_values(draw, 24 * 100, 0.5f));
  const OwnedTensor same(codec::Id::f32, 24, 100, weight.values());
  const std::vector<float> in = random_values(draw, 2 * 100, 3.0f);
  Machine machine(1, best_table()), exact(1, best_table(), true);
  const auto truth = machine.backend->pack(source_of(same.view()));
  const std::vector<float> expected = run_linear(machine, *truth, 2, in);
  LinearSource head = source_of(weight.view());
  const auto coded = machine.backend->pack(head);
  EXPECT_FALSE(same_bits(run_linear(machine, *coded, 2, in), expected));
  const auto floats = exact.backend->pack(head);
  EXPECT_TRUE(same_bits(run_linear(exact, *floats, 2, in), expected));
  head.head = true;
  const auto output = machine.backend->pack(head);
  EXPECT_EQ(output->wants, backend::Codes::none);
  EXPECT_TRUE(same_bits(run_linear(machine, *output, 2, in), expected));
}

}  // namespace
}  // namespace bittern::test
