// Float products and decoders. The order of a product is written out a second time here, with
// libm's fmaf, and every ISA must give its bits; a double sum bounds what that order loses.
#include <bit>
#include <cmath>
#include <span>

#include "base/half.h"
#include "codec/codec.h"
#include "kernel/kernel_support.h"

namespace bittern::kernel {
namespace {

float ordered_dot(const float* w, const float* x, int64_t columns) {
  float lanes[16] = {};
  for (int64_t k = 0; k < columns; ++k) lanes[k % 16] = std::fmaf(w[k], x[k], lanes[k % 16]);
  for (int width = 8; width > 0; width /= 2) {
    for (int l = 0; l < width; ++l) lanes[l] = lanes[l] + lanes[l + width];
  }
  return lanes[0];
}

class FloatKernel : public EachTable {};

TEST_P(FloatKernel, DotsInTheDocumentedOrder) {
  random::Sequence draw(21);
  for (const int64_t columns : {1, 15, 16, 17, 63, 64, 65, 256, 4097}) {
    for (const int64_t weights : {0, 1, 3, 4, 8, 9, 17}) {
      for (const int64_t rows : {0, 1, 2, 3, 4, 5, 9}) {
        if (columns > 1000 && weights * rows > 40) continue;
        SCOPED_TRACE(testing::Message()
                     << "seed 21: " << columns << " columns, " << weights << " x " << rows);
        const Guarded<float> w(random_floats(draw, weights * columns, 2.0f));
        const Guarded<float> x(random_floats(draw, rows * columns, 3.0f));
        Guarded<float> out(rows * weights);
        table().float_dots(
            {w.data(), weights, columns, x.data(), rows, columns, columns, out.data(), weights});
        for (int64_t m = 0; m < rows; ++m) {
          for (int64_t n = 0; n < weights; ++n) {
            const float expected =
                ordered_dot(w.data() + n * columns, x.data() + m * columns, columns);
            ASSERT_EQ(std::bit_cast<uint32_t>(out[m * weights + n]),
                      std::bit_cast<uint32_t>(expected))
                << m << ", " << n;
          }
        }
      }
    }
  }
}

// Ill-conditioned rows: magnitudes over many binades and cancelling pairs. The bound is that of
// columns / 16 fused steps and four additions on the sum of magnitudes.
TEST_P(FloatKernel, DotsAreCloseToDouble) {
  random::Sequence draw(22);
  for (const int64_t columns : {64, 4097, 131072}) {
    std::vector<float> w(static_cast<size_t>(columns)), x(w.size());
    double truth = 0, magnitude = 0;
    for (size_t k = 0; k < w.size(); ++k) {
      w[k] = static_cast<float>(std::ldexp(draw.uniform() - 0.5, static_cast<int>(draw.below(20))));
      x[k] = static_cast<float>(draw.uniform() - 0.5);
      truth += double{w[k]} * double{x[k]};
      magnitude += std::fabs(double{w[k]} * double{x[k]});
    }
    float out = 0;
    table().float_dots({w.data(), 1, columns, x.data(), 1, columns, columns, &out, 1});
    const double steps = static_cast<double>(columns) / 16 + 5;
    EXPECT_NEAR(out, truth, magnitude * steps * 0x1p-24) << "seed 22, " << columns;
  }
}

// The scalar table has no instruction for fused multiply-add: its emulation at the edges.
TEST_P(FloatKernel, FusedAtTheEdges) {
  const std::vector<float> values = {0.0f,          -0.0f,           1.0f,           -1.0f,
                                     0x1p-149f,     -0x1p-149f,      0x1p-126f,      0x1.8p-75f,
                                     0x1p-75f,      0x1.fffffep127f, 0x1p64f,        1.5f,
                                     0x1.000002p0f, -0x1.000002p0f,  0x1.fffffep-1f, INFINITY,
                                     0x1p-24f,      0x1p-25f,        -0x1.8p-25f};
  random::Sequence draw(23);
  std::vector<float> all = values;
  for (int i = 0; i < 40; ++i)
    all.push_back(std::bit_cast<float>(static_cast<uint32_t>(draw.bits()) & 0xff7fffffu));
  const std::vector<float> one = {1.0f};
  for (const float a : all) {
    for (const float b : all) {
      for (const float c : all) {
        float out = c;
        const float weight[1] = {a};
        table().accumulate(weight, &b, 1, 1, &out);
        const float expected = std::fmaf(a, b, c);
        if (std::isnan(expected)) {
          ASSERT_TRUE(std::isnan(out)) << a << " * " << b << " + " << c;
        } else {
          ASSERT_EQ(std::bit_cast<uint32_t>(out), std::bit_cast<uint32_t>(expected))
              << std::hexfloat << a << " * " << b << " + " << c << " = " << expected << ", got "
              << out;
        }
      }
    }
  }
}

struct DecodeCase {
  codec::Id id;
  Decode Table::*decode;
};

TEST_P(FloatKernel, DecodersEqualTheirCodec) {
  const DecodeCase cases[] = {{codec::Id::f16, &Table::decode_f16},
                              {codec::Id::bf16, &Table::decode_bf16},
                              {codec::Id::q8_0, &Table::decode_q8_0},
                              {codec::Id::q4_0, &Table::decode_q4_0},
                              {codec::Id::q4_1, &Table::decode_q4_1}};
  random::Sequence draw(24);
  for (const DecodeCase& one : cases) {
    const codec::Codec& codec = codec::get(one.id);
    for (const int64_t blocks : {0, 1, 2, 3, 31, 77}) {
      const int64_t count = blocks * codec.block_elements;
      SCOPED_TRACE(testing::Message() << codec.name << ", seed 24, " << count << " elements");
      // One byte of misalignment: files promise none for these formats.
      Guarded<uint8_t> bytes(blocks * codec.block_bytes + 1);
      for (int64_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(draw.below(256));
      Guarded<float> out(count);
      (table().*one.decode)(bytes.data() + 1, count, out.data());
      std::vector<float> expected(static_cast<size_t>(count));
      codec.decode(reinterpret_cast<const std::byte*>(bytes.data() + 1), 1, count, 0, 1,
                   expected.data());
      for (size_t i = 0; i < expected.size(); ++i) {
        const float got = out[static_cast<int64_t>(i)];
        if (std::isnan(expected[i])) {  // the scale may be any half; NaN payloads are no value
          ASSERT_TRUE(std::isnan(got)) << i;
        } else {
          ASSERT_EQ(std::bit_cast<uint32_t>(got), std::bit_cast<uint32_t>(expected[i])) << i;
        }
      }
    }
  }
}

TEST_P(FloatKernel, EveryHalf) {
  std::vector<uint16_t> halves(65536);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  std::vector<float> values(halves.size());
  table().decode_f16(halves.data(), 65536, values.data());
  for (size_t i = 0; i < halves.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(values[i]), std::bit_cast<uint32_t>(f16_to_f32(halves[i])))
        << i;
  }
}

// Every half, the middle to its neighbour, and one float on either side of the middle.
TEST_P(FloatKernel, RoundingToHalf) {
  std::vector<float> values = {65519.99f, 65520.0f, 1e30f, INFINITY, NAN, -NAN, 0x1p-26f, 1e-40f};
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const float here = f16_to_f32(static_cast<uint16_t>(bits));
    const float next = f16_to_f32(static_cast<uint16_t>(bits + 1));
    const float middle = std::isinf(next) ? 65520.0f : (here + next) / 2;
    for (const float value :
         {here, middle, std::nextafterf(middle, 0.0f), std::nextafterf(middle, 1e30f)}) {
      values.push_back(value);
      values.push_back(-value);
    }
  }
  const Guarded<float> in(values);
  Guarded<uint16_t> out(in.size());
  table().encode_f16(in.data(), in.size(), out.data());
  for (int64_t i = 0; i < in.size(); ++i) {
    ASSERT_EQ(out[i], f32_to_f16(in[i])) << std::hexfloat << in[i];
  }
}

BITTERN_EACH_TABLE(FloatKernel);

}  // namespace
}  // namespace bittern::kernel
