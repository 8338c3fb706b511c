// Real-valued weights and decoders. The order of a product is written out a second time here, with
// libm's fmaf, and every ISA must give its bits for every format; a double sum bounds what that
// order loses.
#include <bit>
#include <cmath>
#include <span>

#include "base/half.h"
#include "codec/codec.h"
#include "kernel/attention.h"
#include "kernel/kernel_support.h"
#include "kernel/real.h"

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

struct FormatCase {
  RealFormat format;
  codec::Id id;
};
constexpr FormatCase kFormats[] = {{RealFormat::f32, codec::Id::f32},
                                   {RealFormat::f16, codec::Id::f16},
                                   {RealFormat::bf16, codec::Id::bf16},
                                   {RealFormat::f8_e4m3, codec::Id::f8_e4m3},
                                   {RealFormat::f8_e5m2, codec::Id::f8_e5m2},
                                   {RealFormat::f8_e4m3fnuz, codec::Id::f8_e4m3fnuz},
                                   {RealFormat::f8_e5m2fnuz, codec::Id::f8_e5m2fnuz}};

// Weights of one format, as they lie in a file, with a byte of misalignment and a page behind them
// that faults; and as their codec decodes them.
struct Weights {
  Weights(random::Sequence& draw, const FormatCase& of, int64_t row_count, int64_t column_count)
      : format(of.format),
        columns(column_count),
        row_bytes(column_count * codec::get(of.id).block_bytes),
        bytes(row_count * row_bytes + 1),
        values(static_cast<size_t>(row_count * column_count)) {
    const std::vector<float> numbers = random_floats(draw, row_count * column_count, 2.0f);
    auto* data = reinterpret_cast<std::byte*>(bytes.data() + 1);
    codec::get(of.id).encode(numbers.data(), row_count, columns, data);
    codec::get(of.id).decode(data, row_count, columns, 0, row_count, values.data());
    for (int64_t n = 0; n < row_count; ++n) rows.push_back(bytes.data() + 1 + n * row_bytes);
  }
  const float* row(int64_t n) const { return values.data() + n * columns; }

  RealFormat format;
  int64_t columns, row_bytes;
  Guarded<uint8_t> bytes;
  std::vector<float> values;
  std::vector<const uint8_t*> rows;
};

class FloatKernel : public EachTable {
 protected:
  // out [rows, stride] of a call; what it does not write is -5.
  std::vector<float> dots(const Weights& weights, const Guarded<float>& in, int64_t rows,
                          int64_t stride, const float* bias = nullptr, float scale = 1.0f) {
    Guarded<float> out(std::vector<float>(static_cast<size_t>(rows * stride), -5.0f));
    Guarded<float> scratch(kRealScratch);
    table().real->dots({.format = weights.format,
                        .weights = weights.rows.data(),
                        .outputs = static_cast<int64_t>(weights.rows.size()),
                        .columns = weights.columns,
                        .scale = scale,
                        .in = in.data(),
                        .rows = rows,
                        .in_stride = weights.columns,
                        .bias = bias,
                        .out = out.data(),
                        .stride = stride,
                        .scratch = scratch.data()});
    return out.values();
  }
};

// Every number of rows up to two tiles, so each remainder; more than a block of rows; columns at
// the edges of lanes, lines and panels.
TEST_P(FloatKernel, DotsInTheDocumentedOrder) {
  random::Sequence draw(21);
  for (const FormatCase& format : kFormats) {
    for (const int64_t columns : {1, 15, 16, 17, 63, 64, 65, 255, 256, 257, 531}) {
      for (const int64_t outputs : {1, 3, 4, 5, 15, 16}) {
        const Weights weights(draw, format, outputs, columns);
        const Guarded<float> bias(random_floats(draw, outputs, 3.0f));
        for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 205}) {
          if (rows * columns * outputs > 30000) continue;
          SCOPED_TRACE(testing::Message() << "seed 21: " << codec::get(format.id).name << ", "
                                          << columns << " columns, " << outputs << " x " << rows);
          const Guarded<float> x(random_floats(draw, rows * columns, 3.0f));
          const bool biased = rows % 2 == 0;
          const std::vector<float> out =
              dots(weights, x, rows, outputs + 1, biased ? bias.data() : nullptr);
          for (int64_t m = 0; m < rows; ++m) {
            const float* got = out.data() + m * (outputs + 1);
            for (int64_t n = 0; n < outputs; ++n) {
              float expected = ordered_dot(weights.row(n), x.data() + m * columns, columns);
              if (biased) expected = expected + bias[n];
              ASSERT_EQ(std::bit_cast<uint32_t>(got[n]), std::bit_cast<uint32_t>(expected))
                  << m << ", " << n;
            }
            ASSERT_EQ(got[outputs], -5.0f);
          }
        }
      }
    }
  }
}

