// Every codec against bytes and values made by independent programs: ggml's C reference, PyPI
// gguf, numpy, ml_dtypes, transformers, and coders in numpy for the formats of forks. No byte may
// differ.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "codec/golden_support.h"

namespace bittern {
namespace {

using codec::Codec;
using codec::Id;
using test::decode;
using test::encode;
using test::read_golden;
using test::same_bits;

std::string lower_case(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

class GoldenBlocks : public testing::TestWithParam<std::string> {
 protected:
  const Codec& codec() const { return *codec::find(GetParam()); }
};

class GoldenEncode : public GoldenBlocks {};
class GoldenDecode : public GoldenBlocks {};

// input.f32 is rows of 256: adversarial blocks, then random ones.
TEST_P(GoldenEncode, WritesTheReferencesBytes) {
  const auto values = test::floats_of(read_golden("input.f32"));
  const auto expected = read_golden(lower_case(GetParam()) + ".encoded");
  const auto rows = static_cast<int64_t>(values.size()) / 256;
  const auto data = encode(codec(), values, rows, 256);
  ASSERT_EQ(data.size(), expected.size());
  const auto row_bytes = static_cast<size_t>(*codec().tensor_bytes(1, 256));
  for (size_t i = 0; i < data.size(); ++i) {
    ASSERT_EQ(data[i], expected[i]) << "row " << i / row_bytes << ", byte " << i % row_bytes;
  }
}

// NAME.decode holds bytes of any content (scales that are NaN, infinite or subnormal, codes that
// no encoder writes) and then their values.
TEST_P(GoldenDecode, ReadsTheReferencesValues) {
  const auto golden = read_golden(lower_case(GetParam()) + ".decode");
  const auto coded = static_cast<size_t>(*codec().tensor_bytes(12, 256));
  ASSERT_EQ(golden.size(), coded + 12 * 256 * sizeof(float));
  const auto expected = test::floats_of(std::span(golden).subspan(coded));
  const auto values = decode(codec(), golden, 12, 256);
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_TRUE(same_bits(values[i], expected[i]))
        << "row " << i / 256 << ", value " << i % 256 << ": " << values[i] << " instead of "
        << expected[i];
  }
}

std::string name_of(const testing::TestParamInfo<std::string>& row) { return row.param; }

INSTANTIATE_TEST_SUITE_P(Codecs, GoldenEncode,
                         testing::Values("F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E8M0",
                                         "F8_E4M3FNUZ", "F8_E5M2FNUZ", "Q8_0", "Q4_0", "Q4_1",
                                         "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
                                         "IQ4_NL", "IQ4_XS", "MXFP4", "NVFP4", "Q1_0", "Q2_0",
                                         "TQ1_0", "TQ2_0", "PQ2_0", "PTQ1_0", "STQ1_0", "IQ1_BN",
                                         "IQ2_BN"),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Codecs, GoldenDecode,
                         testing::Values("F16", "BF16", "F64", "F8_E4M3", "F8_E5M2", "F8_E8M0",
                                         "F8_E4M3FNUZ", "F8_E5M2FNUZ", "Q8_0", "Q4_0", "Q4_1",
                                         "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
                                         "IQ4_NL", "IQ4_XS", "IQ3_XXS", "IQ3_S", "IQ2_XXS",
                                         "IQ2_XS", "IQ2_S", "IQ1_S", "IQ1_M", "MXFP4", "NVFP4",
                                         "Q1_0", "Q2_0", "TQ1_0", "TQ2_0", "PQ2_0", "PTQ1_0",
                                         "STQ1_0", "IQ1_BN", "IQ2_BN"),
                         name_of);

TEST(GoldenPlain, F32AndF64KeepEveryBit) {
  const auto bytes = read_golden("input.f32");
  const auto values = test::floats_of(bytes);
  const auto count = static_cast<int64_t>(values.size());
  EXPECT_EQ(encode(codec::get(Id::f32), values, 1, count), bytes);
  const auto doubles = encode(codec::get(Id::f64), values, 1, count);
  ASSERT_EQ(doubles.size(), 2 * bytes.size());
  for (size_t i = 0; i < values.size(); ++i) {
    double wide = 0.0;
    std::memcpy(&wide, doubles.data() + i * sizeof wide, sizeof wide);
    ASSERT_TRUE(wide == static_cast<double>(values[i]) || std::isnan(values[i])) << i;
  }
}

// Two's complement little-endian, written out by hand.
struct IntegerCase {
  Id id;
  std::vector<float> values;
  std::vector<uint8_t> bytes;
};

TEST(GoldenPlain, IntegersHaveTheirBytes) {
  const std::vector<IntegerCase> cases = {
      {Id::i8, {0, 1, -1, 127, -128}, {0, 1, 0xff, 0x7f, 0x80}},
      {Id::u8, {0, 1, 128, 255}, {0, 1, 0x80, 0xff}},
      {Id::boolean, {0, 1, 1}, {0, 1, 1}},
      {Id::u16, {258, 65535}, {2, 1, 0xff, 0xff}},
      {Id::u32, {0x010203, 0x1p31f}, {3, 2, 1, 0, 0, 0, 0, 0x80}},
      {Id::u64, {0x1p63f, 255}, {0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0, 0, 0, 0, 0, 0, 0}},
      {Id::i16, {258, -2, 32767, -32768}, {2, 1, 0xfe, 0xff, 0xff, 0x7f, 0, 0x80}},
      {Id::i32, {0x010203, -0x1p31f, 0x1p30f}, {3, 2, 1, 0, 0, 0, 0, 0x80, 0, 0, 0, 0x40}},
      {Id::i64, {-2, -0x1p63f, 0x1p40f}, {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                          0,    0,    0,    0,    0,    0,    0,    0x80,
                                          0,    0,    0,    0,    0,    1,    0,    0}},
  };
  for (const IntegerCase& c : cases) {
    SCOPED_TRACE(codec::get(c.id).name);
    const auto columns = static_cast<int64_t>(c.values.size());
    std::vector<std::byte> bytes;
    for (const uint8_t byte : c.bytes) bytes.push_back(std::byte{byte});
    EXPECT_EQ(encode(codec::get(c.id), c.values, 1, columns), bytes);
    EXPECT_EQ(decode(codec::get(c.id), bytes, 1, columns), c.values);
  }
}

class GoldenI2S : public testing::TestWithParam<std::string> {};

TEST_P(GoldenI2S, HasTheBytesOfTheNumpyCoder) {
  const Codec& codec = *codec::find(GetParam());
  const auto size = [](int64_t rows, int64_t columns) { return rows * columns / 4 + 32; };
  const auto tensors = test::read_tensors(lower_case(GetParam()) + ".tensors", size);
  ASSERT_EQ(tensors.size(), 6u);
  for (const test::GoldenTensor& tensor : tensors) {
    SCOPED_TRACE(fmt::format("{} x {}", tensor.rows, tensor.columns));
    ASSERT_EQ(codec.tensor_bytes(tensor.rows, tensor.columns), size(tensor.rows, tensor.columns));
    std::vector<float> values;
    for (const int8_t code : tensor.codes) values.push_back(code * tensor.scale);
    EXPECT_EQ(decode(codec, tensor.rest, tensor.rows, tensor.columns), values);
    if (values.empty()) continue;  // no values, so no scale to find again
    EXPECT_EQ(encode(codec, values, tensor.rows, tensor.columns), tensor.rest);
  }
}

INSTANTIATE_TEST_SUITE_P(Orders, GoldenI2S, testing::Values("I2_S", "I2_S_ROWS4", "I2_S_ARM"),
                         name_of);

TEST(GoldenTensors, HfTernaryHasTheBytesOfPackWeights) {
  const Codec& codec = codec::get(Id::hf_ternary);
  const auto size = [](int64_t rows, int64_t columns) { return (rows + 3) / 4 * columns; };
  const auto tensors = test::read_tensors("hf_ternary.tensors", size);
  ASSERT_EQ(tensors.size(), 12u);
  for (const test::GoldenTensor& tensor : tensors) {
    SCOPED_TRACE(fmt::format("{} x {}", tensor.rows, tensor.columns));
    ASSERT_EQ(codec.tensor_bytes(tensor.rows, tensor.columns), size(tensor.rows, tensor.columns));
    const std::vector<float> values(tensor.codes.begin(), tensor.codes.end());
    EXPECT_EQ(decode(codec, tensor.rest, tensor.rows, tensor.columns), values);
    EXPECT_EQ(encode(codec, values, tensor.rows, tensor.columns), tensor.rest);
  }
}

}  // namespace
}  // namespace bittern
