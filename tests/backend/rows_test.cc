// Row operations through the backend: the formulas of backend.h, and equal bits whatever the
// table, the thread count and the number of rows.
#include <cmath>

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
