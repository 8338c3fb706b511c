// What Bittern writes: the bytes of the PyPI package gguf where the content is the same.
#include "format/gguf/writer.h"

#include <gtest/gtest.h>

#include "format/format_support.h"
#include "format/gguf/reader.h"
#include "temporary_folder.h"
#include "throws.h"

namespace bittern::format::gguf {
namespace {

class GgufWrite : public ::testing::Test {
 protected:
  std::filesystem::path path() const { return folder_.path() / "out.gguf"; }
  test::TemporaryFolder folder_;
};

TEST_F(GgufWrite, AReadFileIsWrittenByteForByte) {
  for (const char* name : {"plain.gguf", "aligned.gguf", "bitnet_i2_s.gguf", "vocab_llama3.gguf",
                           "split/split-00001-of-00003.gguf"}) {
    const std::string bytes = test::read_golden(name);
    const Checkpoint file = test::open_gguf(bytes);
    write(path(), file.metadata, file.tensors);
    EXPECT_TRUE(test::read_file(path()) == bytes) << name;
  }
}

TEST_F(GgufWrite, BuiltValuesAreReadBack) {
  Metadata keys;
  keys.set("general.architecture", value_of("bitnet-b1.58"));
  keys.set("u", value_of(uint32_t{7}));
  keys.set("i", value_of(int32_t{-7}));
  keys.set("l", value_of(uint64_t{1} << 40));
  keys.set("f", value_of(0.5f));
  keys.set("b", value_of(true));
  keys.set("strings", value_of(std::vector<std::string>{"a", ""}));
  keys.set("integers", value_of(std::vector<int32_t>{1, -2}));
  keys.set("floats", value_of(std::vector<float>{1.5f}));
  keys.set("u", value_of(uint32_t{8}));  // in place
  write(path(), keys, {});
  const Checkpoint file = open(path());
  EXPECT_EQ(file.metadata.entries().size(), 9u);
  EXPECT_EQ(file.metadata.entries()[1].first, "u");
  EXPECT_EQ(file.metadata.get_string("general.architecture"), "bitnet-b1.58");
  EXPECT_EQ(file.metadata.get_integer("u"), 8);
  EXPECT_EQ(file.metadata.get_integer("i"), -7);
  EXPECT_EQ(file.metadata.get_integer("l"), int64_t{1} << 40);
  EXPECT_EQ(file.metadata.get_number("f"), 0.5);
  EXPECT_EQ(file.metadata.get_boolean("b"), true);
  EXPECT_EQ(*file.metadata.get_strings("strings"), (std::vector<std::string>{"a", ""}));
  EXPECT_EQ(file.metadata.get_integers("integers"), (std::vector<int64_t>{1, -2}));
  EXPECT_EQ(file.metadata.get_floats("floats"), (std::vector<float>{1.5f}));
}

TEST_F(GgufWrite, DataMayComeInPieces) {
  const std::string bytes = test::read_golden("plain.gguf");
  const Checkpoint file = test::open_gguf(bytes);
  std::vector<TensorPlan> plan;
  for (const TensorView& tensor : file.tensors)
    plan.push_back({tensor.name, tensor.codec, tensor.shape});
  Writer writer(path(), file.metadata, plan);
  for (const TensorView& tensor : file.tensors)
    for (size_t i = 0; i < tensor.bytes.size(); i += 7)
      writer.write(tensor.bytes.subspan(i, std::min<size_t>(7, tensor.bytes.size() - i)));
  EXPECT_FALSE(std::filesystem::exists(path()));
  writer.finish();
  EXPECT_TRUE(test::read_file(path()) == bytes);
}

TEST_F(GgufWrite, AnUnfinishedFileDoesNotAppear) {
  const std::vector<TensorPlan> plan = {{"t", codec::Id::f32, {4}}};
  { Writer writer(path(), {}, plan); }
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
  Writer writer(path(), {}, plan);
  EXPECT_EQ(test::thrown_by([&] { writer.finish(); })->kind, ErrorKind::internal);
  EXPECT_EQ(test::thrown_by([&] { writer.write(test::bytes_of("12345678901234567")); })->kind,
            ErrorKind::internal);
}

TEST_F(GgufWrite, WhatCannotBeStored) {
  const auto message = [&](TensorPlan plan) {
    return test::message_of([&] { encode_header({}, {&plan, 1}); });
  };
  EXPECT_EQ(message({"t", codec::Id::u8, {4}}), "tensor 't': GGUF has no type for U8");
  EXPECT_EQ(message({"t", codec::Id::tq2_0, {4, 255}}),
            "tensor 't': shape [4, 255] cannot be stored as TQ2_0");
  EXPECT_EQ(message({"t", codec::Id::f32, {-1}}), "tensor 't': shape [-1] cannot be stored as F32");
  EXPECT_EQ(message({"t", codec::Id::f32, {1, 1, 1, 1, 1}}),
            "tensor 't': GGUF tensors have at most 4 dimensions, got 5");
  EXPECT_EQ(
      message({std::string(64, 'n'), codec::Id::f32, {1}}),
      fmt::format("tensor '{}': GGUF names have at most 63 bytes, got 64", std::string(64, 'n')));
}

}  // namespace
}  // namespace bittern::format::gguf
