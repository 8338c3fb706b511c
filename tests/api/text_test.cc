// Tokens and chat templates through the C API, as the program's own verbs have them; and the rules
// of buffers.
#include <array>
#include <string>

#include "api/api_support.h"
#include "cli/program_support.h"
#include "temporary_folder.h"

namespace bittern::test {
namespace {

constexpr const char* kTemplate =
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    "{% if tools %}[{{ tools | length }}]{% endif %}"
    "{% if add_generation_prompt %}<assistant>{{ mood }}{% endif %}";

class ApiText : public testing::Test {
 protected:
  static void SetUpTestSuite() { model_ = load_example(); }
  static void TearDownTestSuite() { model_.reset(); }

  static std::string detokenize(const std::vector<int32_t>& tokens, int32_t flags = 0) {
    size_t bytes = 0;
    EXPECT_EQ(outcome(bittern_detokenize(model_.get(), tokens.data(), tokens.size(), flags, nullptr,
                                         0, &bytes)),
              "ok");
    std::string text(bytes + 1, '?');
    EXPECT_EQ(outcome(bittern_detokenize(model_.get(), tokens.data(), tokens.size(), flags,
                                         text.data(), text.size(), &bytes)),
              "ok");
    EXPECT_EQ(text.back(), '\0');
    text.pop_back();
    return text;
  }

  // The text of a conversation, or "status: message".
  static std::string rendered(const std::vector<bittern_message>& messages,
                              const std::string& json) {
    std::array<char, 1000> text{};
    size_t bytes = 0;
    const int32_t status = bittern_apply_chat_template(
        model_.get(), messages.data(), messages.size(), json.empty() ? nullptr : json.c_str(),
        text.data(), text.size(), &bytes);
    return status == BITTERN_OK ? std::string(text.data(), bytes) : outcome(status);
  }

  // What spells the token that ends a text.
  static std::string end_text() {
    return detokenize({info_of(model_.get()).eos_token}, BITTERN_KEEP_SPECIAL);
  }

