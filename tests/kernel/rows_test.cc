// Row operations: every ISA has the scalar table's bits on odd widths with guard pages; the
// scalar table is close to plain double code.
#include <bit>
#include <cfenv>
#include <cmath>
#include <numeric>

#include "kernel/kernel_support.h"

namespace bittern::kernel {
namespace {

constexpr int64_t kWidths[] = {1, 15, 16, 17, 31, 63, 64, 65, 256, 4097};
constexpr Gate kGates[] = {Gate::silu, Gate::relu, Gate::relu2, Gate::gelu, Gate::gelu_tanh};

class RowKernel : public EachTable {};

template <typename Run>
void expect_scalar_bits(const Table& table, int64_t out_count, const Run& run) {
  Guarded<float> got(out_count), expected(out_count);
  run(table, got.data());
  run(scalar_table, expected.data());
  EXPECT_TRUE(same_bits(got.values(), expected.values()));
}

TEST_P(RowKernel, RmsNorm) {
  random::Sequence draw(31);
  for (const int64_t width : kWidths) {
    SCOPED_TRACE(testing::Message() << "seed 31, width " << width);
    const Guarded<float> in(random_floats(draw, width, 5.0f));
    const Guarded<float> weight(random_floats(draw, width, 2.0f));
    expect_scalar_bits(table(), width, [&](const Table& t, float* out) {
      t.rms_norm(in.data(), weight.data(), 1e-5f, width, out);
    });
    double squares = 0;
    for (int64_t i = 0; i < width; ++i) squares += double{in[i]} * double{in[i]};
    const double factor = 1 / std::sqrt(squares / static_cast<double>(width) + 1e-5);
    Guarded<float> out(width);
    table().rms_norm(in.data(), weight.data(), 1e-5f, width, out.data());
    for (int64_t i = 0; i < width; ++i) {
      const double truth = double{in[i]} * factor * double{weight[i]};
      // width / 16 additions of positive terms, halved by the root, and five roundings more.
      const double bound = (static_cast<double>(width) / 32 + 6) * 0x1p-24;
      ASSERT_NEAR(out[i], truth, std::fabs(truth) * bound) << i;
    }
    Guarded<float> in_place(in.values());
    table().rms_norm(in_place.data(), weight.data(), 1e-5f, width, in_place.data());
    ASSERT_TRUE(same_bits(in_place.values(), out.values())) << "in place";
  }
}

// |out - truth| for LayerNorm: an error of the mean moves every element alike, so the bound has a
// part that is absolute (of the largest element over the deviation) beside the relative one.
TEST_P(RowKernel, LayerNorm) {
  random::Sequence draw(39);
  for (const int64_t width : kWidths) {
    for (const float offset : {0.0f, 30.0f}) {
      SCOPED_TRACE(testing::Message() << "seed 39, width " << width << ", offset " << offset);
      const Guarded<float> in(random_floats(draw, width, 5.0f));
      for (int64_t i = 0; i < width; ++i) in[i] += offset;
      const Guarded<float> weight(random_floats(draw, width, 2.0f));
      const Guarded<float> bias(random_floats(draw, width, 2.0f));
      double mean = 0, variance = 0, largest = 0;
      for (int64_t i = 0; i < width; ++i) mean += double{in[i]} / static_cast<double>(width);
      for (int64_t i = 0; i < width; ++i) {
        variance += std::pow(double{in[i]} - mean, 2) / static_cast<double>(width);
        largest = std::max(largest, std::fabs(double{in[i]}));
      }
      const double factor = 1 / std::sqrt(variance + 1e-3);
      const double terms = static_cast<double>(width) / 16 + 12;
      const double bound = terms * 0x1p-24 * (largest * factor + 2) * 2;
      for (const float* w : std::vector<const float*>{weight.data(), nullptr}) {
        for (const float* b : std::vector<const float*>{bias.data(), nullptr}) {
          Guarded<float> out(width), in_place(in.values());
          table().layer_norm(in.data(), w, b, 1e-3f, width, out.data());
          expect_scalar_bits(table(), width, [&](const Table& t, float* to) {
            t.layer_norm(in.data(), w, b, 1e-3f, width, to);
          });
          table().layer_norm(in_place.data(), w, b, 1e-3f, width, in_place.data());
          ASSERT_TRUE(same_bits(in_place.values(), out.values())) << "in place";
          for (int64_t i = 0; i < width; ++i) {
            const double normal = (double{in[i]} - mean) * factor * (w ? double{w[i]} : 1.0);
            ASSERT_NEAR(out[i], normal + (b ? double{b[i]} : 0.0), bound) << i;
          }
        }
      }
    }
  }
}

// A sum as every reduction takes it: element k to lane k % 16, then the one tree.
template <typename Term>
float lane_sum(int64_t count, const Term& term) {
  float lanes[16] = {};
  for (int64_t k = 0; k < count; ++k) lanes[k % 16] = lanes[k % 16] + term(k);
  for (int width = 8; width > 0; width /= 2) {
    for (int l = 0; l < width; ++l) lanes[l] = lanes[l] + lanes[l + width];
  }
  return lanes[0];
}

// The formulas of kernel.h, each operation rounded by itself.
TEST_P(RowKernel, NormsInTheDocumentedOrder) {
  random::Sequence draw(41);
  for (const int64_t width : {1, 7, 16, 31, 100, 257, 1000}) {
    SCOPED_TRACE(testing::Message() << "seed 41, width " << width);
    const std::vector<float> x = random_floats(draw, width, 3.0f);
    const std::vector<float> weight = random_floats(draw, width, 2.0f);
    const std::vector<float> bias = random_floats(draw, width, 2.0f);
    const auto at = [&](int64_t k) { return x[static_cast<size_t>(k)]; };
    const auto count = static_cast<float>(width);
    const float mean_square = lane_sum(width, [&](int64_t k) { return at(k) * at(k); }) / count;
    const float rms = 1.0f / std::sqrt(mean_square + 1e-2f);
    const float mean = lane_sum(width, at) / count;
    const float variance =
        lane_sum(width, [&](int64_t k) { return (at(k) - mean) * (at(k) - mean); }) / count;
    const float deviation = 1.0f / std::sqrt(variance + 1e-2f);
    std::vector<float> normed(x.size()), centred(x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      const float scaled = x[i] * rms, moved = (x[i] - mean) * deviation;
      const float weighted = moved * weight[i];
      normed[i] = scaled * weight[i];
      centred[i] = weighted + bias[i];
    }
    Guarded<float> out(width);
    table().rms_norm(x.data(), weight.data(), 1e-2f, width, out.data());
    ASSERT_TRUE(same_bits(out.values(), normed));
    table().layer_norm(x.data(), weight.data(), bias.data(), 1e-2f, width, out.data());
    ASSERT_TRUE(same_bits(out.values(), centred));
  }
}

// Butterflies of ascending span, one by one: the order that fixes the bits.
std::vector<float> plain_hadamard(std::vector<float> x) {
  for (size_t span = 1; span < x.size(); span *= 2) {
    for (size_t i = 0; i < x.size(); ++i) {
      if ((i & span) != 0) continue;
      const float a = x[i], b = x[i + span];
      x[i] = a + b;
      x[i + span] = a - b;
    }
  }
  const float factor = 1.0f / std::sqrt(static_cast<float>(x.size()));
  for (float& value : x) value *= factor;
  return x;
}

// H[i][j] = (-1)^popcount(i & j) / sqrt(n), and the transform is its own inverse.
TEST_P(RowKernel, Hadamard) {
  random::Sequence draw(40);
  for (const int64_t count : {1, 2, 4, 8, 16, 32, 64, 128, 256, 1024}) {
    SCOPED_TRACE(testing::Message() << "seed 40, " << count);
    const Guarded<float> in(random_floats(draw, count, 4.0f));
    Guarded<float> out(in.values()), expected(in.values());
    table().hadamard(out.data(), count);
    scalar_table.hadamard(expected.data(), count);
    ASSERT_TRUE(same_bits(out.values(), expected.values()));
    ASSERT_TRUE(same_bits(out.values(), plain_hadamard(in.values())));
    for (int64_t i = 0; i < count; ++i) {
      double truth = 0;
      for (int64_t j = 0; j < count; ++j) {
        const bool odd = std::popcount(static_cast<uint64_t>(i & j)) % 2 == 1;
        truth += odd ? -double{in[j]} : double{in[j]};
      }
      ASSERT_NEAR(out[i], truth / std::sqrt(static_cast<double>(count)), 4e-6) << i;
    }
    table().hadamard(out.data(), count);
    for (int64_t i = 0; i < count; ++i) ASSERT_NEAR(out[i], in[i], 4e-6) << i;
  }
}

TEST_P(RowKernel, GatesEqualScalar) {
  random::Sequence draw(32);
  for (const int64_t count : kWidths) {
    for (const Gate kind : kGates) {
      SCOPED_TRACE(testing::Message()
                   << "seed 32, gate " << static_cast<int>(kind) << " x " << count);
      const Guarded<float> in(random_floats(draw, count, 12.0f));
      const Guarded<float> up(random_floats(draw, count, 2.0f));
      expect_scalar_bits(table(), count, [&](const Table& t, float* out) {
        t.gate(kind, in.data(), up.data(), count, out);
      });
      expect_scalar_bits(table(), count, [&](const Table& t, float* out) {
        t.gate(kind, in.data(), nullptr, count, out);
      });
      Guarded<float> product(count), alone(count);
      table().gate(kind, in.data(), up.data(), count, product.data());
      table().gate(kind, in.data(), nullptr, count, alone.data());
      for (int64_t i = 0; i < count; ++i) ASSERT_EQ(product[i], alone[i] * up[i]) << i;
    }
  }
}

TEST_P(RowKernel, SpecialValuesEqualScalar) {
  const std::vector<float> values = {0.0f,      -0.0f, 1e-40f, -1e-40f, 1e30f,   -1e30f, INFINITY,
                                     -INFINITY, NAN,   88.7f,  -87.4f,  -103.9f, 104.0f, 0x1p-126f};
  const auto count = static_cast<int64_t>(values.size());
  for (const Gate kind : kGates) {
    expect_scalar_bits(table(), count, [&](const Table& t, float* out) {
      t.gate(kind, values.data(), nullptr, count, out);
    });
  }
  expect_scalar_bits(table(), count,
                     [&](const Table& t, float* out) { t.exponential(values.data(), count, out); });
  expect_scalar_bits(table(), count, [&](const Table& t, float* out) {
    std::copy(values.begin(), values.end(), out);
    t.softcap(out, 30.0f, count);
  });
}

TEST_P(RowKernel, AddAndScale) {
  random::Sequence draw(33);
  for (const int64_t count : kWidths) {
    const Guarded<float> x(random_floats(draw, count, 5.0f));
    const Guarded<float> y(random_floats(draw, count, 5.0f));
    Guarded<float> sum(x.values());
    table().add(sum.data(), y.data(), count);
    Guarded<float> scaled(x.values());
    table().scale(scaled.data(), count, 0.3f);
    Guarded<float> both(x.values());
    table().add_scaled(both.data(), y.data(), 0.7f, count);
    for (int64_t i = 0; i < count; ++i) {
      ASSERT_EQ(sum[i], x[i] + y[i]);
      ASSERT_EQ(scaled[i], x[i] * 0.3f);
      const float product = y[i] * 0.7f;  // rounded before it is added
      ASSERT_EQ(both[i], x[i] + product);
    }
  }
}

TEST_P(RowKernel, AddRows) {
  random::Sequence draw(35);
  for (const int64_t count : kWidths) {
    for (const int64_t rows : {0, 1, 2, 17}) {
      const int64_t stride = count + 3;
      const Guarded<float> x(random_floats(draw, count, 5.0f));
      const Guarded<float> y(random_floats(draw, std::max<int64_t>(0, rows * stride - 3), 5.0f));
      const Guarded<float> factors(random_floats(draw, rows, 2.0f));
      Guarded<float> sum(x.values());
      table().add_rows(sum.data(), y.data(), stride, factors.data(), rows, count);
      for (int64_t i = 0; i < count; ++i) {
        float expected = x[i];
        for (int64_t row = 0; row < rows; ++row)
          expected = std::fma(factors[row], y[row * stride + i], expected);
        ASSERT_EQ(sum[i], expected) << count << " " << rows << " " << i;
      }
    }
  }
}

// Both pairings against the rotation of complex numbers.
TEST_P(RowKernel, Rotation) {
  random::Sequence draw(34);
  for (const int64_t half : {1, 2, 7, 8, 16, 32, 33, 64}) {
    for (const bool interleaved : {false, true}) {
      SCOPED_TRACE(testing::Message() << "seed 34, half " << half << ", " << interleaved);
      const Guarded<float> in(random_floats(draw, 2 * half, 4.0f));
      Guarded<float> cosine(half), sine(half);
      for (int64_t i = 0; i < half; ++i) {
        const double angle = draw.uniform() * 6;
        cosine[i] = static_cast<float>(std::cos(angle));
        sine[i] = static_cast<float>(std::sin(angle));
      }
      Guarded<float> out(in.values());
      table().rotate(interleaved, cosine.data(), sine.data(), half, out.data());
      Guarded<float> expected(in.values());
      scalar_table.rotate(interleaved, cosine.data(), sine.data(), half, expected.data());
      ASSERT_TRUE(same_bits(out.values(), expected.values()));
      for (int64_t i = 0; i < half; ++i) {
        const int64_t real = interleaved ? 2 * i : i;
        const int64_t imaginary = interleaved ? 2 * i + 1 : i + half;
        // Rounded products, then a rounded sum: no fusing.
        const float first = in[real] * cosine[i], second = in[imaginary] * sine[i];
        ASSERT_EQ(out[real], first - second) << i;
        const double a = in[real], b = in[imaginary], c = cosine[i], s = sine[i];
        ASSERT_NEAR(out[real], a * c - b * s, 2e-6) << i;
        ASSERT_NEAR(out[imaginary], a * s + b * c, 2e-6) << i;
      }
    }
  }
}

// The rule of the reference (transformers, ActQuant): scale = 127 / max(absmax, 1e-5),
// round(x * scale) half to even, in float32.
void expect_quantised(const Table& table, const std::vector<float>& values) {
  const auto width = static_cast<int64_t>(values.size());
  const int64_t padded = (width + 63) / 64 * 64;
  const Guarded<float> in(values);
  Guarded<int8_t> codes(padded);
  float inverse = 0;
  int32_t sum = 0;
  std::fill_n(codes.data(), padded, int8_t{99});
  table.quantise(in.data(), width, padded, codes.data(), &inverse, &sum);
  float maximum = 1e-5f;
  for (const float value : values) maximum = std::max(maximum, std::fabs(value));
  const float scale = 127.0f / maximum;
  EXPECT_EQ(inverse, 1.0f / scale);
  int32_t expected_sum = 0;
  for (int64_t i = 0; i < width; ++i) {
    const auto expected = static_cast<int>(std::nearbyint(in[i] * scale));
    ASSERT_EQ(codes[i], expected) << i << ": " << in[i] << " * " << scale;
    expected_sum += expected;
  }
  EXPECT_EQ(sum, expected_sum);
  for (int64_t i = width; i < padded; ++i) ASSERT_EQ(codes[i], 0) << "padding " << i;
}

TEST_P(RowKernel, Quantise) {
  random::Sequence draw(35);
  for (const int64_t width : kWidths) {
    SCOPED_TRACE(testing::Message() << "seed 35, width " << width);
    expect_quantised(table(), random_floats(draw, width, 3.0f));
  }
  // Ties: with absmax 127 the scale is 1, so halves stay halves.
  std::vector<float> ties;
  for (int i = -253; i <= 253; ++i) ties.push_back(static_cast<float>(i) / 2);
  ties.push_back(127.0f);
  expect_quantised(table(), ties);
  expect_quantised(table(), std::vector<float>(65, 0.0f));
  expect_quantised(table(), std::vector<float>(65, 1e-7f));  // below the floor
  // One huge activation, in every place: each lane, and the tail, can hold the maximum.
  for (size_t place = 0; place < 65; ++place) {
    std::vector<float> huge(65, 1.0f);
    huge[place] = -1e30f;
    expect_quantised(table(), huge);
  }
}

TEST_P(RowKernel, KeyValueInt8) {
  random::Sequence draw(36);
  for (const int64_t count : {1, 15, 16, 17, 64, 80, 128}) {
    SCOPED_TRACE(testing::Message() << "seed 36, " << count);
    const Guarded<float> in(random_floats(draw, count, 7.0f));
    Guarded<int8_t> codes(count), expected_codes(count);
    float step = 0, expected_step = 0;
    table().encode_i8(in.data(), count, codes.data(), &step);
    scalar_table.encode_i8(in.data(), count, expected_codes.data(), &expected_step);
    ASSERT_EQ(codes.values(), expected_codes.values());
    ASSERT_EQ(step, expected_step);
    float maximum = 0;
    for (int64_t i = 0; i < count; ++i) maximum = std::max(maximum, std::fabs(in[i]));
    // kv.cc states this error.
    for (int64_t i = 0; i < count; ++i)
      ASSERT_NEAR(static_cast<float>(codes[i]) * step, in[i], maximum * (1.0 / 254 + 0x1p-22)) << i;
  }
  std::vector<int8_t> codes(3, 5);
  float step = 1;
  const float tiny[] = {1e-38f, 0.0f, -1e-40f};
  table().encode_i8(tiny, 3, codes.data(), &step);
  EXPECT_EQ(codes, std::vector<int8_t>(3, 0));
  EXPECT_EQ(step, 0.0f);
}

// scale = absmax / 127, code = round half even(x * (127 / absmax)), zeros below 1e-30.
TEST_P(RowKernel, KeyValueInt8InTheDocumentedOrder) {
  random::Sequence draw(42);
  std::vector<float> largest = {1e-30f, std::nextafter(1e-30f, 0.0f), 3e38f, 127.0f};
  for (int i = 0; i < 60; ++i) largest.push_back(static_cast<float>(draw.uniform()) * 9 + 0.1f);
  for (const float top : largest) {
    SCOPED_TRACE(testing::Message() << "seed 42, absmax " << top);
    std::vector<float> values;
    for (int i = 0; i < 80; ++i) values.push_back(static_cast<float>(draw.uniform() * 2 - 1) * top);
    values[33] = -top;
    Guarded<int8_t> codes(80);
    float step = -1.0f;
    table().encode_i8(values.data(), 80, codes.data(), &step);
    const bool zero = top < 1e-30f;
    ASSERT_EQ(step, zero ? 0.0f : top / 127.0f);
    for (int i = 0; i < 80; ++i) {
      const float code = std::nearbyint(values[static_cast<size_t>(i)] * (127.0f / top));
      ASSERT_EQ(codes[i], zero ? 0 : static_cast<int>(code)) << i;
    }
  }
}

TEST_P(RowKernel, Softmax) {
  random::Sequence draw(37);
  for (const int64_t count : {16, 32, 64, 256}) {
    SCOPED_TRACE(testing::Message() << "seed 37, " << count);
    std::vector<float> scores = random_floats(draw, count, 9.0f);
    scores[3] = -INFINITY;
    const auto run = [&](const Table& t, float earlier) {
      std::vector<float> out = scores;
      SoftmaxChunk chunk{out.data(), count, earlier, earlier > -1e30f ? 2.5f : 0.0f, 0.0f};
      t.softmax_chunk(chunk);
      out.insert(out.end(), {chunk.maximum, chunk.sum, chunk.correction});
      return out;
    };
    for (const float earlier : {-INFINITY, -3.0f, 20.0f}) {
      const std::vector<float> got = run(table(), earlier);
      ASSERT_TRUE(same_bits(got, run(scalar_table, earlier)));
      double maximum = earlier, sum = 0;
      for (const float score : scores) maximum = std::max(maximum, double{score});
      for (size_t i = 0; i < scores.size(); ++i) {
        const double weight = std::exp(double{scores[i]} - maximum);
        sum += weight;
        ASSERT_NEAR(got[i], weight, weight * 2e-6) << i;
      }
      const double correction = std::exp(double{earlier} - maximum);
      if (earlier > -1e30f) sum += 2.5 * correction;
      ASSERT_EQ(got[static_cast<size_t>(count)], static_cast<float>(maximum));
      ASSERT_NEAR(got[static_cast<size_t>(count) + 1], sum, sum * 4e-6);
      ASSERT_NEAR(got[static_cast<size_t>(count) + 2], correction, correction * 2e-6);
    }
  }
}

BITTERN_EACH_TABLE(RowKernel);

}  // namespace
}  // namespace bittern::kernel
