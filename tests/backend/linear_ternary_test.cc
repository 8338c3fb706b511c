// Ternary linear layers beyond what linear_test.cc looks at: a scale for each row, groups of strips
// that do not come out even, more rows than a task takes, and both layouts of the strips.
#include <algorithm>
#include <cmath>
#include <deque>

#include "backend/backend_support.h"
#include "base/cpu.h"
#include "kernel/select.h"

namespace bittern::test {
namespace {

using backend::LinearSource;

// Row r of the values is {-a, 0, a} with a = 2^-(r % 5), which every codec stores exactly.
std::vector<float> rows_of_scales(random::Sequence& draw, int64_t rows, int64_t columns) {
  std::vector<float> values;
  for (int64_t row = 0; row < rows; ++row) {
    const float scale = std::ldexp(1.0f, static_cast<int>(-(row % 5)));
    for (int64_t k = 0; k < columns; ++k)
      values.push_back(scale * static_cast<float>(static_cast<int>(draw.below(3)) - 1));
    values[static_cast<size_t>(row * columns)] = scale;  // no row of zeros
  }
  return values;
}

// With the weights as they stand, none of which begins a row with a zero.
std::vector<float> plain_rule(const std::vector<float>& weights, int64_t columns, int64_t count,
                              const std::vector<float>& in) {
  std::vector<float> scales;
  for (size_t first = 0; first < weights.size(); first += static_cast<size_t>(columns))
    scales.push_back(std::fabs(weights[first]));
  return plain_ternary(signs_of(weights), scales, {}, columns, count, in);
}

TEST(TernaryRows, EachRowHasItsScale) {
  random::Sequence draw(51);
  const int64_t outputs = 39, columns = 192, count = 3;
  const std::vector<float> values = rows_of_scales(draw, outputs, columns);
  const std::vector<float> in = random_values(draw, count * columns, 3.0f);
  const std::vector<float> expected = plain_rule(values, columns, count, in);
  for (const codec::Id id : {codec::Id::iq1_bn, codec::Id::iq2_bn}) {
    const OwnedTensor weight(id, outputs, columns, values);
    LinearSource source;
    source.weight = &weight.view();
    source.ternary = true;
    on_every_machine([&](Machine& machine) {
      const auto linear = machine.backend->pack(source);
      EXPECT_TRUE(linear->layout.ends_with(" rows")) << linear->layout;
      ASSERT_TRUE(same_bits(run_linear(machine, *linear, count, in), expected));
    });
    // Rows in another order take their scales along.
    std::vector<float> turned;
    for (int64_t row = outputs - 1; row >= 0; --row) {
      source.row_order.push_back(static_cast<int32_t>(row));
      turned.insert(turned.end(), values.begin() + row * columns,
                    values.begin() + (row + 1) * columns);
    }
    Machine machine(2, best_table());
    const auto linear = machine.backend->pack(source);
    ASSERT_TRUE(
        same_bits(run_linear(machine, *linear, count, in), plain_rule(turned, columns, count, in)));
  }
}

// 299 outputs are 19 strips: groups of 4 leave 3. 130 rows are more than a task takes.
TEST(TernaryRows, GroupsAndRunsCoverEverything) {
  random::Sequence draw(52);
  const int64_t outputs = 299, columns = 128, count = 130;
  std::vector<float> values(static_cast<size_t>(outputs * columns));
  for (float& value : values) value = static_cast<float>(static_cast<int>(draw.below(3)) - 1);
  for (int64_t row = 0; row < outputs; ++row) values[static_cast<size_t>(row * columns)] = 1.0f;
  const std::vector<float> in = random_values(draw, count * columns, 3.0f);
  const std::vector<float> expected = plain_rule(values, columns, count, in);
  const OwnedTensor weight(codec::Id::f32, outputs, columns, values);
  LinearSource source;
  source.weight = &weight.view();
  source.ternary = true;
  for (const int threads : {1, 3}) {
    Machine machine(threads, best_table());
    const auto linear = machine.backend->pack(source);
    ASSERT_TRUE(same_bits(run_linear(machine, *linear, count, in), expected));
  }
}

// 6, 3 and 9 strips: by one thread in groups of 4, which leave some of each layer.
TEST(TernaryRows, SeveralLayersOfOneInputAreAsEachByItself) {
  random::Sequence draw(53);
  const int64_t columns = 128, count = 3;
  const std::vector<float> in = random_values(draw, count * columns, 3.0f);
  std::deque<OwnedTensor> weights;
  for (const int64_t outputs : {83, 48, 131}) {
    std::vector<float> values(static_cast<size_t>(outputs * columns));
    for (float& value : values) value = static_cast<float>(static_cast<int>(draw.below(3)) - 1);
    weights.emplace_back(codec::Id::f32, outputs, columns, values);
  }
  on_every_machine([&](Machine& machine) {
    std::vector<std::unique_ptr<backend::Linear>> layers;
    std::vector<std::vector<float>> alone, together;
    std::vector<backend::LinearCall> calls;
    for (const OwnedTensor& weight : weights) {
      LinearSource source;
      source.weight = &weight.view();
      source.ternary = true;
      layers.push_back(machine.backend->pack(source));
      alone.push_back(run_linear(machine, *layers.back(), count, in));
      together.emplace_back(alone.back().size(), -77.0f);
    }
    for (size_t i = 0; i < layers.size(); ++i)
      calls.push_back({layers[i].get(), together[i].data(), layers[i]->out_size});
    OwnedActivations activations(count, columns, in);
    machine.backend->linears(calls, activations.in);
    for (size_t i = 0; i < layers.size(); ++i)
      ASSERT_TRUE(same_bits(together[i], alone[i])) << "seed 53, layer " << i;
  });
}

// T1.6 is chosen where the processor decodes it, and says so.
TEST(TernaryRows, LayoutIsThatOfTheMachine) {
  const OwnedTensor weight(codec::Id::f32, 17, 320, std::vector<float>(17 * 320, 1.0f));
  LinearSource source;
  source.weight = &weight.view();
  source.ternary = true;
  Machine machine(1, best_table());
  const auto linear = machine.backend->pack(source);
  const auto* dense = kernel::select_dense(best_table(), cpu::detect_features());
  EXPECT_EQ(linear->layout, dense == nullptr ? "T2" : "T1.6");
  EXPECT_EQ(linear->resident_bytes, 2 * (dense == nullptr ? 320 / 16 * 64 : 320 / 80 * 256));
  EXPECT_EQ(linear->kernel, dense == nullptr ? fmt::format("ternary/{}", best_table().ternary->name)
                                             : fmt::format("ternary/{}", dense->name));
}

}  // namespace
}  // namespace bittern::test
