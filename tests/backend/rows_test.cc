// Row operations through the backend: the formulas of backend.h, and equal bits whatever the
// table, the thread count and the number of rows.
#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "backend/backend_support.h"

namespace bittern::test {
namespace {

TEST(Rows, EmbedDecodesTheRowsAsked) {
  random::Sequence draw(61);
  for (const codec::Id id : {codec::Id::f32, codec::Id::f16, codec::Id::bf16, codec::Id::q8_0,
                             codec::Id::q4_0, codec::Id::q4_1, codec::Id::tq2_0}) {
    const OwnedTensor table(id, 9, 256, random_values(draw, 9 * 256, 1.0f));
    const std::vector<float> values = table.values();
    const std::vector<int32_t> ids = {8, 0, 3, 3, 7};
    on_every_machine([&](Machine& machine) {
      std::vector<float> out(5 * 256);
      machine.backend->embed(table.view(), ids, out.data());
      for (size_t row = 0; row < ids.size(); ++row) {
        for (size_t i = 0; i < 256; ++i)
          ASSERT_EQ(out[row * 256 + i], values[static_cast<size_t>(ids[row]) * 256 + i]);
      }
    });
  }
}

TEST(Rows, NormOfManyRowsIsThatOfEach) {
  random::Sequence draw(62);
  const int64_t width = 100, count = 7;
  const std::vector<float> in = random_values(draw, count * width, 3.0f);
  const std::vector<float> weight = random_values(draw, width, 1.0f);
  std::vector<float> first;
  on_every_machine([&](Machine& machine) {
    std::vector<float> together(in.size()), single(in.size()), in_place = in;
    machine.backend->rms_norm(in.data(), weight.data(), 1e-5f, count, width, together.data());
    machine.backend->rms_norm(in_place.data(), weight.data(), 1e-5f, count, width, in_place.data());
    for (int64_t row = 0; row < count; ++row)
      machine.backend->rms_norm(in.data() + row * width, weight.data(), 1e-5f, 1, width,
                                single.data() + row * width);
    if (first.empty()) first = together;
    ASSERT_TRUE(same_bits(together, first));
    ASSERT_TRUE(same_bits(single, first));
    ASSERT_TRUE(same_bits(in_place, first));
  });
}

TEST(Rows, LayerNormOfManyRowsIsThatOfEach) {
  random::Sequence draw(65);
  const int64_t width = 100, count = 7;
  const std::vector<float> in = random_values(draw, count * width, 3.0f);
  const std::vector<float> weight = random_values(draw, width, 1.0f);
  const std::vector<float> bias = random_values(draw, width, 1.0f);
  std::vector<float> first;
  on_every_machine([&](Machine& machine) {
    backend::Backend& device = *machine.backend;
    std::vector<float> together(in.size()), single(in.size()), in_place = in;
    device.layer_norm(in.data(), weight.data(), bias.data(), 1e-5f, count, width, together.data());
    device.layer_norm(in_place.data(), weight.data(), bias.data(), 1e-5f, count, width,
                      in_place.data());
    for (int64_t row = 0; row < count; ++row)
      device.layer_norm(in.data() + row * width, weight.data(), bias.data(), 1e-5f, 1, width,
                        single.data() + row * width);
    if (first.empty()) first = together;
    ASSERT_TRUE(same_bits(together, first));
    ASSERT_TRUE(same_bits(single, first));
    ASSERT_TRUE(same_bits(in_place, first));
  });
  for (int64_t row = 0; row < count; ++row) {
    const float* x = in.data() + row * width;
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < width; ++i) mean += double{x[i]} / static_cast<double>(width);
    for (int64_t i = 0; i < width; ++i)
      variance += std::pow(double{x[i]} - mean, 2) / static_cast<double>(width);
    for (int64_t i = 0; i < width; ++i) {
      const auto at = static_cast<size_t>(i);
      const double truth = (double{x[i]} - mean) / std::sqrt(variance + 1e-5) * double{weight[at]} +
                           double{bias[at]};
      ASSERT_NEAR(first[static_cast<size_t>(row * width + i)], truth, 2e-6);
    }
  }
}

// Angles by position, whole and partial heads, both pairings, rows with a stride.
TEST(Rows, RopeFollowsTheTable) {
  random::Sequence draw(63);
  const int64_t heads = 3, head_dim = 20, stride = 70, positions = 12;
  for (const int64_t dim : {20, 12}) {
    for (const auto pairing : {backend::RopePairing::half, backend::RopePairing::interleaved}) {
      backend::RopeTable table{
          .pairing = pairing, .dim = dim, .positions = positions, .cosine = {}, .sine = {}};
      for (int64_t p = 0; p < positions; ++p) {
        for (int64_t i = 0; i < dim / 2; ++i) {
          const double angle =
              static_cast<double>(p) *
              std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(dim));
          table.cosine.push_back(static_cast<float>(std::cos(angle)));
          table.sine.push_back(static_cast<float>(std::sin(angle)));
        }
      }
      const std::vector<backend::RowPlace> rows = {{nullptr, 11}, {nullptr, 0}, {nullptr, 4}};
      const std::vector<float> in = random_values(draw, 3 * stride, 2.0f);
      on_every_machine([&](Machine& machine) {
        std::vector<float> x = in;
        machine.backend->rope(table, rows, heads, head_dim, x.data(), stride);
        for (size_t i = 0; i < x.size(); ++i) {
          const auto row = static_cast<int64_t>(i) / stride, at = static_cast<int64_t>(i) % stride;
          const int64_t head = at / head_dim, within = at % head_dim;
          if (head >= heads || within >= dim) {
            ASSERT_EQ(x[i], in[i]) << "outside the rotated part";
            continue;
          }
          const bool halves = pairing == backend::RopePairing::half;
          const int64_t pair = halves ? within % (dim / 2) : within / 2;
          const bool second = halves ? within >= dim / 2 : within % 2 == 1;
          const int64_t mate = halves ? (second ? -dim / 2 : dim / 2) : (second ? -1 : 1);
          const double angle =
              static_cast<double>(rows[static_cast<size_t>(row)].position) *
              std::pow(10000.0, -2.0 * static_cast<double>(pair) / static_cast<double>(dim));
          const double own = in[i], other = in[static_cast<size_t>(static_cast<int64_t>(i) + mate)];
          const double sign = second ? 1 : -1;
          ASSERT_NEAR(x[i], own * std::cos(angle) + sign * other * std::sin(angle), 2e-6) << i;
        }
      });
    }
  }
}

