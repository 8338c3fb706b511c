// Files of the PyPI package gguf, read by value.
#include "format/gguf/reader.h"

#include <gtest/gtest.h>

#include <functional>

#include "format/format_support.h"
#include "format/gguf_builder.h"
#include "temporary_folder.h"
#include "throws.h"

namespace bittern::format {
namespace {

using test::golden;
using test::tensor_of;
using test::values_of;

// What tools/golden/format.py calls ramp().
std::vector<float> ramp(int count) {
  std::vector<float> values;
  for (int i = 0; i < count; ++i) values.push_back(static_cast<float>(i) / 8 - 3);
  return values;
}

TEST(GgufRead, EveryValueType) {
  const Checkpoint file = open_checkpoint(golden("plain.gguf"));
  EXPECT_EQ(file.container, Container::gguf);
  EXPECT_EQ(file.dialect, "gguf v3 (mainline)");
  const Metadata& keys = file.metadata;
  EXPECT_EQ(keys.get_string("general.architecture"), "llama");
  EXPECT_EQ(keys.get_integer("test.u8"), 200);
  EXPECT_EQ(keys.get_integer("test.i8"), -100);
  EXPECT_EQ(keys.get_integer("test.u16"), 60000);
  EXPECT_EQ(keys.get_integer("test.i16"), -30000);
  EXPECT_EQ(keys.get_integer("test.u32"), 4000000000);
  EXPECT_EQ(keys.get_integer("test.i32"), -2000000000);
  EXPECT_EQ(keys.get_integer("test.i64"), -(int64_t{1} << 62));
  EXPECT_EQ(keys.get_number("test.u64"), 0x1p63);
  EXPECT_EQ(keys.get_number("test.u8"), 200.0);
  EXPECT_EQ(keys.get_number("test.f32"), static_cast<double>(0.1f));
  EXPECT_EQ(keys.get_number("test.f64"), 0.1);
  EXPECT_EQ(keys.get_boolean("test.yes"), true);
  EXPECT_EQ(keys.get_boolean("test.no"), false);
  EXPECT_EQ(keys.get_string("test.text"), "Rohrdommel ü中");
  EXPECT_EQ(*keys.get_strings("test.strings"), (std::vector<std::string>{"one", "", "three é"}));
  EXPECT_EQ(keys.get_integers("test.integers"), (std::vector<int64_t>{3, -1, 2}));
  EXPECT_EQ(keys.get_floats("test.floats"), (std::vector<float>{0.5f, -2.25f}));
  EXPECT_EQ(keys.get_integers("test.booleans"), (std::vector<int64_t>{1, 0, 1}));
  EXPECT_EQ(keys.entries().front().first, "general.architecture");
  EXPECT_EQ(keys.find("test.u16")->type, ValueType::u16);
}

TEST(GgufRead, AbsentKeysAreNothing) {
  const Metadata keys;
  EXPECT_EQ(keys.get_integer("x"), std::nullopt);
  EXPECT_EQ(keys.get_number("x"), std::nullopt);
  EXPECT_EQ(keys.get_boolean("x"), std::nullopt);
  EXPECT_EQ(keys.get_string("x"), std::nullopt);
  EXPECT_EQ(keys.get_integers("x"), std::nullopt);
  EXPECT_EQ(keys.get_floats("x"), std::nullopt);
  EXPECT_EQ(keys.get_strings("x"), nullptr);
}

TEST(GgufRead, AnyByteButZeroIsTrue) {
  Metadata keys;
  MetadataValue value = value_of(true);
  value.raw[0] = std::byte{2};
  keys.set("b", value);
  EXPECT_EQ(keys.get_boolean("b"), true);
}

TEST(GgufRead, AValueOfAnotherKindNamesFileAndKey) {
  Checkpoint file = open_checkpoint(golden("plain.gguf"));
  Metadata& keys = file.metadata;
  keys.file_name = std::string("f");
  using test::message_of;
  EXPECT_EQ(message_of([&] { keys.get_integer("test.text"); }),
            "f: test.text: integer below 2^63 expected, got string");
  EXPECT_EQ(message_of([&] { keys.get_integer("test.u64"); }),
            "f: test.u64: integer below 2^63 expected, got u64");
  EXPECT_EQ(message_of([&] { keys.get_integer("test.f32"); }),
            "f: test.f32: integer below 2^63 expected, got f32");
  EXPECT_EQ(message_of([&] { keys.get_integer("test.yes"); }),
            "f: test.yes: integer expected, got boolean");
  EXPECT_EQ(message_of([&] { keys.get_number("test.no"); }),
            "f: test.no: number expected, got boolean");
  EXPECT_EQ(message_of([&] { keys.get_number("test.strings"); }),
            "f: test.strings: number expected, got array");
  EXPECT_EQ(message_of([&] { keys.get_boolean("test.u8"); }),
            "f: test.u8: boolean expected, got u8");
  EXPECT_EQ(message_of([&] { keys.get_string("test.u8"); }), "f: test.u8: string expected, got u8");
  EXPECT_EQ(message_of([&] { keys.get_integers("test.strings"); }),
            "f: test.strings: array of integers expected, got array");
  EXPECT_EQ(message_of([&] { keys.get_integers("test.floats"); }),
            "f: test.floats: array of integers below 2^63 expected, got array");
  EXPECT_EQ(message_of([&] { keys.get_floats("test.u8"); }),
            "f: test.u8: array of numbers expected, got u8");
  EXPECT_EQ(message_of([&] { keys.get_strings("test.integers"); }),
            "f: test.integers: array of strings expected, got array");
}

TEST(GgufRead, TensorsByValue) {
  const Checkpoint file = open_checkpoint(golden("plain.gguf"));
  ASSERT_EQ(file.tensors.size(), 6u);
  const TensorView& matrix = tensor_of(file, "matrix.f32");
  EXPECT_EQ(matrix.codec, codec::Id::f32);
  EXPECT_EQ(matrix.shape, (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(values_of(matrix), ramp(12));
  EXPECT_EQ(values_of(tensor_of(file, "vector.f16")), ramp(5));
  const TensorView& cube = tensor_of(file, "cube.i32");
  EXPECT_EQ(cube.shape, (std::vector<int64_t>{2, 3, 2}));
  for (int i = 0; i < 12; ++i) EXPECT_EQ(load<int32_t>(cube.bytes.data() + 4 * i), i);
  std::vector<float> signs;
  for (const float value : ramp(512)) signs.push_back(value > 0 ? 1.0f : value < 0 ? -1.0f : 0.0f);
  EXPECT_EQ(values_of(tensor_of(file, "matrix.tq2_0")), signs);
  EXPECT_EQ(tensor_of(file, "matrix.q8_0").bytes.size(), 2u * 8 * 34);
  EXPECT_EQ(tensor_of(file, "matrix.q4_0").bytes.size(), 2u * 8 * 18);
  EXPECT_EQ(file.find("no such"), nullptr);
}

TEST(GgufRead, AlignmentOfTheFile) {
  const Checkpoint file = open_checkpoint(golden("aligned.gguf"));
  EXPECT_EQ(file.metadata.get_integer("general.alignment"), 64);
  EXPECT_EQ(values_of(tensor_of(file, "matrix.f32")), ramp(12));
  EXPECT_EQ(values_of(tensor_of(file, "vector.f16")), ramp(5));
}

TEST(GgufRead, Version2IsTheSameLayout) {
  std::string bytes = test::read_golden("plain.gguf");
  bytes[4] = 2;
  const Checkpoint file = test::open_gguf(bytes);
  EXPECT_EQ(file.dialect, "gguf v2 (mainline)");
  EXPECT_EQ(values_of(tensor_of(file, "matrix.f32")), ramp(12));
}

TEST(GgufRead, BigEndianIsNamed) {
  const auto thrown = test::thrown_by([] { open_checkpoint(golden("big_endian.gguf")); });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::unsupported);
  EXPECT_EQ(thrown->message, golden("big_endian.gguf").string() +
                                 ": a big-endian GGUF file; only little-endian is supported");
}

// Sizes are known where codecs are not: such tensors are listed with their bytes, and the others
// of the file can be used.
TEST(GgufRead, TypesWithoutACodecAreListedApart) {
  test::RawGguf file;
  file.tensors = {{"ks", {256, 2}, 144, 0}, {"norm", {8}, 0, 288}};
  file.data_bytes = 288 + 32;
  const std::string bytes = file.bytes();
  const Checkpoint opened = test::open_gguf(bytes);
  EXPECT_EQ(opened.tensors.size(), 1u);
  EXPECT_EQ(opened.find("ks"), nullptr);
  const OpaqueTensor* opaque = opened.find_opaque("ks");
  ASSERT_NE(opaque, nullptr);
  EXPECT_EQ(opaque->type, "IQ4_KS");
  EXPECT_EQ(opaque->shape, (std::vector<int64_t>{2, 256}));
  EXPECT_EQ(opaque->bytes.size(), 280u);
  EXPECT_EQ(opaque->bytes.data() + 288, opened.find("norm")->bytes.data());
}

TEST(GgufRead, NamesAreUniqueOverBothLists) {
  Checkpoint file;
  file.path = "x.gguf";
  file.tensors.emplace_back().name = "a";
  file.opaque.push_back({"b", "IQ4_KS", {}, {}});
  EXPECT_EQ(test::message_of([&] { file.index(); }), "(nothing thrown)");
  file.opaque.push_back({"a", "IQ4_KS", {}, {}});
  EXPECT_EQ(test::message_of([&] { file.index(); }),
            "x.gguf: tensor 'a': a unique name expected, got it twice");
}

// Bitnet.cpp checks sizes less strictly than I2_S can be decoded.
TEST(GgufRead, ShapesThatACodecCannotReadAreListedApart) {
  test::RawGguf file;
  file.tensors = {{"t", {4, 3}, 36, 0}};
  file.data_bytes = 64;
  const std::string bytes = file.bytes();
  const OpaqueTensor* opaque = nullptr;
  const Checkpoint opened = test::open_gguf(bytes);
  opaque = opened.find_opaque("t");
  ASSERT_NE(opaque, nullptr);
  EXPECT_EQ(opaque->type, "I2_S");
}

TEST(GgufRead, BitnetI2S) {
  const Checkpoint file = open_checkpoint(golden("bitnet_i2_s.gguf"));
  EXPECT_EQ(file.dialect, "gguf v3 (bitnet.cpp)");
  const TensorView& weight = tensor_of(file, "blk.0.attn_q.weight");
  EXPECT_EQ(weight.codec, codec::Id::i2_s);
  std::vector<float> expected;
  const float cycle[] = {-1, 0, 1, 1, 0, -1, 0};
  for (int i = 0; i < 512; ++i) expected.push_back(0.75f * cycle[i % 7]);
  EXPECT_EQ(values_of(weight), expected);
  EXPECT_EQ(values_of(tensor_of(file, "output_norm.weight")), ramp(4));
}

TEST(GgufRead, AnyPartOpensASplitSet) {
  for (const char* part : {"1", "2", "3"}) {
    const auto path = golden("split") / ("split-0000" + std::string(part) + "-of-00003.gguf");
    const Checkpoint file = open_checkpoint(path);
    EXPECT_EQ(file.metadata.get_integer("test.u32"), 7) << part;
    EXPECT_EQ(file.maps.size(), 3u);
    ASSERT_EQ(file.tensors.size(), 5u);
    for (int i = 0; i < 5; ++i) {
      const TensorView& tensor = file.tensors[static_cast<size_t>(i)];
      EXPECT_EQ(tensor.name, fmt::format("part.{}", i));
      EXPECT_EQ(values_of(tensor)[0], static_cast<float>(i) - 3);
    }
  }
}

class SplitFolder : public ::testing::Test {
 protected:
  void copy(int from, int to, const std::function<void(std::string&)>& change = {}) {
    std::string bytes = test::read_golden(fmt::format("split/split-{:05}-of-00003.gguf", from));
    if (change) change(bytes);
    folder_.write(name(to), bytes);
  }
  static std::string name(int part) { return fmt::format("m-{:05}-of-00003.gguf", part); }
  std::filesystem::path path(int part) { return folder_.path() / name(part); }
  std::string error(int part = 1) {
    return test::message_of([&] { open_checkpoint(path(part)); });
  }
  test::TemporaryFolder folder_;
};

TEST_F(SplitFolder, AMissingPartIsNamed) {
  copy(1, 1);
  copy(3, 3);
  EXPECT_EQ(error(3), path(2).string() + ": no such file");
}

TEST_F(SplitFolder, PartsInTheWrongPlaces) {
  copy(1, 1);
  copy(3, 2);
  copy(2, 3);
  EXPECT_EQ(error(), path(2).string() + ": split.no: 1 expected in this file, got 2");
}

TEST_F(SplitFolder, APartThatIsNoPart) {
  copy(1, 1);
  folder_.write(name(2), test::read_golden("aligned.gguf"));
  copy(3, 3);
  EXPECT_EQ(error(),
            path(2).string() + ": split.count: 3 expected as in the other parts, got none");
}

TEST_F(SplitFolder, APartOfAnotherSet) {
  copy(1, 1);
  copy(2, 2, [](std::string& bytes) {
    const size_t key = bytes.find("split.count");
    bytes[key + 11 + 4] = 4;
  });
  copy(3, 3);
  EXPECT_EQ(error(), path(2).string() + ": split.count: 3 expected as in the other parts, got 4");
}

TEST_F(SplitFolder, ATensorInTwoParts) {
  copy(1, 1);
  copy(2, 2, [](std::string& bytes) { bytes[bytes.find("part.2") + 5] = '0'; });
  copy(3, 3);
  EXPECT_EQ(error(), path(1).string() + ": tensor 'part.0': a unique name expected, got it twice");
}

TEST_F(SplitFolder, ARenamedPart) {
  const auto renamed =
      folder_.write("renamed.gguf", test::read_golden("split/split-00002-of-00003.gguf"));
  EXPECT_EQ(
      test::message_of([&] { open_checkpoint(renamed); }),
      renamed.string() + ": part 2 of 3: a file name ending in '-00002-of-00003.gguf' expected");
}

TEST_F(SplitFolder, AnIndexPastTheCount) {
  copy(1, 1, [](std::string& bytes) { bytes[bytes.find("split.no") + 8 + 4] = 3; });
  EXPECT_EQ(error(), path(1).string() + ": split.no: 0 to 2 expected, got 3");
}

}  // namespace
}  // namespace bittern::format
