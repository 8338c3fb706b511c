// What holds for every codec: the table itself, sizes and their overflow, a range of rows equal to
// the whole, decode after encode a fixed point, and refusals of what a format cannot hold.
#include <gtest/gtest.h>

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

// Columns that every codec takes, in rows enough for I2_S and odd for HF_TERNARY.
constexpr int64_t kRows = 7;
constexpr int64_t kColumns = 512;

bool is_integer(const Codec& codec) {
  return codec.id == Id::i8 || codec.id == Id::i16 || codec.id == Id::i32 || codec.id == Id::i64 ||
         codec.id == Id::u8;
}

// Values that the codec's encoder accepts.
std::vector<float> acceptable_values(const Codec& codec, uint64_t seed) {
  random::Sequence draw(seed);
  std::vector<float> values(kRows * kColumns);
  for (float& value : values) {
    const auto trit = static_cast<float>(draw.below(3)) - 1.0f;
    if (codec.id == Id::hf_ternary) {
      value = trit;
    } else if (codec.id == Id::i2_s) {
      value = 0.375f * trit;
    } else if (is_integer(codec)) {
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

// The ids of the GGUF specification (ggml.h, enum ggml_type), and 36 of bitnet.cpp.
TEST(Table, TypeIdsAreThoseOfGguf) {
  const std::pair<std::string_view, int> expected[] = {
      {"F32", 0},    {"F16", 1},   {"Q4_0", 2}, {"Q4_1", 3},       {"Q8_0", 8},  {"Q6_K", 14},
      {"I8", 24},    {"I16", 25},  {"I32", 26}, {"I64", 27},       {"BF16", 30}, {"TQ1_0", 34},
      {"TQ2_0", 35}, {"I2_S", 36}, {"U8", -1},  {"HF_TERNARY", -1}};
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
    EXPECT_NE(codec.tensor_bytes(1, kColumns), std::nullopt);
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
  std::vector<std::byte> data(static_cast<size_t>(*codec.tensor_bytes(kRows, kColumns)));
  random::Sequence draw(7);
  if (codec.encode != nullptr) {
    data = encode(codec, acceptable_values(codec, 7), kRows, kColumns);
  } else {
    for (std::byte& byte : data) byte = static_cast<std::byte>(draw.below(256));
  }
  const auto whole = decode(codec, data, kRows, kColumns);
  for (int64_t first = 0; first <= kRows; ++first) {
    for (int64_t count = 0; first + count <= kRows; ++count) {
      std::vector<float> part(static_cast<size_t>(count * kColumns));
      codec.decode(data.data(), kRows, kColumns, first, count, part.data());
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
  if (codec.encode == nullptr) return;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    const auto data = encode(codec, acceptable_values(codec, seed), kRows, kColumns);
    const auto once = decode(codec, data, kRows, kColumns);
    EXPECT_EQ(decode(codec, encode(codec, once, kRows, kColumns), kRows, kColumns), once)
        << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Table, EveryCodec,
                         testing::ValuesIn(codec::table().begin(), codec::table().end()),
                         [](const auto& row) { return std::string(row.param.name); });

// Blocks of {-a, 0, a} survive TQ exactly where a is a half.
TEST(Ternary, BlocksSurviveTq) {
  for (const Id id : {Id::tq1_0, Id::tq2_0}) {
    auto values = acceptable_values(codec::get(Id::i2_s), 3);
    const auto data = encode(codec::get(id), values, kRows, kColumns);
    EXPECT_EQ(decode(codec::get(id), data, kRows, kColumns), values) << codec::get(id).name;
  }
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
