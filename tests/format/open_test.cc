// Which container a path holds, and Hugging Face folders as transformers writes them.
#include <gtest/gtest.h>

#include "format/checkpoint.h"
#include "format/format_support.h"
#include "temporary_folder.h"
#include "throws.h"

namespace bittern::format {
namespace {

namespace fs = std::filesystem;
using test::golden;

std::string error_of(const fs::path& path) {
  return test::message_of([&] { open_checkpoint(path); });
}

TEST(Open, WhatIsNoModel) {
  const test::TemporaryFolder folder;
  const std::string expected =
      ": not a model: a GGUF file, a SafeTensors file, model.safetensors.index.json, a Hugging "
      "Face folder expected, got ";
  const auto check = [&](std::string_view content, const std::string& got) {
    const fs::path path = folder.write("file", content);
    const auto thrown = test::thrown_by([&] { open_checkpoint(path); });
    ASSERT_TRUE(thrown) << got;
    EXPECT_EQ(thrown->kind, ErrorKind::bad_input);
    EXPECT_EQ(thrown->message, path.string() + expected + got);
  };
  check("", "an empty file");
  check("GGU", "a file that begins with 'GGU'");
  check("PK\x03\x04zip", "a file that begins with 'PK\\x03\\x04zip'");
  check("{\"a\": 1}", "a file that begins with '{\"a\": 1}'");
  check(std::string_view("\x02\0\0\0\0\0\0\0", 8),
        "a file that begins with '\\x02\\x00\\x00\\x00\\x00\\x00\\x00\\x00'");
  check("once upon a time", "a file that begins with 'once upo'");
  EXPECT_EQ(error_of(folder.path() / "none"), (folder.path() / "none").string() + ": no such file");
  EXPECT_EQ(error_of(folder.path()),
            folder.path().string() + ": config.json expected in a Hugging Face folder, got none");
}

TEST(Open, ContentDecidesNotTheName) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(open_checkpoint(folder.write("a.bin", test::read_golden("plain.gguf"))).container,
            Container::gguf);
  const fs::path path = folder.write("b.gguf", test::read_golden("plain.safetensors"));
  EXPECT_EQ(open_checkpoint(path).container, Container::safetensors);
  EXPECT_EQ(open_checkpoint(path).path, path);
}

TEST(HfFolder, SingleAndShardedHoldTheSame) {
  const Checkpoint single = open_checkpoint(golden("hf_single"));
  const Checkpoint sharded = open_checkpoint(golden("hf_sharded"));
  const Checkpoint index = open_checkpoint(golden("hf_sharded") / "model.safetensors.index.json");
  const Checkpoint lone = open_checkpoint(golden("hf_single") / "model.safetensors");
  EXPECT_EQ(single.container, Container::hf_folder);
  EXPECT_EQ(index.container, Container::hf_folder);
  EXPECT_EQ(lone.container, Container::safetensors);
  EXPECT_EQ(single.maps.size(), 1u);
  EXPECT_EQ(sharded.maps.size(), 3u);
  ASSERT_EQ(single.tensors.size(), 11u);
  for (const Checkpoint* other : {&sharded, &index, &lone}) {
    ASSERT_EQ(other->tensors.size(), single.tensors.size());
    for (const TensorView& tensor : single.tensors) {
      const TensorView& same = test::tensor_of(*other, tensor.name);
      EXPECT_EQ(same.shape, tensor.shape);
      EXPECT_EQ(as_text(same.bytes), as_text(tensor.bytes));
    }
    EXPECT_EQ(other->config->root().get_string("model_type"), "llama");
    EXPECT_EQ(other->generation_config->root().get("eos_token_id")->elements("eos").size(), 2u);
    EXPECT_EQ(other->tokenizer, nullptr);
    EXPECT_EQ(other->tokenizer_config, nullptr);
  }
}

class HfCopy : public ::testing::Test {
 protected:
  explicit HfCopy(const char* name = "hf_sharded") { fs::copy(golden(name), folder_.path() / "m"); }
  fs::path path(std::string_view name = "") const { return folder_.path() / "m" / name; }
  void change(std::string_view name, std::string_view from, std::string_view to) {
    std::string text = test::read_file(path(name));
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos);
    text.replace(at, from.size(), to);
    folder_.write(fs::path("m") / name, text);
  }
  test::TemporaryFolder folder_;
};

TEST_F(HfCopy, ALoneFileNeedsNoConfig) {
  const fs::path file =
      folder_.write("lone.safetensors", test::read_golden("hf_single/model.safetensors"));
  EXPECT_EQ(open_checkpoint(file).config, nullptr);
}

TEST_F(HfCopy, MissingWeights) {
  fs::remove(path("model.safetensors.index.json"));
  EXPECT_EQ(error_of(path()), path().string() +
                                  ": model.safetensors or model.safetensors.index.json expected, "
                                  "got neither");
}

TEST_F(HfCopy, AMissingShardIsNamed) {
  fs::remove(path("model-00002-of-00003.safetensors"));
  EXPECT_EQ(error_of(path()), path("model-00002-of-00003.safetensors").string() + ": no such file");
}

TEST_F(HfCopy, AMissingTensorIsNamed) {
  change("model.safetensors.index.json", "\"model.norm.weight\"", "\"model.worm.weight\"");
  EXPECT_EQ(error_of(path()), path("model-00003-of-00003.safetensors").string() +
                                  ": tensor 'model.worm.weight': expected in this file by "
                                  "model.safetensors.index.json, got none");
}

TEST_F(HfCopy, TensorsOutsideTheMapAreLeftOut) {
  change("model.safetensors.index.json",
         "\"model.layers.0.input_layernorm.weight\": \"model-00003-of-00003.safetensors\",", "");
  const Checkpoint file = open_checkpoint(path());
  EXPECT_EQ(file.tensors.size(), 10u);
  EXPECT_EQ(file.find("model.layers.0.input_layernorm.weight"), nullptr);
}

TEST_F(HfCopy, TheSingleFileWinsOverAnIndex) {
  folder_.write("m/model.safetensors", test::read_golden("hf_single/model.safetensors"));
  EXPECT_EQ(open_checkpoint(path()).maps.size(), 1u);
}

TEST_F(HfCopy, BrokenConfiguration) {
  folder_.write("m/config.json", "[]");
  EXPECT_EQ(error_of(path()), path("config.json").string() + ": an object expected, got array");
  folder_.write("m/config.json", "{");
  EXPECT_TRUE(error_of(path()).starts_with(path("config.json").string() + ": not valid JSON: "));
  folder_.write("m/config.json", std::string((16 << 20) + 1, ' '));
  EXPECT_EQ(error_of(path()),
            path("config.json").string() + ": 16777217 bytes, at most 16777216 expected");
}

TEST(Checkpoint, ADuplicateTensorIsAnError) {
  Checkpoint checkpoint;
  checkpoint.path = "memory";
  checkpoint.tensors.resize(2);
  checkpoint.tensors[0].name = checkpoint.tensors[1].name = "t";
  EXPECT_EQ(test::message_of([&] { checkpoint.index(); }),
            "memory: tensor 't': a unique name expected, got it twice");
}

}  // namespace
}  // namespace bittern::format
