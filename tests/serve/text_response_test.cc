// Answers as OpenAI writes them, from made-up deltas over a vocabulary of ten tokens. That the
// official client reads them: tests/oracles/test_openai.py.
#include "serve/openai/text_response.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/fake_tokenizer.h"
#include "serve/openai/error.h"
#include "throws.h"

namespace bittern::serve::openai {
namespace {

using engine::Delta;
using engine::Ending;
using engine::FinishReason;
using engine::LogProbabilities;

const engine::FakeTokenizer& tokenizer() {
  static const engine::FakeTokenizer fake;
  return fake;
}

Ending ending(FinishReason reason, int64_t generated) {
  return {.reason = reason,
          .stop = {},
          .error = reason == FinishReason::failed ? "no token" : "",
          .usage = {.prompt_tokens = 4, .cached_tokens = 3, .generated_tokens = generated}};
}

PreparedText prompts(size_t count) {
  PreparedText prepared;
  prepared.requests.resize(count);
  return prepared;
}

ResponseOptions options(TextKind kind, int64_t choices, bool log_probabilities) {
  return {.kind = kind,
          .id = "id-1",
          .created = 17,
          .model = "model",
          .fingerprint = "fp",
          .choices = choices,
          .log_probabilities = log_probabilities};
}

TEST(TextResponse, ChatWithTwoChoices) {
  TextResponse response(prompts(1), tokenizer(), options(TextKind::chat, 2, false));
  response.add(0, {.choice = 0, .text = "a", .tokens = {1}});
  response.add(0, {.choice = 1, .text = "b"});
  response.add(0, {.choice = 0, .text = "b", .ending = ending(FinishReason::stop_token, 3)});
  EXPECT_FALSE(response.is_done());
  response.add(0, {.choice = 1, .text = "", .ending = ending(FinishReason::max_tokens, 1)});
  EXPECT_TRUE(response.is_done());
  EXPECT_EQ(to_text(response.json()),
            R"({"id":"id-1","object":"chat.completion","created":17,"model":"model","choices":[)"
            R"({"index":0,"message":{"role":"assistant","content":"ab","refusal":null},)"
            R"("logprobs":null,"finish_reason":"stop"},)"
            R"({"index":1,"message":{"role":"assistant","content":"b","refusal":null},)"
            R"("logprobs":null,"finish_reason":"length"}],)"
            R"("usage":{"prompt_tokens":4,"completion_tokens":4,"total_tokens":8,)"
            R"("prompt_tokens_details":{"cached_tokens":3}},"system_fingerprint":"fp"})");
}

TEST(TextResponse, ChatLogProbabilitiesHaveBytes) {
  TextResponse response(prompts(1), tokenizer(), options(TextKind::chat, 1, true));
  response.add(0, {.text = "a",
                   .tokens = {1, 0},
                   .log_probabilities = {{.chosen = {1, -0.5}, .top = {{1, -0.5}, {6, -2.0}}},
                                         {.chosen = {0, -INFINITY}, .top = {}}},
                   .ending = ending(FinishReason::stop_token, 2)});
  // Half a character is U+FFFD as text, and itself as bytes.
  EXPECT_EQ(to_text(response.json()["choices"][0]["logprobs"]),
            R"({"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[)"
            R"({"token":"a","logprob":-0.5,"bytes":[97]},)"
            "{\"token\":\"\xef\xbf\xbd\",\"logprob\":-2.0,\"bytes\":[195]}]},"
            R"({"token":"<end>","logprob":-9999.0,"bytes":[60,101,110,100,62],)"
            R"("top_logprobs":[]}],"refusal":null})");
}

TEST(TextResponse, CompletionChoicesCountOverThePrompts) {
  TextResponse response(prompts(2), tokenizer(), options(TextKind::completion, 2, false));
  for (const int64_t prompt : {1, 0})
    for (const int64_t choice : {1, 0})
      response.add(prompt, {.choice = choice,
                            .text = fmt::format("{}{}", prompt, choice),
                            .ending = ending(FinishReason::stop_string, 1)});
  const JsonBuilder body = response.json();
  EXPECT_EQ(body["object"], "text_completion");
  for (size_t index = 0; index < 4; ++index) {
    EXPECT_EQ(body["choices"][index]["index"], index);
    EXPECT_EQ(body["choices"][index]["text"], fmt::format("{}{}", index / 2, index % 2));
  }
  // Each prompt counts once.
  EXPECT_EQ(body["usage"]["prompt_tokens"], 8);
  EXPECT_EQ(body["usage"]["prompt_tokens_details"]["cached_tokens"], 6);
  EXPECT_EQ(body["usage"]["completion_tokens"], 4);
}

// What lm-evaluation-harness sums: one entry for each token of the prompt and of the text, null
// first; the token itself is always among the likeliest.
TEST(TextResponse, EchoWithLogProbabilities) {
  PreparedText prepared = prompts(1);
  prepared.requests[0].prompt = {1, 8, 6};
  prepared.requests[0].prompt_log_probability_count = 1;
  prepared.echoes = {"a \xc3"};
  TextResponse response(prepared, tokenizer(), options(TextKind::completion, 1, true));
  response.add(0, {.text = "\xc3\xa9",
                   .tokens = {7},
                   .log_probabilities = {{.chosen = {7, -0.25}, .top = {{7, -0.25}}}},
                   .prompt_log_probabilities = {{.chosen = {8, -3.0}, .top = {{1, -0.5}}},
                                                {.chosen = {6, -1.0}, .top = {{6, -1.0}}}},
                   .ending = ending(FinishReason::max_tokens, 1)});
  const JsonBuilder choice = response.json()["choices"][0];
  EXPECT_EQ(choice["text"], "a \xc3\xc3\xa9");
  EXPECT_EQ(to_text(choice["logprobs"]),
            R"({"tokens":["a"," ","bytes:\\xc3","bytes:\\xa9"],)"
            R"("token_logprobs":[null,-3.0,-1.0,-0.25],)"
            R"("top_logprobs":[null,{"a":-0.5," ":-3.0},{"bytes:\\xc3":-1.0},)"
            R"({"bytes:\\xa9":-0.25}],"text_offset":[0,1,2,3]})");
}

TEST(TextResponse, AChoiceThatFailedIsAnErrorOfTheRequest) {
  TextResponse response(prompts(1), tokenizer(), options(TextKind::chat, 1, false));
  response.add(0, {.ending = ending(FinishReason::failed, 0)});
  const auto thrown = bittern::test::thrown_by([&] { (void)response.json(); });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::internal);
  EXPECT_EQ(thrown->message, "choice 0: no token");
}

TEST(ErrorReply, StatusTypeParameterAndCode) {
  const auto reply = [](const Error& error) {
    const ErrorReply made = error_reply(error);
    return fmt::format("{} {}", made.status, to_text(made.body["error"]));
  };
  EXPECT_EQ(reply(FieldError(ErrorKind::bad_input, "n", error_code::kValue, "1 expected")),
            R"(400 {"message":"n: 1 expected","type":"invalid_request_error","param":"n",)"
            R"("code":"invalid_value"})");
  EXPECT_EQ(reply(Error(ErrorKind::usage, "x")),
            R"(400 {"message":"x","type":"invalid_request_error","param":null,"code":null})");
  EXPECT_EQ(reply(Error(ErrorKind::resources, "x")),
            R"(503 {"message":"x","type":"server_error","param":null,"code":null})");
  EXPECT_EQ(reply(Error(ErrorKind::internal, "x")),
            R"(500 {"message":"x","type":"server_error","param":null,"code":null})");
}

}  // namespace
}  // namespace bittern::serve::openai
