// Bodies of /v1/completions and /v1/embeddings.
#include "serve/openai/completion_request.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "serve/openai/embedding_request.h"
#include "serve/refusal.h"

namespace bittern::serve::openai {
namespace {

CompletionRequest read(const std::string& body) {
  const auto document = json::Document::parse(body, "body");
  return read_completion_request(document->root());
}

EmbeddingRequest read_embedding(const std::string& body) {
  const auto document = json::Document::parse(body, "body");
  return read_embedding_request(document->root());
}

using Tokens = std::vector<int32_t>;

TEST(CompletionRequest, PromptsInEveryForm) {
  const struct {
    const char* prompt;
    std::vector<PromptField> expected;
  } cases[] = {
      {R"("Hi")", {"Hi"}},
      {R"("")", {""}},
      {R"(["a", "b"])", {"a", "b"}},
      {"[1, 2]", {Tokens{1, 2}}},
      {"[[1, 2], [3]]", {Tokens{1, 2}, Tokens{3}}},
  };
  for (const auto& [prompt, expected] : cases)
    EXPECT_EQ(read(fmt::format(R"({{"prompt": {}}})", prompt)).prompts, expected) << prompt;
}

TEST(CompletionRequest, EveryFieldOfItsOwn) {
  const CompletionRequest request = read(R"({"model": "m", "prompt": "x", "max_tokens": 0,
      "best_of": 4, "n": 2, "echo": true, "logprobs": 3, "add_special_tokens": false,
      "suffix": "", "user": "u", "temperature": 0})");
  EXPECT_EQ(request.text.max_tokens, 0);
  EXPECT_EQ(request.best_of, 4);
  EXPECT_EQ(request.text.choices, 2);
  EXPECT_TRUE(request.echo);
  EXPECT_EQ(request.top_log_probabilities, 3);
  EXPECT_FALSE(request.add_special_tokens);
  EXPECT_EQ(request.text.sampling.temperature, 0.0);
  EXPECT_TRUE(read(R"({"prompt": "x"})").add_special_tokens);
}

TEST(CompletionRequest, RefusalsNameTheField) {
  const struct {
    const char *body, *param, *code;
  } cases[] = {
      {R"({})", "prompt", "missing_required_parameter"},
      {R"({"prompt": null})", "prompt", "missing_required_parameter"},
      {R"({"prompt": 3})", "prompt", "invalid_type"},
      {R"({"prompt": []})", "prompt", "invalid_value"},
      {R"({"prompt": ["a", 1]})", "prompt[1]", "invalid_type"},
      {R"({"prompt": [1, "a"]})", "prompt[1]", "invalid_type"},
      {R"({"prompt": [[1], [-1]]})", "prompt[1][0]", "invalid_value"},
      {R"({"prompt": "x", "suffix": "y"})", "suffix", "unsupported_parameter"},
      {R"({"prompt": "x", "n": 3, "best_of": 2})", "best_of", "invalid_value"},
      {R"({"prompt": "x", "best_of": 2, "stream": true})", "best_of", "invalid_value"},
      {R"({"prompt": "x", "logprobs": true})", "logprobs", "invalid_type"},
      {R"({"prompt": "x", "logprobs": 21})", "logprobs", "invalid_value"},
      {R"({"prompt": "x", "messages": []})", "messages", "unknown_parameter"},
      {R"({"prompt": "x", "max_completion_tokens": 3})", "max_completion_tokens",
       "unknown_parameter"},
  };
  for (const auto& [body, param, code] : cases) {
    const test::Refusal refusal = test::refusal_of([&] { read(body); });
    EXPECT_EQ(refusal.param, param) << body << "\n" << refusal.message;
    EXPECT_EQ(refusal.code, code) << body << "\n" << refusal.message;
  }
}

TEST(EmbeddingRequest, FieldsAndRefusals) {
  const EmbeddingRequest request = read_embedding(
      R"({"model": "m", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 3,
          "user": "u"})");
  EXPECT_EQ(request.inputs.size(), 2u);
  EXPECT_TRUE(request.base64);
  EXPECT_EQ(request.dimensions, 3);
  EXPECT_FALSE(read_embedding(R"({"input": "a"})").base64);
  EXPECT_EQ(
      test::refusal_of([] { read_embedding(R"({"input": "a", "encoding_format": "x"})"); }).param,
      "encoding_format");
  EXPECT_EQ(test::refusal_of([] { read_embedding(R"({"input": "a", "prompt": "x"})"); }).param,
            "prompt");
}

// 1.5 is 0x3fc00000, and the lowest byte goes first.
TEST(EmbeddingRequest, AnswersInNumbersOrBytes) {
  const std::vector<std::vector<float>> vectors = {{1.5f, -2.0f}};
  const JsonBuilder numbers =
      embedding_response(read_embedding(R"({"input": "a"})"), "model", vectors, 7);
  EXPECT_EQ(to_text(numbers),
            R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[1.5,-2.0]}],)"
            R"("model":"model","usage":{"prompt_tokens":7,"total_tokens":7}})");
  const JsonBuilder bytes = embedding_response(
      read_embedding(R"({"input": "a", "encoding_format": "base64"})"), "model", vectors, 7);
  EXPECT_EQ(base64_decode(bytes["data"][0]["embedding"].get<std::string>()),
            std::string("\0\0\xc0\x3f\0\0\0\xc0", 8));
}

}  // namespace
}  // namespace bittern::serve::openai
