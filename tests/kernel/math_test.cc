// exp and the activations against double: the bounds that isa/math.inl states.
#include <bit>
#include <cmath>
#include <functional>

#include "kernel/kernel_support.h"

namespace bittern::kernel {
namespace {

class MathKernel : public EachTable {};

// Floats of both signs up to `limit`, every `step`-th bit pattern.
std::vector<float> swept(float limit, uint32_t step) {
  std::vector<float> values;
  for (uint64_t bits = 0; bits <= std::bit_cast<uint32_t>(limit); bits += step) {
    values.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    values.push_back(-values.back());
  }
  return values;
}

TEST_P(MathKernel, Exponential) {
  const std::vector<float> in = swept(104.5f, 2003);
  std::vector<float> out(in.size());
  table().exponential(in.data(), static_cast<int64_t>(in.size()), out.data());
  double worst = 0;
  for (size_t i = 0; i < in.size(); ++i) {
    const double error = ulps(out[i], std::exp(double{in[i]}));
    worst = std::max(worst, error);
    ASSERT_LT(error, 1.0) << std::hexfloat << in[i];
  }
  RecordProperty("worst_ulp_x1000", static_cast<int>(worst * 1000));
  const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, 88.73f, -104.0f, -200.0f, 300.0f};
  float results[8];
  table().exponential(special, 8, results);
  EXPECT_EQ(results[0], 1.0f);
  EXPECT_EQ(results[1], 1.0f);
  EXPECT_EQ(results[2], INFINITY);
  EXPECT_EQ(results[3], 0.0f);
  EXPECT_EQ(results[4], INFINITY);
  EXPECT_EQ(results[5], 0.0f);
  EXPECT_EQ(results[6], 0.0f);
  EXPECT_EQ(results[7], INFINITY);
}

struct Truth {
  Gate kind;
  std::function<double(double)> formula;
  double absolute;  // bound relative to max(|x|, ...)
};

// Error relative to |x|, since every activation is x times something in [0, 1].
TEST_P(MathKernel, Activations) {
  const Truth truths[] = {
      {Gate::silu, [](double x) { return x / (1 + std::exp(-x)); }, 2e-7},
      {Gate::relu, [](double x) { return std::max(x, 0.0); }, 0},
      {Gate::gelu, [](double x) { return x * 0.5 * std::erfc(-x / std::sqrt(2.0)); }, 3e-7},
      {Gate::gelu_tanh,
       [](double x) {
         const double u = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
         return 0.5 * x * (1 + std::tanh(u));
       },
       3e-7},
  };
  const std::vector<float> in = swept(60.0f, 20011);
  std::vector<float> out(in.size());
  for (const Truth& truth : truths) {
    table().gate(truth.kind, in.data(), nullptr, static_cast<int64_t>(in.size()), out.data());
    for (size_t i = 0; i < in.size(); ++i) {
      const double expected = truth.formula(in[i]);
      ASSERT_NEAR(out[i], expected, std::fabs(double{in[i]}) * truth.absolute + 1e-44)
          << static_cast<int>(truth.kind) << " of " << in[i];
    }
  }
  table().gate(Gate::relu2, in.data(), nullptr, static_cast<int64_t>(in.size()), out.data());
  for (size_t i = 0; i < in.size(); ++i)
    ASSERT_EQ(out[i], in[i] > 0 ? in[i] * in[i] : 0.0f) << in[i];
}

// Far below zero what remains of x is Phi(x) alone: close to that, not only to x. exp(-x^2 / 2)
// carries x^2 / 2 times the relative error of its argument; the last term is that of denormals.
TEST_P(MathKernel, ActivationsFarBelowZero) {
  std::vector<float> in;
  for (float x = -4.0f; x > -40.0f; x -= 0.0117f) in.push_back(x);
  std::vector<float> out(in.size());
  table().gate(Gate::gelu, in.data(), nullptr, static_cast<int64_t>(in.size()), out.data());
  for (size_t i = 0; i < in.size(); ++i) {
    const double x = in[i], expected = x * 0.5 * std::erfc(-x / std::sqrt(2.0));
    ASSERT_NEAR(out[i], expected, std::fabs(expected) * 4e-5 + std::fabs(x) * 3e-45) << x;
  }
}

// cap * tanh(x / cap) over whole lanes and every tail; the quotient and the product round too.
TEST_P(MathKernel, Softcap) {
  const std::vector<float> in = swept(400.0f, 20011);
  for (const float cap : {1.0f, 30.0f, 50.0f}) {
    std::vector<float> out = in, expected = in;
    table().softcap(out.data(), cap, static_cast<int64_t>(out.size()));
    scalar_table.softcap(expected.data(), cap, static_cast<int64_t>(out.size()));
    ASSERT_TRUE(same_bits(out, expected));
    double worst = 0;
    for (size_t i = 0; i < in.size(); ++i) {
      const double truth = double{cap} * std::tanh(double{in[i]} / double{cap});
      if (std::fabs(truth) < 1e-30) {  // the quotient may be denormal: half of 2^-149, times cap
        ASSERT_NEAR(out[i], truth, double{cap} * 0x1p-149 + std::fabs(truth) * 3e-7);
        continue;
      }
      worst = std::max(worst, ulps(out[i], truth));
      ASSERT_LT(ulps(out[i], truth), 3.0) << std::hexfloat << in[i] << " cap " << cap;
    }
    RecordProperty("worst_ulp_x1000", static_cast<int>(worst * 1000));
    for (int64_t count = 1; count <= 33; ++count) {
      const Guarded<float> few(std::vector<float>(in.end() - count, in.end()));
      table().softcap(few.data(), cap, count);
      ASSERT_TRUE(same_bits(few.values(), std::vector<float>(out.end() - count, out.end())));
    }
  }
  std::vector<float> edges = {INFINITY, -INFINITY, 0.0f, -0.0f};
  table().softcap(edges.data(), 30.0f, 4);
  EXPECT_EQ(edges, (std::vector<float>{30.0f, -30.0f, 0.0f, 0.0f}));
}

BITTERN_EACH_TABLE(MathKernel);

}  // namespace
}  // namespace bittern::kernel
