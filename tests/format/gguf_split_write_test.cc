// Models written as a set of files: where they are cut, what every part says, and that a set which
// was not finished does not open.
#include "format/gguf/split_writer.h"

#include <gtest/gtest.h>

#include "format/format_support.h"
#include "format/gguf/reader.h"
#include "temporary_folder.h"
#include "throws.h"

namespace bittern::format::gguf {
namespace {

using std::filesystem::path;

class GgufSplitWrite : public ::testing::Test {
 protected:
  path whole() const { return folder_.path() / "model.gguf"; }
  path part(int64_t index, int64_t count) const {
    return folder_.path() / fmt::format("model-{:05}-of-{:05}.gguf", index, count);
  }

  // Five tensors of 64 bytes, each full of its own number; tensor 2 is empty.
  static std::vector<TensorPlan> plan() {
    std::vector<TensorPlan> tensors;
    for (int i = 0; i < 5; ++i)
      tensors.push_back({fmt::format("t{}", i), codec::Id::f32, {i == 2 ? 0 : 4, 4}});
    return tensors;
  }
  static Metadata keys() {
    Metadata keys;
    keys.set("general.architecture", value_of("llama"));
    keys.set("split.no", value_of(uint32_t{7}));  // of the set that the model was read from
    keys.set("split.count", value_of(uint32_t{9}));
    return keys;
  }
  // Writes the set in pieces of 24 bytes.
  std::vector<path> write_all(const SplitLimits& limits, const Metadata& metadata) {
    SplitWriter writer(whole(), metadata, plan(), limits);
    for (int i = 0; i < 5; ++i) {
      if (i == 2) continue;
      const std::vector<std::byte> bytes(64, std::byte(i));
      for (size_t at = 0; at < 64; at += 24)
        writer.write(Bytes(bytes).subspan(at, std::min<size_t>(24, 64 - at)));
    }
    EXPECT_FALSE(std::filesystem::exists(writer.paths().front()));
    writer.finish();
    return writer.paths();
  }
  void expect_content(const path& file) {
    const Checkpoint opened = open(file);
    ASSERT_EQ(opened.tensors.size(), 5u);
    for (size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(opened.tensors[i].name, fmt::format("t{}", i));
      EXPECT_EQ(opened.tensors[i].bytes.size(), i == 2 ? 0u : 64u);
      for (const std::byte byte : opened.tensors[i].bytes)
        ASSERT_EQ(byte, std::byte(static_cast<uint8_t>(i)));
    }
    EXPECT_EQ(opened.metadata.get_string("general.architecture"), "llama");
  }
  size_t file_count() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_.path()),
                                             std::filesystem::directory_iterator()));
  }
  test::TemporaryFolder folder_;
};

TEST_F(GgufSplitWrite, ByTensorCount) {
  EXPECT_EQ(write_all({.tensors = 2}, keys()),
            (std::vector<path>{part(1, 3), part(2, 3), part(3, 3)}));
  EXPECT_EQ(file_count(), 3u) << "no temporary is left";
  for (int64_t i = 1; i <= 3; ++i) expect_content(part(i, 3));
  const std::string first = test::read_file(part(1, 3));
  const Checkpoint head = test::open_gguf(first);
  EXPECT_EQ(head.tensors.size(), 2u);
  EXPECT_EQ(head.metadata.find("split.no")->type, ValueType::u16);
  EXPECT_EQ(head.metadata.get_integer("split.no"), 0);
  EXPECT_EQ(head.metadata.get_integer("split.count"), 3);
  EXPECT_EQ(head.metadata.find("split.tensors.count")->type, ValueType::i32);
  EXPECT_EQ(head.metadata.get_integer("split.tensors.count"), 5);
  const std::string last = test::read_file(part(3, 3));
  const Checkpoint tail = test::open_gguf(last);
  EXPECT_EQ(tail.tensors.size(), 1u);
  EXPECT_EQ(tail.metadata.entries().size(), 3u);
  EXPECT_EQ(tail.metadata.get_integer("split.no"), 2);
}