  inline static ModelHandle model_;
};

// The template with more members: `more` is an object.
std::string with_template(const JsonBuilder& more = JsonBuilder::object()) {
  JsonBuilder json = more;
  json["chat_template"] = kTemplate;
  return json.dump();
}

TEST_F(ApiText, TokensAreThoseOfTheProgram) {
  const std::string text = "The little bird said: " + end_text() + " caf\xc3\xa9!\n";
  const std::vector<int32_t> ids =
      json_of(run_program({"tokenize", example_model(), text, "--json"}))["ids"];
  EXPECT_EQ(tokenize(model_.get(), text), ids);
  const std::vector<int32_t> plain =
      json_of(run_program({"tokenize", example_model(), text, "--json", "--no-special"}))["ids"];
  EXPECT_EQ(tokenize(model_.get(), text, 0), plain);
  EXPECT_NE(ids, plain);
}

TEST_F(ApiText, ThereAndBack) {
  const std::string text = "One day,\ta bird \xf0\x9f\x90\xa6 sang.";
  const std::vector<int32_t> tokens = tokenize(model_.get(), text);
  EXPECT_EQ(detokenize(tokens), text);
  EXPECT_EQ(detokenize(tokens, BITTERN_KEEP_SPECIAL),
            detokenize({tokens[0]}, BITTERN_KEEP_SPECIAL) + text);
  EXPECT_EQ(detokenize({}), "");
  std::string joined;
  for (size_t i = 1; i < tokens.size(); ++i) {
    std::array<char, 64> piece{};
    size_t bytes = 0;
    ASSERT_EQ(bittern_token_bytes(model_.get(), tokens[i], piece.data(), piece.size(), &bytes),
              BITTERN_OK);
    joined.append(piece.data(), bytes);
  }
  EXPECT_EQ(joined, text);
}

TEST_F(ApiText, ATextMayHoldNulAndEndAtOne) {
  const std::string text{"a\0b", 3};
  EXPECT_EQ(detokenize(tokenize(model_.get(), text, 0)), text);
  std::array<int32_t, 8> tokens{};
  size_t count = 0;
  ASSERT_EQ(
      bittern_tokenize(model_.get(), text.data(), BITTERN_UNTIL_NUL, 0, tokens.data(), 8, &count),
      BITTERN_OK);
  EXPECT_EQ(std::vector<int32_t>(tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(count)),
            tokenize(model_.get(), "a", 0));
}

TEST_F(ApiText, ABufferThatIsTooSmallSaysHowMuchIsNeeded) {
  std::array<int32_t, 2> tokens{-7, -7};
  size_t count = 0;
  EXPECT_EQ(outcome(bittern_tokenize(model_.get(), "a b c d", BITTERN_UNTIL_NUL, 0, tokens.data(),
                                     2, &count)),
            "2: capacity: at least 4 expected, got 2");
  EXPECT_EQ(count, 4u);
  EXPECT_EQ(tokens[0], -7);
  std::array<char, 3> text{'?', '?', '?'};
  const std::vector<int32_t> three = tokenize(model_.get(), "abc", 0);
  size_t bytes = 0;
  EXPECT_EQ(outcome(bittern_detokenize(model_.get(), three.data(), three.size(), 0, text.data(), 3,
                                       &bytes)),
            "2: capacity: at least 4 expected, got 3");  // with its NUL
  EXPECT_EQ(bytes, 3u);
  EXPECT_EQ(text[0], '?');
}

TEST_F(ApiText, BadArgumentsAreNamed) {
  size_t count = 0;
  const int32_t wrong = 1 << 30;
  std::array<char, 8> text{};
  EXPECT_EQ(outcome(bittern_tokenize(model_.get(), nullptr, 3, 0, nullptr, 0, &count)),
            "2: text: a pointer expected, got NULL");
  EXPECT_EQ(outcome(bittern_tokenize(model_.get(), "a", 1, 8, nullptr, 0, &count)),
            "2: flags: some of 0x3 expected, got 0x8");
  EXPECT_EQ(outcome(bittern_tokenize(model_.get(), "a", 1, 0, nullptr, 5, &count)),
            "2: result: a pointer expected, got NULL");
  EXPECT_EQ(outcome(bittern_tokenize(model_.get(), "a", 1, 0, nullptr, 0, nullptr)),
            "2: count: a pointer expected, got NULL");
  EXPECT_EQ(outcome(bittern_tokenize(nullptr, "a", 1, 0, nullptr, 0, &count)),
            "2: model: a pointer expected, got NULL");
  EXPECT_EQ(
      outcome(bittern_detokenize(model_.get(), &wrong, 1, 0, text.data(), 8, &count)).substr(0, 14),
      "2: token: 0 to");
  EXPECT_EQ(bittern_token_bytes(model_.get(), -1, text.data(), 8, &count), BITTERN_ERROR_USAGE);
  EXPECT_EQ(bittern_detokenize(model_.get(), nullptr, 1, 0, text.data(), 8, &count),
            BITTERN_ERROR_USAGE);
}

TEST_F(ApiText, AConversationComesFromTheArrayAndFromJson) {
  EXPECT_EQ(rendered({{"system", "Be kind."}, {"user", "Hi"}}, with_template()),
            "<system>Be kind.<user>Hi<assistant>");
  JsonBuilder more = {{"messages", {{{"role", "assistant"}, {"content", "Hm"}}}},
                      {"tools", {{{"a", 1}}}},
                      {"chat_template_kwargs", {{"mood", "!"}}}};
  EXPECT_EQ(rendered({{"user", "Hi"}}, with_template(more)),
            "<user>Hi<assistant>Hm[1]<assistant>!");
  more = {{"add_generation_prompt", false}};
  EXPECT_EQ(rendered({{"user", "Hi"}}, with_template(more)), "<user>Hi");
}

TEST_F(ApiText, WhatAUserTypesIsNoSpecialToken) {
  const std::string typed = end_text();
  const std::vector<bittern_message> messages{{"user", typed.c_str()}};
  const std::string json = with_template();
  size_t count = 0;
  std::array<int32_t, 64> tokens{};
  ASSERT_EQ(outcome(bittern_tokenize_chat(model_.get(), messages.data(), 1, json.c_str(),
                                          tokens.data(), tokens.size(), &count)),
            "ok");
  const int32_t end = info_of(model_.get()).eos_token;
  EXPECT_EQ(std::count(tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(count), end), 0);
  // As text it would be one.
  const std::vector<int32_t> as_text =
      tokenize(model_.get(), rendered(messages, json), BITTERN_PARSE_SPECIAL);
  EXPECT_EQ(std::count(as_text.begin(), as_text.end(), end), 1);
}

TEST_F(ApiText, TheModelsOwnTemplateIsUsed) {
  const TemporaryFolder folder;
  const ModelHandle model =
      load(changed_model(folder, "tokenizer.chat_template", format::value_of(kTemplate)));
  EXPECT_EQ(info_of(model.get()).has_chat_template, 1);
  bittern_generate_options options = generate_options(model.get());
  options.prompt = nullptr;
  const bittern_message message{"user", "Tell me of a bird"};
  options.messages = &message;
  options.message_count = 1;
  const Finished run = run_program({"run", info_of(model.get()).path, message.content, "-n", "32",
                                    "--seed", "1", "--quiet", "--cache", "off"});
  EXPECT_EQ(text_of(model.get(), options) + "\n", run.out);
}

TEST_F(ApiText, BadConversationsAreRefused) {
  EXPECT_EQ(rendered({{"user", "x"}}, "").substr(0, 2), "2:");  // no template
  EXPECT_EQ(rendered({}, with_template()), "2: messages: at least one message expected");
  EXPECT_EQ(rendered({{"user", nullptr}}, with_template()),
            "2: messages: content: a pointer expected, got NULL");
  EXPECT_EQ(rendered({{"user", "x"}}, "{").substr(0, 2), "3:");
  EXPECT_EQ(rendered({{"user", "x"}}, "[]").substr(0, 2), "3:");
  EXPECT_EQ(rendered({{"user", "x"}}, R"({"temperature":1})").substr(0, 22),
            "2: chat_json: messages");
  EXPECT_EQ(rendered({{"user", "x"}}, R"({"tools":{}})"),
            "2: chat_json: tools: an array expected, got object");
  EXPECT_EQ(rendered({{"user", "x"}}, R"({"chat_template":"{{"})").substr(0, 2), "3:");
}

}  // namespace
}  // namespace bittern::test