TEST(Rows, GateAndAddOverSeveralBlocks) {
  random::Sequence draw(64);
  const int64_t count = 3 * 4096 + 5;
  const std::vector<float> x = random_values(draw, count, 4.0f);
  const std::vector<float> y = random_values(draw, count, 4.0f);
  std::vector<float> first;
  on_every_machine([&](Machine& machine) {
    std::vector<float> sum = x, silu(x.size()), relu2(x.size()), relu(x.size());
    machine.backend->add(sum.data(), y.data(), count);
    machine.backend->gate(backend::Activation::silu, x.data(), y.data(), count, silu.data());
    machine.backend->gate(backend::Activation::relu2, x.data(), y.data(), count, relu2.data());
    machine.backend->gate(backend::Activation::relu, x.data(), nullptr, count, relu.data());
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(sum[i], x[i] + y[i]);
      ASSERT_EQ(relu2[i], x[i] > 0 ? x[i] * x[i] * y[i] : 0.0f * y[i]);
      ASSERT_EQ(relu[i], x[i] > 0 ? x[i] : 0.0f);
      const double truth = double{x[i]} / (1 + std::exp(-double{x[i]})) * double{y[i]};
      ASSERT_NEAR(silu[i], truth, 1e-5);
    }
    if (first.empty()) first = silu;
    ASSERT_TRUE(same_bits(silu, first));
  });
}

TEST(Rows, ScaledAddScaleAndSoftcapOverSeveralBlocks) {
  random::Sequence draw(66);
  const int64_t count = 3 * 4096 + 5;
  const std::vector<float> x = random_values(draw, count, 40.0f);
  const std::vector<float> y = random_values(draw, count, 4.0f);
  std::vector<float> first;
  on_every_machine([&](Machine& machine) {
    std::vector<float> sum = x, scaled = x, capped = x;
    machine.backend->add_scaled(sum.data(), y.data(), 0.22f, count);
    machine.backend->scale(scaled.data(), 1.7f, count);
    machine.backend->softcap(capped.data(), 30.0f, count);
    for (size_t i = 0; i < x.size(); ++i) {
      const float product = y[i] * 0.22f;
      ASSERT_EQ(sum[i], x[i] + product);
      ASSERT_EQ(scaled[i], x[i] * 1.7f);
      ASSERT_NEAR(capped[i], 30 * std::tanh(double{x[i]} / 30), 8e-6);
    }
    if (first.empty()) first = capped;
    ASSERT_TRUE(same_bits(capped, first));
  });
}

TEST(Rows, HadamardOfSignedRowsAndItsInverse) {
  random::Sequence draw(67);
  const int64_t width = 96, block = 32, count = 3;
  const std::vector<float> in = random_values(draw, count * width, 2.0f);
  std::vector<float> signs(static_cast<size_t>(width));
  for (float& sign : signs) sign = draw.below(2) == 0 ? -1.0f : 1.0f;
  std::vector<float> first;
  on_every_machine([&](Machine& machine) {
    backend::Backend& device = *machine.backend;
    std::vector<float> out(in.size()), in_place = in, back(in.size());
    device.hadamard(in.data(), signs.data(), block, false, count, width, out.data());
    device.hadamard(in_place.data(), signs.data(), block, false, count, width, in_place.data());
    device.hadamard(out.data(), signs.data(), block, true, count, width, back.data());
    if (first.empty()) first = out;
    ASSERT_TRUE(same_bits(out, first));
    ASSERT_TRUE(same_bits(in_place, first));
    for (size_t i = 0; i < in.size(); ++i) {
      ASSERT_NEAR(back[i], in[i], 2e-6) << i;
      const auto at = static_cast<int64_t>(i) % width, from = at / block * block;
      double truth = 0;
      for (int64_t j = 0; j < block; ++j) {
        const auto element = static_cast<size_t>(static_cast<int64_t>(i) - at + from + j);
        const bool odd = std::popcount(static_cast<uint64_t>((at - from) & j)) % 2 == 1;
        truth += (odd ? -1 : 1) * double{in[element]} * double{signs[element % width]};
      }
      ASSERT_NEAR(out[i], truth / std::sqrt(static_cast<double>(block)), 2e-6) << i;
    }
  });
  // Without signs the transform is its own inverse in either direction.
  Machine machine(1, kernel::scalar_table);
  std::vector<float> forward(in.size()), inverse(in.size());
  machine.backend->hadamard(in.data(), nullptr, block, false, count, width, forward.data());
  machine.backend->hadamard(in.data(), nullptr, block, true, count, width, inverse.data());
  EXPECT_TRUE(same_bits(forward, inverse));
}

