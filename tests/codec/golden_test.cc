// Every codec against bytes and values made by independent programs: ggml's C reference, PyPI
// gguf, numpy, transformers, and an I2_S coder in numpy. No byte may differ.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cctype>
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
  const auto block_bytes = static_cast<size_t>(codec().block_bytes);
  for (size_t i = 0; i < data.size(); ++i) {
    ASSERT_EQ(data[i], expected[i]) << "block " << i / block_bytes << ", byte " << i % block_bytes;
  }
}

// NAME.decode holds bytes of any content (scales that are NaN, infinite or subnormal, codes that
// no encoder writes) and then their values.
TEST_P(GoldenDecode, ReadsTheReferencesValues) {
  const auto golden = read_golden(lower_case(GetParam()) + ".decode");
  const auto elements = static_cast<size_t>(codec().block_elements);
  const auto block_bytes = static_cast<size_t>(codec().block_bytes);
  const size_t blocks = golden.size() / (block_bytes + elements * sizeof(float));
  ASSERT_EQ(blocks * elements, 3072u);
  const auto expected = test::floats_of(std::span(golden).subspan(blocks * block_bytes));
  const auto values = decode(codec(), golden, 12, 256);
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_TRUE(same_bits(values[i], expected[i]))
        << "block " << i / elements << ", value " << i % elements << ": " << values[i]
        << " instead of " << expected[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Codecs, GoldenEncode,
                         testing::Values("F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "TQ1_0", "TQ2_0"));
INSTANTIATE_TEST_SUITE_P(Codecs, GoldenDecode,
                         testing::Values("F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q6_K", "TQ1_0",
                                         "TQ2_0"));

TEST(GoldenPlain, F32KeepsEveryBit) {
  const auto bytes = read_golden("input.f32");
  const auto values = test::floats_of(bytes);
  EXPECT_EQ(encode(codec::get(Id::f32), values, 1, static_cast<int64_t>(values.size())), bytes);
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

TEST(GoldenTensors, I2SHasTheBytesOfTheNumpyCoder) {
  const Codec& codec = codec::get(Id::i2_s);
  const auto size = [](int64_t rows, int64_t columns) { return rows * columns / 4 + 32; };
  const auto tensors = test::read_tensors("i2_s.tensors", size);
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
