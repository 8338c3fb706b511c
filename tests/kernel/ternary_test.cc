// Ternary products of every ISA against a plain integer loop over the unpacked codes, on odd and
// adversarial shapes, with every buffer ending at a guard page (guarantee G1).
#include <cmath>
#include <functional>

#include "kernel/kernel_support.h"
#include "kernel/pack.h"

namespace bittern::kernel {
namespace {

struct TernaryCase {
  int64_t columns = 0;
  int64_t rows = 0;
  std::vector<int8_t> weights;  // [16, columns]
  std::vector<int8_t> codes;    // [rows, columns]
};

using Fill = std::function<int8_t(int64_t)>;

TernaryCase make_case(int64_t columns, int64_t rows, const Fill& weight, const Fill& code) {
  TernaryCase made{columns, rows, {}, {}};
  for (int64_t i = 0; i < kStripRows * columns; ++i) made.weights.push_back(weight(i));
  for (int64_t i = 0; i < rows * columns; ++i) made.codes.push_back(code(i));
  return made;
}

void check(const Table& table, const TernaryCase& made) {
  const int64_t padded = t2_columns(made.columns);
  Guarded<uint8_t> strip(t2_strip_bytes(made.columns));
  t2_pack_strip(made.weights.data(), kStripRows, made.columns, strip.data());
  Guarded<int8_t> codes(made.rows * padded);
  Guarded<int32_t> sums(made.rows);
  for (int64_t m = 0; m < made.rows; ++m) {
    for (int64_t k = 0; k < made.columns; ++k) {
      codes[m * padded + k] = made.codes[static_cast<size_t>(m * made.columns + k)];
      sums[m] += codes[m * padded + k];
    }
  }
  Guarded<int32_t> out(made.rows * kStripRows);
  table.ternary_dots({strip.data(), padded, codes.data(), sums.data(), made.rows, out.data()});
  for (int64_t m = 0; m < made.rows; ++m) {
    for (int64_t n = 0; n < kStripRows; ++n) {
      int64_t expected = 0;
      for (int64_t k = 0; k < made.columns; ++k) {
        expected += int64_t{made.weights[static_cast<size_t>(n * made.columns + k)]} *
                    made.codes[static_cast<size_t>(m * made.columns + k)];
      }
      ASSERT_EQ(out[m * kStripRows + n], expected) << "row " << m << ", output " << n;
    }
  }
}

class TernaryKernel : public EachTable {};

TEST_P(TernaryKernel, RandomOnOddShapes) {
  random::Sequence draw(11);
  const Fill weight = [&](int64_t) { return static_cast<int8_t>(int(draw.below(3)) - 1); };
  const Fill code = [&](int64_t) { return static_cast<int8_t>(int(draw.below(255)) - 127); };
  for (const int64_t columns : {1, 63, 64, 65, 127, 256, 4097}) {
    for (const int64_t rows : {0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17}) {
      SCOPED_TRACE(testing::Message() << "seed 11, " << columns << " columns, " << rows << " rows");
      check(table(), make_case(columns, rows, weight, code));
    }
  }
}

TEST_P(TernaryKernel, Extremes) {
  random::Sequence draw(12);
  const Fill random_weight = [&](int64_t) { return static_cast<int8_t>(int(draw.below(3)) - 1); };
  const auto always = [](int8_t value) { return [value](int64_t) { return value; }; };
  const Fill one_huge = [](int64_t i) { return static_cast<int8_t>(i == 100 ? 127 : 0); };
  for (const int64_t columns : {65, 4097}) {
    for (const int64_t rows : {1, 2, 4, 5}) {
      for (const Fill& weight :
           {Fill(always(1)), Fill(always(-1)), Fill(always(0)), random_weight}) {
        for (const Fill& code :
             {Fill(always(127)), Fill(always(-127)), Fill(always(1)), Fill(always(0)), one_huge}) {
          check(table(), make_case(columns, rows, weight, code));
        }
      }
    }
  }
}

// 131072 columns of +-127 at +-1: partial sums pass 2^24 and the plane of weight 64 reaches
// 5.3e8 of 2^31.
TEST_P(TernaryKernel, VeryLongRows) {
  const auto always = [](int8_t value) { return [value](int64_t) { return value; }; };
  for (const int64_t rows : {1, 4}) {
    check(table(), make_case(131072, rows, always(1), always(127)));
    check(table(), make_case(131072, rows, always(1), always(-127)));
    check(table(), make_case(131072, rows, always(-1), always(127)));
  }
}

// The chain of roundings, in the documented order, equals the same chain written out here.
TEST_P(TernaryKernel, ScaleOrder) {
  random::Sequence draw(13);
  for (const int64_t outputs : {1, 15, 16}) {
    const int64_t rows = 3, stride = outputs + 2;
    Guarded<int32_t> dots(rows * kStripRows);
    for (int64_t i = 0; i < dots.size(); ++i)
      dots[i] = static_cast<int32_t>(draw.below(1u << 30)) - (1 << 29);
    const Guarded<float> inverse(random_floats(draw, rows, 0.1f));
    const Guarded<float> bias(random_floats(draw, outputs, 3.0f));
    const float scale = 0.7123f;
    for (const bool with_bias : {false, true}) {
      Guarded<float> out(rows * stride - 2);
      table().ternary_scale({dots.data(), rows, outputs, inverse.data(), scale,
                             with_bias ? bias.data() : nullptr, out.data(), stride});
      for (int64_t m = 0; m < rows; ++m) {
        for (int64_t n = 0; n < outputs; ++n) {
          volatile float expected = static_cast<float>(dots[m * kStripRows + n]);
          expected = expected * inverse[m];
          expected = expected * scale;
          if (with_bias) expected = expected + bias[n];
          ASSERT_EQ(out[m * stride + n], expected) << m << ", " << n;
        }
        if (m + 1 == rows) continue;
        ASSERT_EQ(out[m * stride + outputs], 0.0f) << "written past the strip";
      }
    }
  }
}

BITTERN_EACH_TABLE(TernaryKernel);

}  // namespace
}  // namespace bittern::kernel
