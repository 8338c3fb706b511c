// The absmean rule against transformers' WeightQuant, and TernarySource: exact tensors of every
// codec keep their scale, masters are quantised, damage is refused.
#include "codec/ternary.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/bytes.h"
#include "base/half.h"
#include "base/random.h"
#include "codec/golden_support.h"
#include "throws.h"

namespace bittern {
namespace {

using codec::ExactTernary;
using codec::Id;
using codec::TernaryRule;
using codec::TernarySource;
using test::encode;
using test::message_of;

constexpr int64_t kRows = 8;
constexpr int64_t kColumns = 256;

std::vector<int8_t> codes_of(const TernarySource& source) {
  std::vector<int8_t> codes(static_cast<size_t>(source.rows() * source.columns()));
  for (int64_t row = 0; row < source.rows(); ++row) {
    source.codes(row, codes.data() + row * source.columns());
  }
  return codes;
}

std::vector<int8_t> random_codes(uint64_t seed) {
  std::vector<int8_t> codes(kRows * kColumns);
  random::Sequence draw(seed);
  for (int8_t& code : codes) code = static_cast<int8_t>(static_cast<int>(draw.below(3)) - 1);
  return codes;
}

std::vector<float> times(const std::vector<int8_t>& codes, float scale) {
  std::vector<float> values;
  for (const int8_t code : codes) values.push_back(code * scale);
  return values;
}

// Codes may differ from the reference only within 1e-5 of a tie: its mean is a float32 sum.
TEST(Absmean, EqualsTheReferencesWeightRule) {
  const auto size = [](int64_t rows, int64_t columns) { return rows * columns * 4; };
  const auto tensors = test::read_tensors("absmean.tensors", size);
  ASSERT_EQ(tensors.size(), 6u);
  for (const test::GoldenTensor& tensor : tensors) {
    SCOPED_TRACE(fmt::format("{} x {}", tensor.rows, tensor.columns));
    const TernarySource source(test::view_of(Id::f32, tensor.rows, tensor.columns, tensor.rest));
    EXPECT_FALSE(source.exact());
    EXPECT_NEAR(source.scale(), tensor.scale, tensor.scale * 2e-7f);
    const auto weights = test::floats_of(tensor.rest);
    const auto codes = codes_of(source);
    for (size_t i = 0; i < codes.size(); ++i) {
      if (codes[i] == tensor.codes[i]) continue;
      const float from_tie = std::fabs(std::fabs(weights[i]) / tensor.scale - 0.5f);
      EXPECT_LT(from_tie, 1e-5f) << "weight " << i << " is " << weights[i];
      EXPECT_GT(from_tie, 0.0f) << "weight " << i << " is exactly at a tie";
    }
  }
}

TEST(Absmean, RoundsHalfToEvenAndClamps) {
  const TernaryRule rule = TernaryRule::from_sum(8.0, 4);
  EXPECT_EQ(rule.inverse, 0.5f);
  EXPECT_EQ(rule.scale, 2.0f);
  EXPECT_EQ(rule.code(1.0f), 0);
  EXPECT_EQ(rule.code(-1.0f), 0);
  EXPECT_EQ(rule.code(std::nextafter(1.0f, 2.0f)), 1);
  EXPECT_EQ(rule.code(-std::nextafter(1.0f, 2.0f)), -1);
  EXPECT_EQ(rule.code(1e30f), 1);
  EXPECT_EQ(rule.code(-1e30f), -1);
  EXPECT_EQ(rule.code(-0.0f), 0);
}

// Where 1/(1/mean) is not mean again: the scale is the twice rounded one, as in the reference.
TEST(Absmean, KeepsTheReferencesDoubleInversion) {
  const float mean = 0x1.fffffap-1f;
  const TernaryRule rule = TernaryRule::from_sum(double{mean} * 16, 16);
  EXPECT_EQ(rule.inverse, 1.0f / mean);
  EXPECT_EQ(rule.scale, 1.0f / (1.0f / mean));
  EXPECT_NE(rule.scale, mean);
}

TEST(Absmean, FloorsTheMean) {
  EXPECT_EQ(TernaryRule::from_sum(0.0, 10).inverse, 1.0f / 1e-5f);
  EXPECT_EQ(TernaryRule::from_sum(0.0, 0).inverse, 1.0f / 1e-5f);
  EXPECT_EQ(TernaryRule::from_sum(1.0, 10).inverse, 1.0f / 0.1f);
}

TEST(Absmean, SumsInDouble) {
  // A float32 running sum would stop at 2^24.
  std::vector<float> row(1003, 1.0f);
  row[0] = 0x1p24f;
  row[1002] = -3.0f;
  EXPECT_EQ(codec::sum_of_magnitudes(row), 0x1p24 + 1001.0 + 3.0);
  EXPECT_EQ(codec::sum_of_magnitudes({}), 0.0);
}

TEST(ExactTernaryTest, DecidesFromTheValues) {
  using Values = std::vector<float>;
  EXPECT_EQ(codec::exact_ternary_scale(Values{0.25f, 0, -0.25f, -0.0f}), 0.25f);
  EXPECT_EQ(codec::exact_ternary_scale(Values{-3.0f}), 3.0f);
  EXPECT_EQ(codec::exact_ternary_scale(Values{0, 0, -0.0f}), 0.0f);
  EXPECT_EQ(codec::exact_ternary_scale(Values{}), 0.0f);
  EXPECT_EQ(codec::exact_ternary_scale(Values{1, std::nextafter(1.0f, 2.0f)}), std::nullopt);
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(codec::exact_ternary_scale(Values{0, infinity}), std::nullopt);
  EXPECT_EQ(codec::exact_ternary_scale(Values{0, std::nanf("")}), std::nullopt);
}

TEST(ExactTernaryTest, RemembersTheFirstOddValueOverSeveralSpans) {
  ExactTernary ternary;
  ternary.add(std::vector<float>{0, 0.5f});
  EXPECT_EQ(ternary.odd_index(), -1);
  EXPECT_EQ(ternary.scale(), 0.5f);
  ternary.add(std::vector<float>{-0.5f, 0.75f, 0.5f});
  ternary.add(std::vector<float>{0.25f});
  EXPECT_EQ(ternary.odd_index(), 3);
  EXPECT_EQ(ternary.odd_value(), 0.75f);
  EXPECT_EQ(ternary.magnitude(), 0.5f);
  EXPECT_EQ(ternary.scale(), std::nullopt);
}

// The promise behind "the same tokens from every container": one set of codes, one scale.
TEST(Source, AnExactTensorBindsTheSameFromEveryCodec) {
  const auto codes = random_codes(5);
  const float scale = 0.0390625f;  // exact in f16 and bf16
  const auto values = times(codes, scale);
  for (const Id id :
       {Id::f64, Id::f32, Id::f16, Id::bf16, Id::tq1_0, Id::tq2_0, Id::ptq1_0, Id::q2_0, Id::pq2_0,
        Id::iq1_bn, Id::iq2_bn, Id::i2_s, Id::i2_s_rows4, Id::i2_s_arm}) {
    SCOPED_TRACE(codec::get(id).name);
    const auto data = encode(codec::get(id), values, kRows, kColumns);
    const TernarySource source(test::view_of(id, kRows, kColumns, data));
    EXPECT_TRUE(source.exact());
    EXPECT_EQ(source.scale(), scale);
    EXPECT_EQ(codes_of(source), codes);
  }
  const auto packed = encode(codec::get(Id::hf_ternary), times(codes, 1.0f), kRows, kColumns);
  const TernarySource source(test::view_of(Id::hf_ternary, kRows, kColumns, packed, scale));
  EXPECT_TRUE(source.exact());
  EXPECT_EQ(source.scale(), scale);
  EXPECT_EQ(codes_of(source), codes);
}

TEST(Source, ANegativeScaleTurnsTheSigns) {
  const auto codes = random_codes(6);
  const auto packed = encode(codec::get(Id::hf_ternary), times(codes, 1.0f), kRows, kColumns);
  const TernarySource source(test::view_of(Id::hf_ternary, kRows, kColumns, packed, -0.5f));
  EXPECT_EQ(source.scale(), 0.5f);
  auto turned = codes;
  for (int8_t& code : turned) code = static_cast<int8_t>(-code);
  EXPECT_EQ(codes_of(source), turned);
}

// A block of zeros stores the scale 0; that must not make a TQ tensor a master.
TEST(Source, ZeroBlocksDoNotBreakATqTensor) {
  auto codes = random_codes(8);
  std::fill(codes.begin() + 256, codes.begin() + 512, int8_t{0});
  const auto values = times(codes, 0.5f);
  for (const Id id : {Id::tq1_0, Id::tq2_0, Id::ptq1_0, Id::pq2_0}) {
    const auto data = encode(codec::get(id), values, kRows, kColumns);
    const TernarySource source(test::view_of(id, kRows, kColumns, data));
    EXPECT_TRUE(source.exact());
    EXPECT_EQ(source.scale(), 0.5f);
    EXPECT_EQ(codes_of(source), codes);
  }
}

TEST(Source, TqBlocksOfDifferentScalesAreMasters) {
  const auto codes = random_codes(9);
  auto values = times(codes, 0.5f);
  for (size_t i = 0; i < 256; ++i) values[i] *= 8.0f;
  for (const Id id : {Id::tq1_0, Id::tq2_0}) {
    const auto data = encode(codec::get(id), values, kRows, kColumns);
    const TernarySource source(test::view_of(id, kRows, kColumns, data));
    EXPECT_FALSE(source.exact());
    EXPECT_EQ(source.scale(), TernarySource(test::view_of(Id::f32, kRows, kColumns,
                                                          std::as_bytes(std::span(values))))
                                  .scale());
  }
}

TEST(Source, TheStrayCode3OfTq2IsNotTernary) {
  auto data = encode(codec::get(Id::tq2_0), times(random_codes(10), 0.5f), kRows, kColumns);
  data[66 * 3 + 40] |= std::byte{0x30};
  EXPECT_FALSE(TernarySource(test::view_of(Id::tq2_0, kRows, kColumns, data)).exact());
}

// IQ1_BN and IQ2_BN keep the scale of every row, and never average.
TEST(Source, RowsKeepTheirScales) {
  const auto codes = random_codes(9);
  std::vector<float> values;
  for (int64_t i = 0; i < kRows * kColumns; ++i)
    values.push_back(codes[static_cast<size_t>(i)] * static_cast<float>(1 + i / kColumns) * 0.25f);
  for (const Id id : {Id::iq1_bn, Id::iq2_bn}) {
    const auto bytes = encode(codec::get(id), values, kRows, kColumns);
    TensorView view = test::view_of(id, kRows, kColumns, bytes);
    view.scale = -2.0f;
    const TernarySource source(view);
    EXPECT_TRUE(codec::has_row_scales(id));
    EXPECT_TRUE(source.exact());
    EXPECT_EQ(source.scale(), 4.0f);
    for (int64_t row = 0; row < kRows; ++row)
      EXPECT_EQ(source.row_scale(row), static_cast<float>(1 + row) * 0.5f);
    auto turned = codes;
    for (int8_t& code : turned) code = static_cast<int8_t>(-code);
    EXPECT_EQ(codes_of(source), turned);
  }
  EXPECT_FALSE(codec::has_row_scales(Id::tq2_0));
}

TEST(Source, OfAllZerosHasScaleZero) {
  const std::vector<float> zeros(kRows * kColumns, 0.0f);
  for (const Id id : {Id::f32, Id::tq1_0, Id::ptq1_0, Id::i2_s, Id::i2_s_rows4, Id::i2_s_arm}) {
    const auto data = encode(codec::get(id), zeros, kRows, kColumns);
    const TernarySource source(test::view_of(id, kRows, kColumns, data));
    EXPECT_TRUE(source.exact());
    EXPECT_EQ(source.scale(), 0.0f);
    EXPECT_EQ(codes_of(source), std::vector<int8_t>(zeros.size(), 0));
  }
}

TEST(Source, RefusesInvalidCodesByNamePlaceAndCodec) {
  auto data = encode(codec::get(Id::i2_s), times(random_codes(11), 1.0f), kRows, kColumns);
  data[64 * 2 + 5] |= std::byte{0xc0};
  EXPECT_EQ(message_of([&] { TernarySource(test::view_of(Id::i2_s, kRows, kColumns, data)); }),
            "w: row 2, column 5: expected a code 0, 1 or 2 (I2_S), got 3");
  data = encode(codec::get(Id::i2_s_rows4), times(random_codes(11), 1.0f), kRows, kColumns);
  data[kColumns + 5] |= std::byte{0x30};
  EXPECT_EQ(
      message_of([&] { TernarySource(test::view_of(Id::i2_s_rows4, kRows, kColumns, data)); }),
      "w: row 5, column 5: expected a code 0, 1 or 2 (I2_S_ROWS4), got 3");
  data = encode(codec::get(Id::i2_s_arm), times(random_codes(11), 1.0f), kRows, kColumns);
  data[64 * 2 + 5] |= std::byte{0x30};
  EXPECT_EQ(message_of([&] { TernarySource(test::view_of(Id::i2_s_arm, kRows, kColumns, data)); }),
            "w: row 2, column 21: expected a code 0, 1 or 2 (I2_S_ARM), got 3");
  auto packed = encode(codec::get(Id::hf_ternary), std::vector<float>(9, 0.0f), 3, 3);
  packed[1] |= std::byte{0x30};
  EXPECT_EQ(message_of([&] { TernarySource(test::view_of(Id::hf_ternary, 3, 3, packed)); }),
            "w: row 2, column 1: expected a code 0, 1 or 2 (HF_TERNARY), got 3");
  auto rows = encode(codec::get(Id::iq2_bn), times(random_codes(11), 1.0f), kRows, kColumns);
  rows[2 * 68 + 4 + 5] |= std::byte{0xc0};  // a row is 4 bytes of scale and 4 blocks of 16
  EXPECT_EQ(message_of([&] { TernarySource(test::view_of(Id::iq2_bn, kRows, kColumns, rows)); }),
            "w: row 2, column 53: expected a code 0, 1 or 2 (IQ2_BN), got 3");
}

// The quick scan over bytes must see code 3 in each of the four places of a byte.
TEST(Source, FindsInvalidCodesInEveryPlaceOfAByte) {
  for (int run = 0; run < 4; ++run) {
    auto data = encode(codec::get(Id::i2_s), std::vector<float>(128, 1.0f), 1, 128);
    data[5] |= static_cast<std::byte>(3 << (6 - 2 * run));
    EXPECT_EQ(
        message_of([&] { TernarySource(test::view_of(Id::i2_s, 1, 128, data)); }),
        fmt::format("w: row 0, column {}: expected a code 0, 1 or 2 (I2_S), got 3", 5 + 32 * run));
    auto tq2 = encode(codec::get(Id::tq2_0), std::vector<float>(256, 1.0f), 1, 256);
    tq2[5] |= static_cast<std::byte>(3 << 2 * run);
    EXPECT_FALSE(TernarySource(test::view_of(Id::tq2_0, 1, 256, tq2)).exact());
  }
}

TEST(Source, RefusesRowScalesThatAreNotFinite) {
  auto data = encode(codec::get(Id::iq2_bn), times(random_codes(11), 1.0f), kRows, kColumns);
  const float infinite = std::numeric_limits<float>::infinity();
  std::memcpy(&data[3 * 68], &infinite, sizeof(infinite));
  EXPECT_EQ(message_of([&] { TernarySource(test::view_of(Id::iq2_bn, kRows, kColumns, data)); }),
            "w: row 3: expected a finite scale, got inf");
}

TEST(Source, RefusesWeightsAndScalesThatAreNotFinite) {
  std::vector<float> values(kRows * kColumns, 0.5f);
  values[0] = 0.25f;
  values[3 * kColumns + 9] = std::numeric_limits<float>::infinity();
  const auto data = encode(codec::get(Id::f32), values, kRows, kColumns);
  EXPECT_EQ(message_of([&] { TernarySource(test::view_of(Id::f32, kRows, kColumns, data)); }),
            "w: row 3, column 9: expected a finite weight, got inf");
  auto i2_s = encode(codec::get(Id::i2_s), std::vector<float>(128, 1.0f), 1, 128);
  store(i2_s.data() + 32, std::nanf(""));
  EXPECT_EQ(message_of([&] { TernarySource(test::view_of(Id::i2_s, 1, 128, i2_s)); }),
            "w: expected a finite scale, got nan");
  auto tq = encode(codec::get(Id::tq1_0), std::vector<float>(256, 1.0f), 1, 256);
  store(tq.data() + 52, uint16_t{0x7c00});
  EXPECT_EQ(message_of([&] { TernarySource(test::view_of(Id::tq1_0, 1, 256, tq)); }),
            "w: expected a finite scale, got inf");
}

}  // namespace
}  // namespace bittern
