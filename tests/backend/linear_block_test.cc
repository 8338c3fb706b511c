// Linear layers of block formats: close to double precision on the coded activations, every table
// and thread count with equal bits, rows that do not see each other, parts and orders of rows,
// scales beside the codec, and how far int8 activations are from f32 ones.
#include <algorithm>
#include <cmath>

#include "backend/backend_support.h"
#include "block_codecs.h"
#include "kernel/block_pack.h"

namespace bittern::test {
namespace {

using backend::Linear;
using backend::LinearSource;

LinearSource source_of(const TensorView& weight, const OwnedTensor* bias = nullptr) {
  LinearSource source;
  source.weight = &weight;
  source.bias = bias == nullptr ? nullptr : &bias->view();
  return source;
}

std::vector<float> row_of(const std::vector<float>& from, int64_t row, int64_t width) {
  return {from.begin() + row * width, from.begin() + (row + 1) * width};
}

// What the codes of a row of activations stand for.
std::vector<double> coded(const std::vector<float>& row) {
  std::vector<double> values;
  for (size_t first = 0; first < row.size(); first += 32) {
    const size_t end = std::min(row.size(), first + 32);
    float maximum = 0.0f;
    for (size_t k = first; k < end; ++k) maximum = std::max(maximum, std::fabs(row[k]));
    for (size_t k = first; k < end; ++k) {
      const double code = maximum > 0.0f ? std::nearbyint(row[k] * (127.0f / maximum)) : 0.0;
      values.push_back(code * static_cast<double>(maximum / 127.0f));
    }
  }
  return values;
}

TEST(BlockLinear, CloseToDoubleAndEqualOnEveryMachine) {
  random::Sequence draw(51);
  for (const codec::Id id : kBlockCodecs) {
    for (const int64_t outputs : {1, 17, 32}) {
      const int64_t columns = 512, count = 5;
      SCOPED_TRACE(testing::Message() << "seed 51: " << codec::get(id).name << ", " << outputs);
      const OwnedTensor weight(id, outputs, columns, random_values(draw, outputs * columns, 0.5f));
      const OwnedTensor bias(codec::Id::f32, 1, outputs, random_values(draw, outputs, 2.0f));
      const std::vector<float> values = weight.values(), shift = bias.values();
      const std::vector<float> in = random_values(draw, count * columns, 3.0f);
      std::vector<float> first;
      on_every_machine([&](Machine& machine) {
        const auto linear = machine.backend->pack(source_of(weight.view(), &bias));
        const std::vector<float> out = run_linear(machine, *linear, count, in);
        if (first.empty()) first = out;
        ASSERT_TRUE(same_bits(out, first));
      });
      for (int64_t m = 0; m < count; ++m) {
        const std::vector<double> x = coded(row_of(in, m, columns));
        for (int64_t n = 0; n < outputs; ++n) {
          double truth = shift[static_cast<size_t>(n)], size = std::fabs(truth);
          for (int64_t k = 0; k < columns; ++k) {
            const double term =
                double{values[static_cast<size_t>(n * columns + k)]} * x[static_cast<size_t>(k)];
            truth += term;
            size += std::fabs(term);
          }
          // A format with minima takes the difference of two larger sums, hence not 1 ulp.
          ASSERT_NEAR(first[static_cast<size_t>(m * outputs + n)], truth, size * 0x1p-20);
        }
      }
    }
  }
}

TEST(BlockLinear, WidthsThatAreNotWholeBlocks) {
  random::Sequence draw(52);
  for (const codec::Id id : {codec::Id::q8_0, codec::Id::q4_1, codec::Id::nvfp4, codec::Id::q1_0}) {
    for (const int64_t columns : {128, 384, 640}) {
      SCOPED_TRACE(testing::Message() << "seed 52: " << codec::get(id).name << ", " << columns);
      const OwnedTensor weight(id, 5, columns, random_values(draw, 5 * columns, 0.5f));
      const std::vector<float> values = weight.values();
      const std::vector<float> in = random_values(draw, columns, 3.0f);
      const std::vector<double> x = coded(in);
      Machine machine(1, best_table());
      const auto linear = machine.backend->pack(source_of(weight.view()));
      const std::vector<float> out = run_linear(machine, *linear, 1, in);
      for (int64_t n = 0; n < 5; ++n) {
        double truth = 0;
        for (int64_t k = 0; k < columns; ++k)
          truth += double{values[static_cast<size_t>(n * columns + k)]} * x[static_cast<size_t>(k)];
        ASSERT_NEAR(out[static_cast<size_t>(n)], truth, 2e-3);
      }
    }
  }
}

TEST(BlockLinear, SaysWhatItIs) {
  const OwnedTensor weight(codec::Id::q4_k, 17, 512, std::vector<float>(17 * 512, 1.0f));
  const OwnedTensor bias(codec::Id::f32, 1, 17, std::vector<float>(17, 1.0f));
  Machine machine(1, kernel::scalar_table);
  const auto linear = machine.backend->pack(source_of(weight.view(), &bias));
  EXPECT_EQ(linear->in_size, 512);
  EXPECT_EQ(linear->out_size, 17);
  EXPECT_EQ(linear->layout, "Q4_K");
  EXPECT_EQ(linear->kernel, "block/scalar");
  EXPECT_EQ(linear->wants, backend::Codes::block);
  EXPECT_EQ(backend::packed_bytes(weight.view()), 2 * 2 * 2368);
  EXPECT_EQ(linear->resident_bytes, 2 * 2 * 2368 + 17 * 4);
  EXPECT_EQ(backend::packed_bytes(bias.view()), 0);
}

TEST(BlockLinear, RowsDoNotSeeEachOther) {
  random::Sequence draw(53);
  for (const codec::Id id :
       {codec::Id::q4_k, codec::Id::q6_k, codec::Id::q4_0, codec::Id::q1_0, codec::Id::iq3_s}) {
    const int64_t outputs = 33, columns = 512, count = 135;  // two runs of rows
    const OwnedTensor weight(id, outputs, columns, random_values(draw, outputs * columns, 1.0f));
    const std::vector<float> in = random_values(draw, count * columns, 2.0f);
    for (const int threads : {1, 3}) {
      SCOPED_TRACE(testing::Message() << "seed 53: " << codec::get(id).name);
      Machine machine(threads, best_table());
      const auto linear = machine.backend->pack(source_of(weight.view()));
      const std::vector<float> together = run_linear(machine, *linear, count, in);
      for (int64_t row = 0; row < count; ++row) {
        const std::vector<float> one = run_linear(machine, *linear, 1, row_of(in, row, columns));
        ASSERT_TRUE(same_bits(one, row_of(together, row, outputs))) << row;
      }
    }
  }
}

TEST(BlockLinear, RowOrderTakesPartsAndPermutes) {
  random::Sequence draw(54);
  const int64_t outputs = 40, columns = 256;
  const OwnedTensor weight(codec::Id::q5_k, outputs, columns,
                           random_values(draw, outputs * columns, 1.0f));
  const OwnedTensor bias(codec::Id::f32, 1, outputs, random_values(draw, outputs, 2.0f));
  const std::vector<float> in = random_values(draw, 3 * columns, 2.0f);
  const std::vector<int32_t> order = {17, 18, 3, 20, 39, 0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 30};
  on_every_machine([&](Machine& machine) {
    LinearSource source = source_of(weight.view(), &bias);
    const std::vector<float> whole = run_linear(machine, *machine.backend->pack(source), 3, in);
    source.row_order = order;
    const auto part = machine.backend->pack(source);
    ASSERT_EQ(part->out_size, static_cast<int64_t>(order.size()));
    const std::vector<float> out = run_linear(machine, *part, 3, in);
    for (size_t row = 0; row < 3; ++row) {
      for (size_t i = 0; i < order.size(); ++i)
        ASSERT_EQ(out[row * order.size() + i], whole[row * 40 + static_cast<size_t>(order[i])]);
    }
  });
}

TEST(BlockLinear, WritesOnlyItsColumns) {
  const int64_t outputs = 18, columns = 32, stride = 25;
  const OwnedTensor weight(codec::Id::q8_0, outputs, columns,
                           std::vector<float>(static_cast<size_t>(outputs * columns), 127.0f));
  on_every_machine([&](Machine& machine) {
    const auto linear = machine.backend->pack(source_of(weight.view()));
    OwnedActivations activations(3, columns, std::vector<float>(3 * columns, 127.0f));
    std::vector<float> out(3 * stride, -5.0f);
    machine.backend->linear(*linear, activations.in, out.data(), stride);
    for (int64_t i = 0; i < 3 * stride; ++i)
      ASSERT_EQ(out[static_cast<size_t>(i)], i % stride < outputs ? 32.0f * 127 * 127 : -5.0f) << i;
  });
}

// NAME.scale of an NVFP4 tensor: after the sum, before the bias.
TEST(BlockLinear, AScaleBesideTheCodecMultipliesTheSum) {
  random::Sequence draw(55);
  const OwnedTensor weight(codec::Id::nvfp4, 19, 128, random_values(draw, 19 * 128, 1.0f));
  const OwnedTensor bias(codec::Id::f32, 1, 19, random_values(draw, 19, 2.0f));
  const std::vector<float> in = random_values(draw, 3 * 128, 2.0f);
  TensorView scaled = weight.view();
  scaled.scale = 0.37f;
  on_every_machine([&](Machine& machine) {
    const auto plain = machine.backend->pack(source_of(weight.view()));
    const auto other = machine.backend->pack(source_of(scaled, &bias));
    const std::vector<float> sums = run_linear(machine, *plain, 3, in);
    const std::vector<float> out = run_linear(machine, *other, 3, in);
    for (size_t i = 0; i < sums.size(); ++i) {
      volatile float expected = sums[i] * 0.37f;
      expected = expected + bias.values()[i % 19];
      ASSERT_EQ(out[i], expected) << i;
    }
  });
}

// Layers of three kinds read the same rows: each finds the codes that it needs.
TEST(BlockLinear, SharesTheRowsWithOtherFamilies) {
  random::Sequence draw(56);
  const int64_t columns = 320, count = 3;
  const OwnedTensor q8(codec::Id::q8_0, 20, columns, random_values(draw, 20 * columns, 1.0f));
  const OwnedTensor q4(codec::Id::q4_1, 33, columns, random_values(draw, 33 * columns, 1.0f));
  // Their products do not start from the same numbers as those of Q8_0, nor as each other's.
  const OwnedTensor q4_0(codec::Id::q4_0, 40, columns, random_values(draw, 40 * columns, 1.0f));
  const OwnedTensor q5_0(codec::Id::q5_0, 20, columns, random_values(draw, 20 * columns, 1.0f));
  const OwnedTensor f16(codec::Id::f16, 9, columns, random_values(draw, 9 * columns, 1.0f));
  const OwnedTensor masters(codec::Id::f32, 16, columns, random_values(draw, 16 * columns, 1.0f));
  const std::vector<float> in = random_values(draw, count * columns, 2.0f);
  on_every_machine([&](Machine& machine) {
    std::vector<std::unique_ptr<Linear>> layers;
    for (const OwnedTensor* tensor : {&q4, &q8, &masters, &q4_0, &f16, &q5_0, &q8}) {
      LinearSource source = source_of(tensor->view());
      source.ternary = tensor == &masters;
      layers.push_back(machine.backend->pack(source));
    }
    OwnedActivations activations(count, columns, in);
    std::vector<std::vector<float>> outs;
    std::vector<backend::LinearCall> calls;
    for (const auto& layer : layers)
      outs.emplace_back(static_cast<size_t>(count * layer->out_size));
    for (size_t i = 0; i < layers.size(); ++i)
      calls.push_back({layers[i].get(), outs[i].data(), layers[i]->out_size});
    for (int twice = 0; twice < 2; ++twice) {
      machine.backend->linears(calls, activations.in);
      for (size_t i = 0; i < layers.size(); ++i)
        ASSERT_TRUE(same_bits(outs[i], run_linear(machine, *layers[i], count, in))) << i;
    }
  });
}

TEST(BlockLinear, QuantisesOnceForAllThatReadTheRows) {
  const OwnedTensor weight(codec::Id::q8_0, 16, 64, std::vector<float>(16 * 64, 127.0f));
  Machine machine(1, kernel::scalar_table);
  const auto linear = machine.backend->pack(source_of(weight.view()));
  OwnedActivations activations(1, 64, std::vector<float>(64, 1.0f));
  std::vector<float> out(16);
  machine.backend->linear(*linear, activations.in, out.data(), 16);
  EXPECT_TRUE(activations.in.block_quantised);
  EXPECT_FALSE(activations.in.quantised);
  std::fill_n(activations.in.block_scales, backend::kCodeBlockRuns,
              0.0f);  // the second linear must take what it finds
  machine.backend->linear(*linear, activations.in, out.data(), 16);
  EXPECT_EQ(out[0], 0.0f);
  activations.in.written();
  machine.backend->linear(*linear, activations.in, out.data(), 16);
  EXPECT_NEAR(out[0], 64.0f * 127.0f, 0.01f);
}

// The share of the result's size that eight bits for activations cost: normal values reach four
// times their size in a block of 256, so that a step is 4 / 127 of it and the error a step over
// the square root of 12.
TEST(BlockLinear, ErrorOfInt8Activations) {
  random::Sequence draw(57);
  const int64_t outputs = 64, columns = 2048, count = 4;
  const auto normal = [&](int64_t values) {
    std::vector<float> result;
    for (int64_t i = 0; i < values; ++i) {
      double sum = -6.0;
      for (int twelve = 0; twelve < 12; ++twelve) sum += draw.uniform();
      result.push_back(static_cast<float>(sum));
    }
    return result;
  };
  for (const codec::Id id : kBlockCodecs) {
    const OwnedTensor weight(id, outputs, columns, normal(outputs * columns));
    const std::vector<float> in = normal(count * columns);
    Machine exact(2, best_table(), true), machine(2, best_table());
    const auto reference = exact.backend->pack(source_of(weight.view()));
    const auto linear = machine.backend->pack(source_of(weight.view()));
    EXPECT_TRUE(reference->kernel.starts_with("float/")) << reference->kernel;
    const std::vector<float> truth = run_linear(exact, *reference, count, in);
    const std::vector<float> out = run_linear(machine, *linear, count, in);
    double squares = 0, errors = 0;
    for (size_t i = 0; i < truth.size(); ++i) {
      squares += double{truth[i]} * double{truth[i]};
      errors += (double{out[i]} - double{truth[i]}) * (double{out[i]} - double{truth[i]});
    }
    const double relative = std::sqrt(errors / squares);
    RecordProperty(std::string(codec::get(id).name), std::to_string(relative));
    EXPECT_GT(relative, 1e-4) << codec::get(id).name;  // it is the int8 path that ran
    EXPECT_LT(relative, 0.01) << codec::get(id).name;
  }
}

}  // namespace
}  // namespace bittern::test