// Without a bias nothing is added: not a zero either, which would turn -0 into 0.
TEST_P(FloatKernel, ASumThatRoundsToMinusZeroKeepsItsSign) {
  const int64_t columns = 32;
  for (const int64_t outputs : {3, 16}) {
    const std::vector<float> row(columns, -1e-30f);
    const std::vector<const uint8_t*> rows(static_cast<size_t>(outputs),
                                           reinterpret_cast<const uint8_t*>(row.data()));
    for (const int64_t count : {1, 7}) {
      const std::vector<float> x(static_cast<size_t>(count * columns), 1e-30f);
      std::vector<float> out(static_cast<size_t>(count * outputs)), scratch(kRealScratch);
      table().real->dots({RealFormat::f32, rows.data(), outputs, columns, 1.0f, x.data(), count,
                          columns, nullptr, out.data(), outputs, scratch.data()});
      for (const float value : out) {
        ASSERT_EQ(std::bit_cast<uint32_t>(value), std::bit_cast<uint32_t>(-0.0f))
            << outputs << " outputs, " << count << " rows";
      }
    }
  }
}

TEST_P(FloatKernel, ScaleIsASecondRounding) {
  random::Sequence draw(25);
  const int64_t columns = 300, outputs = 5;
  for (const FormatCase& format : kFormats) {
    Weights weights(draw, format, outputs, columns);
    for (float& value : weights.values) value *= 0.37f;
    for (const int64_t rows : {1, 7}) {
      const Guarded<float> x(random_floats(draw, rows * columns, 3.0f));
      const std::vector<float> out = dots(weights, x, rows, outputs, nullptr, 0.37f);
      for (int64_t i = 0; i < rows * outputs; ++i) {
        const float expected =
            ordered_dot(weights.row(i % outputs), x.data() + i / outputs * columns, columns);
        ASSERT_EQ(out[static_cast<size_t>(i)], expected)
            << "seed 25: " << codec::get(format.id).name << ", " << i;
      }
    }
  }
}

// Each code of the small formats times one, NaN and infinity among them.
TEST_P(FloatKernel, EveryCode) {
  const float one = 1.0f;
  std::vector<float> scratch(kRealScratch);
  for (const FormatCase& format : kFormats) {
    const codec::Codec& codec = codec::get(format.id);
    if (codec.block_bytes > 2) continue;
    const int count = 1 << 8 * codec.block_bytes;
    std::vector<uint8_t> bytes;
    for (int code = 0; code < count; ++code) {
      for (int i = 0; i < codec.block_bytes; ++i)
        bytes.push_back(static_cast<uint8_t>(code >> 8 * i));
    }
    std::vector<float> expected(static_cast<size_t>(count)), got(expected);
    codec.decode(reinterpret_cast<const std::byte*>(bytes.data()), count, 1, 0, count,
                 expected.data());
    for (int code = 0; code < count; code += kRealOutputs) {
      const uint8_t* rows[kRealOutputs];
      for (int n = 0; n < kRealOutputs; ++n) rows[n] = &bytes[(code + n) * codec.block_bytes];
      table().real->dots({format.format, rows, kRealOutputs, 1, 1.0f, &one, 1, 1, nullptr,
                          &got[code], kRealOutputs, scratch.data()});
    }
    for (size_t code = 0; code < expected.size(); ++code) {
      if (std::isnan(expected[code])) {
        ASSERT_TRUE(std::isnan(got[code])) << codec.name << ' ' << code;
      } else {
        ASSERT_EQ(got[code], expected[code]) << codec.name << ' ' << code;
      }
    }
  }
}

// Magnitudes over many binades and cancelling pairs. The bound is that of columns / 16 fused steps
// and four additions on the sum of magnitudes.
TEST_P(FloatKernel, DotsAreCloseToDouble) {
  random::Sequence draw(22);
  for (const int64_t columns : {64, 4097, 131072}) {
    Weights weights(draw, kFormats[0], 1, columns);
    const Guarded<float> x(random_floats(draw, columns, 0.5f));
    double truth = 0, magnitude = 0;
    for (int64_t k = 0; k < columns; ++k) {
      const auto w =
          static_cast<float>(std::ldexp(draw.uniform() - 0.5, static_cast<int>(draw.below(20))));
      std::memcpy(weights.bytes.data() + 1 + 4 * k, &w, sizeof(w));
      truth += double{w} * double{x[k]};
      magnitude += std::fabs(double{w} * double{x[k]});
    }
    const double steps = static_cast<double>(columns) / 16 + 5;
    EXPECT_NEAR(dots(weights, x, 1, 1)[0], truth, magnitude * steps * 0x1p-24)
        << "seed 22, " << columns;
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
  alignas(64) float panel[16], sums[16];
  const PanelPiece piece = {.rows = panel, .first = 0, .count = 1, .next = panel};
  for (const float a : all) {
    for (const float b : all) {
      for (const float c : all) {
        std::fill_n(panel, 16, b);
        std::fill_n(sums, 16, c);
        table().attention->products_f32({.in = &a,
                                         .in_stride = 1,
                                         .queries = 1,
                                         .pieces = &piece,
                                         .piece_count = 1,
                                         .columns = 16,
                                         .accumulate = true,
                                         .out = sums,
                                         .out_stride = 16});
        const float out = sums[7];
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