// Softmax over all experts in double, the largest by a stable sort.
void expect_route(Machine& machine, const backend::RouteShape& shape,
                  const std::vector<float>& logits) {
  const auto size = static_cast<size_t>(shape.expert_count);
  const auto kept = static_cast<size_t>(shape.chosen);
  const size_t count = logits.size() / size;
  std::vector<int32_t> experts(count * kept, -1);
  std::vector<float> shares(count * kept);
  machine.backend->route(shape, logits.data(), static_cast<int64_t>(count), experts.data(),
                         shares.data());
  for (size_t row = 0; row < count; ++row) {
    const float* in = logits.data() + row * size;
    std::vector<size_t> order(size);
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return in[a] > in[b]; });
    double total = 0, chosen_total = 0;
    for (size_t i = 0; i < size; ++i) {
      const double weight = std::exp(double{in[order[i]]} - double{in[order[0]]});
      total += weight;
      if (i < kept) chosen_total += weight;
    }
    for (size_t i = 0; i < kept; ++i) {
      ASSERT_EQ(experts[row * kept + i], static_cast<int32_t>(order[i])) << row << ", " << i;
      const double weight = std::exp(double{in[order[i]]} - double{in[order[0]]});
      const double truth = weight / (shape.renormalise ? chosen_total : total);
      ASSERT_NEAR(shares[row * kept + i], truth, truth * 2e-6) << row << ", " << i;
    }
  }
}

TEST(Rows, RoutesToTheLargestSharesWithTiesToTheLower) {
  random::Sequence draw(68);
  for (const auto& [experts, chosen] : std::vector<std::pair<int64_t, int64_t>>{
           {8, 2}, {8, 8}, {1, 1}, {17, 5}, {128, 8}, {300, 32}, {512, 10}}) {
    for (const bool renormalise : {false, true}) {
      SCOPED_TRACE(testing::Message() << "seed 68, " << chosen << " of " << experts);
      const backend::RouteShape shape{experts, chosen, renormalise};
      std::vector<float> logits = random_values(draw, 5 * experts, 6.0f);
      // Rows 1 and 2 have ties: everywhere, and in pairs.
      for (int64_t i = 0; i < experts; ++i) {
        logits[static_cast<size_t>(experts + i)] = 0.5f;
        logits[static_cast<size_t>(2 * experts + i)] = static_cast<float>(i / 2 % 7);
      }
      on_every_machine([&](Machine& machine) { expect_route(machine, shape, logits); });
    }
  }
}

TEST(Rows, RoutingNeverNamesAnExpertThatIsNotThere) {
  Machine machine(1, kernel::scalar_table);
  const std::vector<float> logits = {NAN, 1.0f, NAN, INFINITY, -INFINITY, NAN};
  std::vector<int32_t> experts(4, -1);
  std::vector<float> shares(4);
  machine.backend->route({6, 4, true}, logits.data(), 1, experts.data(), shares.data());
  std::sort(experts.begin(), experts.end());
  EXPECT_EQ(std::unique(experts.begin(), experts.end()), experts.end());
  EXPECT_GE(experts.front(), 0);
  EXPECT_LT(experts.back(), 6);
}

TEST(Rows, EveryActivationIsMappedToItsOwnKernel) {
  const float x[] = {-1.5f, 0.5f, 2.0f};
  Machine machine(1, kernel::scalar_table);
  const auto run = [&](backend::Activation activation) {
    std::vector<float> out(3);
    machine.backend->gate(activation, x, nullptr, 3, out.data());
    return out;
  };
  const double root = std::sqrt(2 / M_PI);
  const auto gelu = run(backend::Activation::gelu), tanh = run(backend::Activation::gelu_tanh);
  for (size_t i = 0; i < 3; ++i) {
    const double v = x[i];
    EXPECT_NEAR(gelu[i], v * 0.5 * (1 + std::erf(v / std::sqrt(2.0))), 1e-6);
    EXPECT_NEAR(tanh[i], v * 0.5 * (1 + std::tanh(root * (v + 0.044715 * v * v * v))), 1e-6);
  }
  EXPECT_NE(gelu, tanh);
}

}  // namespace
}  // namespace bittern::test
