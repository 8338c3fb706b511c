// What holds for every codec: the table itself, sizes and their overflow, a range of rows equal to
// the whole, decode after encode a fixed point, and refusals of what a format cannot hold.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/random.h"
#include "codec/golden_support.h"
#include "throws.h"

namespace bittern {
namespace {

using codec::Codec;
using codec::Id;
using test::decode;
using test::encode;
using test::message_of;

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

// Columns that every codec takes, in rows that make whole groups of I2_S_ROWS4.
constexpr int64_t kRows = 8;
constexpr int64_t kColumns = 512;

// Odd for HF_TERNARY, whose last stripe is then not full.
int64_t rows_for(const Codec& codec) { return codec.id == Id::hf_ternary ? kRows - 1 : kRows; }

// Encoders that search their scales: what they have coded once they may code better again.
bool searches(const Codec& codec) {
  return codec.name.ends_with("_K") || codec.name.starts_with("IQ4_");
}

// Values that the codec's encoder accepts.
std::vector<float> acceptable_values(const Codec& codec, uint64_t seed) {
  random::Sequence draw(seed);
  std::vector<float> values(kRows * kColumns);
  for (float& value : values) {
    const auto trit = static_cast<float>(draw.below(3)) - 1.0f;
    if (codec.id == Id::hf_ternary) {
      value = trit;
    } else if (codec::is_i2_s(codec.id)) {
      value = 0.375f * trit;
    } else if (codec.id == Id::boolean) {
      value = std::fabs(trit);
    } else if (codec.id == Id::f8_e8m0) {
      value = static_cast<float>(draw.uniform() + 0.25);  // positive only
    } else if (!codec.real) {
      value = static_cast<float>(draw.below(100));
    } else {
      value = static_cast<float>(draw.uniform() - 0.5);
    }
  }
  return values;
}

TEST(Table, IdsNamesAndTypeIdsAreFoundAndUnique) {
  const auto table = codec::table();
  for (size_t i = 0; i < table.size(); ++i) {
    EXPECT_EQ(static_cast<size_t>(table[i].id), i);
    EXPECT_EQ(codec::find(table[i].name), &table[i]);
    EXPECT_EQ(&codec::get(table[i].id), &table[i]);
    for (size_t j = 0; j < i; ++j) {
      EXPECT_NE(table[i].name, table[j].name);
      EXPECT_TRUE(table[i].gguf_type < 0 || table[i].gguf_type != table[j].gguf_type);
    }
  }
  EXPECT_EQ(codec::find("tq1_0"), codec::find("TQ1_0"));
  EXPECT_EQ(codec::find("TQ1"), nullptr);
  EXPECT_EQ(codec::find(""), nullptr);
}

// The ids of the GGUF specification (ggml.h, enum ggml_type); 36 of bitnet.cpp, 43 of Sherry, 134
// and 135 of ik_llama.cpp, 142 and 143 of PrismML.
TEST(Table, TypeIdsAreThoseOfGguf) {
  const std::pair<std::string_view, int> expected[] = {
      {"F32", 0},          {"F16", 1},         {"Q4_0", 2},     {"Q4_1", 3},     {"Q5_0", 6},
      {"Q5_1", 7},         {"Q8_0", 8},        {"Q2_K", 10},    {"Q3_K", 11},    {"Q4_K", 12},
      {"Q5_K", 13},        {"Q6_K", 14},       {"IQ2_XXS", 16}, {"IQ2_XS", 17},  {"IQ3_XXS", 18},
      {"IQ1_S", 19},       {"IQ4_NL", 20},     {"IQ3_S", 21},   {"IQ2_S", 22},   {"IQ4_XS", 23},
      {"I8", 24},          {"I16", 25},        {"I32", 26},     {"I64", 27},     {"F64", 28},
      {"IQ1_M", 29},       {"BF16", 30},       {"TQ1_0", 34},   {"TQ2_0", 35},   {"I2_S", 36},
      {"MXFP4", 39},       {"NVFP4", 40},      {"Q1_0", 41},    {"Q2_0", 42},    {"STQ1_0", 43},
      {"IQ1_BN", 134},     {"IQ2_BN", 135},    {"PQ2_0", 142},  {"PTQ1_0", 143}, {"U8", -1},
      {"U16", -1},         {"U32", -1},        {"U64", -1},     {"BOOL", -1},    {"HF_TERNARY", -1},
      {"I2_S_ROWS4", -1},  {"I2_S_ARM", -1},   {"F8_E4M3", -1}, {"F8_E5M2", -1}, {"F8_E8M0", -1},
      {"F8_E4M3FNUZ", -1}, {"F8_E5M2FNUZ", -1}};
  ASSERT_EQ(std::size(expected), codec::table().size());
  for (const auto& [name, id] : expected) EXPECT_EQ(codec::find(name)->gguf_type, id) << name;
}

TEST(TensorBytes, CountsBlocksOfWholeRows) {
  EXPECT_EQ(codec::get(Id::q8_0).tensor_bytes(3, 64), 3 * 2 * 34);
  EXPECT_EQ(codec::get(Id::q4_0).tensor_bytes(3, 64), 3 * 2 * 18);
  EXPECT_EQ(codec::get(Id::q4_1).tensor_bytes(3, 64), 3 * 2 * 20);
  EXPECT_EQ(codec::get(Id::q6_k).tensor_bytes(2, 512), 2 * 2 * 210);
  EXPECT_EQ(codec::get(Id::tq1_0).tensor_bytes(2, 512), 2 * 2 * 54);
  EXPECT_EQ(codec::get(Id::tq2_0).tensor_bytes(2, 512), 2 * 2 * 66);
  EXPECT_EQ(codec::get(Id::i2_s).tensor_bytes(4, 96), 96 + 32);
  EXPECT_EQ(codec::get(Id::hf_ternary).tensor_bytes(5, 3), 2 * 3);
  EXPECT_EQ(codec::get(Id::iq1_bn).tensor_bytes(5, 128), 5 * (2 + 2 * 13));
  EXPECT_EQ(codec::get(Id::iq2_bn).tensor_bytes(5, 128), 5 * (4 + 2 * 16));
  EXPECT_EQ(codec::get(Id::i2_s_rows4).tensor_bytes(8, 3), 6 + 32);
  EXPECT_EQ(codec::get(Id::i2_s_rows4).tensor_bytes(6, 128), std::nullopt);
  EXPECT_EQ(codec::get(Id::i2_s_arm).tensor_bytes(2, 96), 48 + 32);
  EXPECT_EQ(codec::get(Id::i2_s_arm).tensor_bytes(3, 96), std::nullopt);
  EXPECT_EQ(codec::get(Id::i16).tensor_bytes(5, 3), 30);
}

TEST(TensorBytes, RefusesPartialBlocksNegativeSizesAndOverflow) {
  for (const Codec& codec : codec::table()) {
    SCOPED_TRACE(codec.name);
    EXPECT_EQ(codec.tensor_bytes(-1, kColumns), std::nullopt);
    EXPECT_EQ(codec.tensor_bytes(kRows, -kColumns), std::nullopt);
    EXPECT_EQ(codec.tensor_bytes(kHuge, kColumns), std::nullopt);
    EXPECT_EQ(codec.tensor_bytes(kRows, kHuge - 255), std::nullopt) << "2^63 - 256 columns";
    // As many values as an int64 counts, but not their bytes as f32.
    EXPECT_EQ(codec.tensor_bytes(int64_t{1} << 54, 256), std::nullopt);
    EXPECT_NE(codec.tensor_bytes(0, kColumns), std::nullopt);
    EXPECT_NE(codec.tensor_bytes(kRows, kColumns), std::nullopt);
    if (codec.block_elements > 1) {
      EXPECT_EQ(codec.tensor_bytes(256, codec.block_elements + 1), std::nullopt);
      EXPECT_EQ(codec.tensor_bytes(256, codec.block_elements / 2), std::nullopt);
    }
  }
  EXPECT_EQ(codec::get(Id::i2_s).tensor_bytes(1, 129), std::nullopt);
  EXPECT_EQ(codec::get(Id::i2_s).tensor_bytes(3, 96), std::nullopt);
}

class EveryCodec : public testing::TestWithParam<Codec> {};

TEST_P(EveryCodec, DecodesARangeOfRowsAsTheWhole) {
  const Codec& codec = GetParam();
  const int64_t rows = rows_for(codec);
  std::vector<std::byte> data(static_cast<size_t>(*codec.tensor_bytes(rows, kColumns)));
  random::Sequence draw(7);
  if (codec.encode != nullptr) {
    data = encode(codec, acceptable_values(codec, 7), rows, kColumns);
  } else {
    for (std::byte& byte : data) byte = static_cast<std::byte>(draw.below(256));
  }
  const auto whole = decode(codec, data, rows, kColumns);
  for (int64_t first = 0; first <= rows; ++first) {
    for (int64_t count = 0; first + count <= rows; ++count) {
      std::vector<float> part(static_cast<size_t>(count * kColumns));
      codec.decode(data.data(), rows, kColumns, first, count, part.data());
      for (size_t i = 0; i < part.size(); ++i) {
        const float expected = whole[static_cast<size_t>(first * kColumns) + i];
        ASSERT_TRUE(test::same_bits(part[i], expected)) << first << " + " << count << ": " << i;
      }
    }
  }
}

// Rows of fewer columns than a block of I2_S, so that rows start inside blocks and runs.
TEST(RowRange, OfI2SMayStartAnywhereInABlock) {
  const Codec& codec = codec::get(Id::i2_s);
  constexpr int64_t rows = 128;
  constexpr int64_t columns = 5;
  std::vector<float> values(rows * columns);
  random::Sequence draw(11);
  for (float& value : values) value = static_cast<float>(draw.below(3)) - 1.0f;
  const auto data = encode(codec, values, rows, columns);
  for (int64_t row = 0; row < rows; ++row) {
    float out[columns];
    codec.decode(data.data(), rows, columns, row, 1, out);
    for (int64_t c = 0; c < columns; ++c) {
      ASSERT_EQ(out[c], values[static_cast<size_t>(row * columns + c)]) << row << ", " << c;
    }
  }
}

// Once through a codec, values stay what they are: the extreme value of a block gets the extreme
// code, so the second encoding finds the f16 scale again.
TEST_P(EveryCodec, KeepsWhatItHasDecoded) {
  const Codec& codec = GetParam();
  const int64_t rows = rows_for(codec);
  if (codec.encode == nullptr || searches(codec)) return;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    const auto data = encode(codec, acceptable_values(codec, seed), rows, kColumns);
    const auto once = decode(codec, data, rows, kColumns);
    EXPECT_EQ(decode(codec, encode(codec, once, rows, kColumns), rows, kColumns), once)
        << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Table, EveryCodec,
                         testing::ValuesIn(codec::table().begin(), codec::table().end()),
                         [](const auto& row) { return std::string(row.param.name); });

// The root mean square error over that of the values, uniform in +-0.5; the bounds are what the
// step of each format leaves, rounded up.
TEST(Error, OfSearchedScalesIsThatOfTheirBits) {
  const std::pair<Id, double> bounds[] = {{Id::q2_k, 0.25},  {Id::q3_k, 0.14},  {Id::q4_k, 0.06},
                                          {Id::q5_k, 0.03},  {Id::q6_k, 0.015}, {Id::iq4_nl, 0.09},
                                          {Id::iq4_xs, 0.09}};
  for (const auto& [id, bound] : bounds) {
    const Codec& codec = codec::get(id);
    const auto values = acceptable_values(codec, 5);
    const auto once = decode(codec, encode(codec, values, kRows, kColumns), kRows, kColumns);
    double error = 0.0, size = 0.0;
    for (size_t i = 0; i < values.size(); ++i) {
      error += std::pow(static_cast<double>(once[i] - values[i]), 2);
      size += std::pow(static_cast<double>(values[i]), 2);
    }
    const double relative = std::sqrt(error / size);
    EXPECT_LT(relative, bound) << codec.name;
    EXPECT_GT(relative, bound / 3) << codec.name << ": a bound that says nothing";
  }
}

// Blocks of {-a, 0, a} survive these exactly where a is a half (IQ2_BN: any a).
TEST(Ternary, BlocksSurviveTernaryFormats) {
  for (const Id id :
       {Id::tq1_0, Id::tq2_0, Id::ptq1_0, Id::q2_0, Id::pq2_0, Id::iq1_bn, Id::iq2_bn}) {
    auto values = acceptable_values(codec::get(Id::i2_s), 3);
    const auto data = encode(codec::get(id), values, kRows, kColumns);
    EXPECT_EQ(decode(codec::get(id), data, kRows, kColumns), values) << codec::get(id).name;
  }
}

// The greatest magnitude forgets what came before a NaN, so that codes leave their range: they wrap
// as in ggml's quantize_row_tq1_0_ref (of llama-cpp-python 0.3.36), whose bytes these are.
TEST(Ternary, Tq1WrapsCodesBeforeANaN) {
  std::vector<float> values(256);
  for (int i = 0; i < 256; ++i)
    values[static_cast<size_t>(i)] = 0.25f * static_cast<float>(i % 7 - 3);
  values[0] = 1000.0f;
  values[37] = -700.0f;
  values[100] = std::numeric_limits<float>::quiet_NaN();
  constexpr uint8_t kExpected[] = {
      59,  74,  153, 97,  110, 113, 203, 36,  74,  153, 97,  110, 222, 203, 36,  74,  153, 97,
      110, 222, 203, 36,  74,  153, 97,  110, 222, 203, 36,  74,  153, 97,  187, 45,  49,  134,
      147, 148, 186, 187, 45,  49,  134, 147, 148, 186, 187, 45,  152, 95,  108, 222, 0,   58};
  const auto data = encode(codec::get(Id::tq1_0), values, 1, 256);
  ASSERT_EQ(data.size(), sizeof(kExpected));
  EXPECT_EQ(std::memcmp(data.data(), kExpected, sizeof(kExpected)), 0);
}

TEST(Refusal, IntegersTakeOnlyIntegersOfTheirType) {
  const auto message = [](Id id, float value) {
    return message_of([&] { encode(codec::get(id), std::vector<float>{0, value}, 1, 2); });
  };
  EXPECT_EQ(message(Id::i8, 0.5f), "element 1: 0.5 cannot be coded as a 8-bit signed integer");
  EXPECT_EQ(message(Id::i8, 128.0f), "element 1: 128 cannot be coded as a 8-bit signed integer");
  EXPECT_EQ(message(Id::u8, -1.0f), "element 1: -1 cannot be coded as a 8-bit unsigned integer");
  EXPECT_NE(message(Id::u8, 256.0f), "(nothing thrown)");
  EXPECT_NE(message(Id::i16, 32768.0f), "(nothing thrown)");
  EXPECT_NE(message(Id::i32, 0x1p31f), "(nothing thrown)");
  EXPECT_NE(message(Id::i64, 0x1p63f), "(nothing thrown)");
  EXPECT_NE(message(Id::i64, std::numeric_limits<float>::quiet_NaN()), "(nothing thrown)");
  EXPECT_EQ(message(Id::i64, -0x1p63f), "(nothing thrown)");
  EXPECT_EQ(message(Id::boolean, 2.0f), "element 1: BOOL codes only 0 and 1, got 2");
}

TEST(Refusal, I2SNamesTheFirstValueThatIsNotTernary) {
  std::vector<float> values(256, 0.0f);
  values[3] = -0.25f;
  values[200] = 0.5f;
  values[201] = 0.75f;
  const auto attempt = [&] { encode(codec::get(Id::i2_s), values, 2, 128); };
  const auto thrown = test::thrown_by(attempt);
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::bad_input);
  EXPECT_EQ(thrown->message,
            "I2_S codes only {-a, 0, a}: element 200 is 0.5, expected 0 or +-0.25");
  values[200] = values[201] = 0.25f;
  EXPECT_EQ(message_of(attempt), "(nothing thrown)");
}

TEST(Refusal, HfTernaryNamesTheFirstValueThatIsNotACode) {
  std::vector<float> values(10, 0.0f);
  values[7] = 0.5f;
  EXPECT_EQ(message_of([&] { encode(codec::get(Id::hf_ternary), values, 5, 2); }),
            "HF_TERNARY codes only -1, 0 and 1: row 3, column 1 is 0.5");
}

TEST(Refusal, Code3OfI2SAndHfTernaryIsNeverDecoded) {
  const auto attempt = [](Id id, const std::vector<std::byte>& data, int64_t rows,
                          int64_t columns) {
    return message_of([&] { decode(codec::get(id), data, rows, columns); });
  };
  auto i2_s = encode(codec::get(Id::i2_s), std::vector<float>(256, 1.0f), 2, 128);
  i2_s[32 + 4] |= std::byte{0x0c};  // second block, byte 4, third run
  EXPECT_EQ(attempt(Id::i2_s, i2_s, 2, 128), "I2_S: elements 192..223 hold the invalid code 3");
  auto packed = encode(codec::get(Id::hf_ternary), std::vector<float>(10, 1.0f), 5, 2);
  packed[1] |= std::byte{0x0c};  // packed row 0, column 1, second stripe: row 2
  EXPECT_EQ(attempt(Id::hf_ternary, packed, 5, 2), "HF_TERNARY: row 2 holds the invalid code 3");
}

TEST(HfTernary, IgnoresTheCodesOfRowsThatDoNotExist) {
  const std::vector<float> values = {1, 0, -1, 1, 1, -1, 0, 0, 1, -1};
  auto packed = encode(codec::get(Id::hf_ternary), values, 5, 2);
  ASSERT_EQ(packed.size(), 4u);
  for (size_t i = 0; i < 4; ++i) packed[i] |= std::byte{0xc0};  // rows 6 and 7
  for (size_t i = 2; i < 4; ++i) packed[i] |= std::byte{0x30};  // row 5
  EXPECT_EQ(decode(codec::get(Id::hf_ternary), packed, 5, 2), values);
}

TEST(TensorViewTest, KnowsItsRowsAndColumns) {
  TensorView view;
  EXPECT_EQ(view.rows(), 1);
  EXPECT_EQ(view.columns(), 1);
  view.shape = {5};
  EXPECT_EQ(view.rows(), 1);
  EXPECT_EQ(view.columns(), 5);
  view.shape = {2, 3, 5};
  EXPECT_EQ(view.rows(), 6);
  EXPECT_EQ(view.columns(), 5);
  EXPECT_EQ(view.elements(), 30);
}

TEST(TensorViewTest, AppliesItsScaleToTheRowsAsked) {
  const std::vector<float> values = {1, -1, 0, 1, -1, -1};
  const auto data = encode(codec::get(Id::hf_ternary), values, 3, 2);
  const auto view = test::view_of(Id::hf_ternary, 3, 2, data, 0.625f);
  std::vector<float> out(4);
  decode_rows(view, 1, 2, out.data());
  EXPECT_EQ(out, (std::vector<float>{0, 0.625f, -0.625f, -0.625f}));
}

TEST(TensorViewTest, RefusesRowsAndBytesThatAreNotThere) {
  const std::vector<std::byte> data(6 * 4);
  auto view = test::view_of(Id::f32, 3, 2, data);
  std::vector<float> out(6);
  EXPECT_EQ(message_of([&] { decode_rows(view, 0, 3, out.data()); }), "(nothing thrown)");
  const auto kind = [&](int64_t first, int64_t count) {
    const auto thrown = test::thrown_by([&] { decode_rows(view, first, count, out.data()); });
    return thrown ? thrown->kind : ErrorKind::usage;
  };
  EXPECT_EQ(kind(2, 2), ErrorKind::internal);
  EXPECT_EQ(kind(-1, 1), ErrorKind::internal);
  EXPECT_EQ(kind(1, kHuge), ErrorKind::internal);
  view.bytes = view.bytes.first(23);
  EXPECT_EQ(kind(0, 1), ErrorKind::internal);
}

}  // namespace
}  // namespace bittern
