// Where chat templates are found, which one is chosen, and the special tokens beside them.
#include "format/chat_template.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "temporary_folder.h"
#include "throws.h"

namespace bittern::test {
namespace {

using format::ChatTemplateSource;
using format::Checkpoint;

Checkpoint folder_checkpoint(const TemporaryFolder& folder, const std::string& config) {
  Checkpoint checkpoint;
  checkpoint.container = format::Container::hf_folder;
  checkpoint.path = folder.path();
  if (!config.empty())
    checkpoint.tokenizer_config = json::Document::parse(config, "tokenizer_config.json");
  return checkpoint;
}

std::vector<std::pair<std::string, std::string>> names_and_texts(const Checkpoint& checkpoint) {
  std::vector<std::pair<std::string, std::string>> found;
  for (const ChatTemplateSource& source : format::read_chat_templates(checkpoint))
    found.emplace_back(source.name, source.text);
  return found;
}

using Found = std::vector<std::pair<std::string, std::string>>;

TEST(ChatTemplateSource, FilesComeBeforeFields) {
  const TemporaryFolder folder;
  const std::string config = R"({"chat_template": "field"})";
  EXPECT_EQ(names_and_texts(folder_checkpoint(folder, "")), Found{});
  folder.write("chat_template.json", R"({"chat_template": "legacy"})");
  EXPECT_EQ(names_and_texts(folder_checkpoint(folder, "")), (Found{{"default", "legacy"}}));
  EXPECT_EQ(names_and_texts(folder_checkpoint(folder, config)), (Found{{"default", "field"}}));
  folder.write("additional_chat_templates/tool_use.jinja", "tools");
  folder.write("additional_chat_templates/README.md", "not one");
  folder.write("chat_template.jinja", "file\n");
  EXPECT_EQ(names_and_texts(folder_checkpoint(folder, config)),
            (Found{{"default", "file\n"}, {"tool_use", "tools"}}));
}

TEST(ChatTemplateSource, ListOfNamedOnes) {
  const TemporaryFolder folder;
  const auto checkpoint = folder_checkpoint(
      folder,
      R"({"chat_template": [{"name": "default", "template": "a"}, {"name": "rag", "template": "b"}]})");
  EXPECT_EQ(names_and_texts(checkpoint), (Found{{"default", "a"}, {"rag", "b"}}));
  EXPECT_NE(message_of([&] {
              names_and_texts(folder_checkpoint(folder, R"({"chat_template": [{"name": "x"}]})"));
            }).find("'name' and 'template' expected"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              names_and_texts(folder_checkpoint(folder, R"({"chat_template": 5})"));
            }).find("string expected, got 5"),
            std::string::npos);
}

TEST(ChatTemplateSource, GgufKeys) {
  Checkpoint checkpoint;
  checkpoint.container = format::Container::gguf;
  checkpoint.metadata.file_name = "m.gguf";
  checkpoint.metadata.set("tokenizer.chat_templates",
                          format::value_of(std::vector<std::string>{"tool_use"}));
  checkpoint.metadata.set("tokenizer.chat_template", format::value_of("a"));
  checkpoint.metadata.set("tokenizer.chat_template.tool_use", format::value_of("b"));
  EXPECT_EQ(names_and_texts(checkpoint), (Found{{"default", "a"}, {"tool_use", "b"}}));
}

TEST(ChatTemplateSource, Choice) {
  const std::vector<ChatTemplateSource> none,
      both = {{"tool_use", "t", "f"}, {"default", "d", "f"}};
  const std::vector<ChatTemplateSource> one = {{"rag", "r", "f"}};
  const std::vector<ChatTemplateSource> odd = {{"rag", "r", "f"}, {"x", "x", "f"}};
  EXPECT_EQ(format::choose_chat_template(none, std::nullopt, true), nullptr);
  EXPECT_EQ(format::choose_chat_template(both, std::nullopt, false)->text, "d");
  EXPECT_EQ(format::choose_chat_template(both, std::nullopt, true)->text, "t");
  EXPECT_EQ(format::choose_chat_template(both, "tool_use", false)->text, "t");
  EXPECT_EQ(format::choose_chat_template(one, std::nullopt, true)->text, "r");
  EXPECT_NE(message_of([&] {
              format::choose_chat_template(both, "rag", false);
            }).find("one of tool_use, default expected, got 'rag'"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              format::choose_chat_template(odd, std::nullopt, false);
            }).find("got rag, x"),
            std::string::npos);
}

TEST(ChatTemplateSource, SpecialTokens) {
  const TemporaryFolder folder;
  const auto checkpoint = folder_checkpoint(
      folder, R"({"bos_token": {"content": "<s>", "lstrip": false}, "eos_token": "</s>",
                  "pad_token": null, "add_bos_token": true, "image_token": "<img>"})");
  EXPECT_EQ(format::read_special_tokens(checkpoint),
            (Found{{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"image_token", "<img>"}}));
  Checkpoint gguf;
  gguf.container = format::Container::gguf;
  gguf.metadata.set("tokenizer.ggml.tokens",
                    format::value_of(std::vector<std::string>{"<unk>", "<s>", "</s>"}));
  gguf.metadata.set("tokenizer.ggml.bos_token_id", format::value_of(uint32_t{1}));
  gguf.metadata.set("tokenizer.ggml.eos_token_id", format::value_of(uint32_t{2}));
  gguf.metadata.set("tokenizer.ggml.padding_token_id", format::value_of(uint32_t{99}));
  EXPECT_EQ(format::read_special_tokens(gguf),
            (Found{{"bos_token", "<s>"}, {"eos_token", "</s>"}}));
}

}  // namespace
}  // namespace bittern::test