TEST_F(GgufSplitWrite, ByBytes) {
  // 64 + 64, 0 + 64 + 64
  EXPECT_EQ(write_all({.data_bytes = 128}, keys()).size(), 2u);
  expect_content(part(1, 2));
  // A tensor that is larger than the limit has a part of its own; the empty one goes along.
  EXPECT_EQ(write_all({.data_bytes = 63}, keys()).size(), 5u);
  expect_content(part(1, 5));
}

TEST_F(GgufSplitWrite, TheAlignmentIsInEveryPart) {
  Metadata metadata = keys();
  metadata.set("general.alignment", value_of(uint32_t{128}));
  write_all({.tensors = 3}, metadata);
  expect_content(part(1, 2));
  const std::string second = test::read_file(part(2, 2));
  EXPECT_EQ(test::open_gguf(second).metadata.get_integer("general.alignment"), 128);
}

TEST_F(GgufSplitWrite, OnePartIsAPlainFile) {
  EXPECT_EQ(write_all({}, keys()), std::vector<path>{whole()});
  expect_content(whole());
  EXPECT_EQ(open(whole()).metadata.find("split.count"), nullptr);
}

// What the packages gguf and llama.cpp write is read back and written again, in other parts.
TEST_F(GgufSplitWrite, AForeignSetIsCutAnew) {
  const Checkpoint foreign = open_checkpoint(test::golden("split/split-00002-of-00003.gguf"));
  std::vector<TensorPlan> tensors;
  for (const TensorView& tensor : foreign.tensors)
    tensors.push_back({tensor.name, tensor.codec, tensor.shape});
  SplitWriter writer(whole(), foreign.metadata, tensors, {.tensors = 4});
  for (const TensorView& tensor : foreign.tensors) writer.write(tensor.bytes);
  writer.finish();
  const Checkpoint again = open(part(2, 2));
  ASSERT_EQ(again.tensors.size(), foreign.tensors.size());
  for (size_t i = 0; i < again.tensors.size(); ++i) {
    EXPECT_EQ(again.tensors[i].name, foreign.tensors[i].name);
    EXPECT_TRUE(std::ranges::equal(again.tensors[i].bytes, foreign.tensors[i].bytes));
  }
  EXPECT_EQ(again.metadata.get_integer("test.u32"), 7);
}

TEST_F(GgufSplitWrite, AnUnfinishedSetDoesNotAppear) {
  const std::vector<std::byte> bytes(64);
  {
    SplitWriter writer(whole(), keys(), plan(), {.tensors = 2});
    for (int i = 0; i < 3; ++i) writer.write(bytes);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
  SplitWriter writer(whole(), keys(), plan(), {.tensors = 2});
  for (int i = 0; i < 3; ++i) writer.write(bytes);
  EXPECT_EQ(test::thrown_by([&] { writer.finish(); })->kind, ErrorKind::internal);
  // A folder in the way of the second part: the third is there already, but nothing opens.
  std::filesystem::create_directories(part(2, 3) / "x");
  writer.write(bytes);
  EXPECT_EQ(test::thrown_by([&] { writer.finish(); })->kind, ErrorKind::resources);
  EXPECT_FALSE(std::filesystem::exists(part(1, 3)));
  EXPECT_EQ(test::thrown_by([&] { open(part(3, 3)); })->kind, ErrorKind::bad_input);
}

TEST_F(GgufSplitWrite, WhatCannotBeSplit) {
  const std::vector<TensorPlan> many(65536, {"t", codec::Id::f32, {1}});
  EXPECT_EQ(test::message_of([&] { SplitWriter(whole(), {}, many, {.tensors = 1}); }),
            whole().string() + ": at most 65535 parts expected, the limits give 65536");
}

}  // namespace
}  // namespace bittern::format::gguf
