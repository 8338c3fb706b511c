// Requests as the engine gets them: every field over a model's defaults, prompts as tokens.
#include "serve/openai/text_model.h"

#include <gtest/gtest.h>

#include "format/checkpoint.h"
#include "format/vocab.h"
#include "serve/refusal.h"
#include "serve/sampling_members.h"

namespace bittern::serve::openai {
namespace {

constexpr const char* kTemplate =
    "{% if tools %}TOOLS {% endif %}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n"
    "{% endfor %}{% if mood %}{{ mood }} {% endif %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}";

class TextModelTest : public testing::Test {
 protected:
  TextModelTest()
      : checkpoint_(format::open_checkpoint(BITTERN_SOURCE "/models/bittern-stories.gguf")),
        tokenizer_(text::Tokenizer::build(format::read_vocab(checkpoint_))),
        chat_(kTemplate, "test.jinja", checkpoint_),
        constraints_(*tokenizer_) {
    model_.tokenizer = tokenizer_.get();
    model_.chat = &chat_;
    model_.constraints = &constraints_;
    model_.sampling = {.repeat_penalty = 1.25, .top_k = 11, .temperature = 0.7};
    model_.context = 256;
    model_.token_count = tokenizer_->vocab_size();
  }

  PreparedText chat(const std::string& body) {
    const auto document = json::Document::parse(body, "body");
    return prepare(read_chat_request(document->root()), model_, kSeed);
  }
  PreparedText completion(const std::string& body) {
    const auto document = json::Document::parse(body, "body");
    return prepare(read_completion_request(document->root()), model_, kSeed);
  }
  engine::Request chat_with(const std::string& members) {
    return chat(R"({"messages":[{"role":"user","content":"Hi"}])" +
                (members.empty() ? "" : "," + members) + "}")
        .requests.at(0);
  }
  std::string text_of(const engine::Request& request) const {
    return tokenizer_->decode(request.prompt);
  }

  static constexpr uint64_t kSeed = 77;
  format::Checkpoint checkpoint_;
  std::unique_ptr<text::Tokenizer> tokenizer_;
  engine::ChatTemplate chat_;
  engine::ConstraintCache constraints_;
  TextModel model_;
};

TEST_F(TextModelTest, ASilentRequestHasTheModelsDefaults) {
  model_.max_tokens = 99;
  const engine::Request request = chat_with("");
  EXPECT_EQ(text_of(request), "[user] Hi\n[assistant]");
  EXPECT_EQ(request.sampling.temperature, 0.7);
  EXPECT_EQ(request.sampling.top_k, 11);
  EXPECT_EQ(request.sampling.repeat_penalty, 1.25);
  EXPECT_EQ(request.sampling.seed, kSeed);
  EXPECT_EQ(request.max_tokens, 99);
  EXPECT_EQ(request.choices, 1);
  EXPECT_FALSE(request.top_log_probability_count);
  EXPECT_FALSE(request.constraint);
  EXPECT_TRUE(request.reuse_prefix);
}

TEST_F(TextModelTest, WithoutAnyLimitAChatEndsWithTheContextAndACompletionWith16) {
  EXPECT_FALSE(chat_with("").max_tokens);
  EXPECT_EQ(completion(R"({"prompt": "a"})").requests[0].max_tokens, 16);
  model_.max_tokens = 5;
  EXPECT_EQ(completion(R"({"prompt": "a"})").requests[0].max_tokens, 5);
  EXPECT_EQ(completion(R"({"prompt": "a", "max_tokens": 3})").requests[0].max_tokens, 3);
}

TEST_F(TextModelTest, EveryFieldReachesTheEngine) {
  const engine::Request request = chat_with(test::kSamplingMembers + R"(,
      "max_tokens": 7, "n": 3, "stop": "END", "logprobs": true, "top_logprobs": 4,
      "logit_bias": {"12": -100}, "seed": 99, "top_k": -1, "repeat_last_n": -1, "min_tokens": 2,
      "ignore_eos": true, "stop_token_ids": [5], "priority": -3, "cache_salt": "s",
      "cache_prompt": false)");
  EXPECT_EQ(request.max_tokens, 7);
  EXPECT_EQ(request.choices, 3);
  EXPECT_EQ(request.stops, std::vector<std::string>{"END"});
  EXPECT_EQ(request.top_log_probability_count, 4);
  EXPECT_EQ(request.min_tokens, 2);
  EXPECT_TRUE(request.ignore_end_of_generation);
  EXPECT_EQ(request.stop_tokens, std::vector<int32_t>{5});
  EXPECT_EQ(request.priority, 3);  // vLLM: lower goes first
  EXPECT_EQ(request.tenant, "s");
  EXPECT_FALSE(request.reuse_prefix);
  const engine::SamplingOptions& sampling = request.sampling;
  test::expect_sampling_members(sampling);
  EXPECT_EQ(sampling.seed, 99u);
  EXPECT_EQ(sampling.top_k, 0);
  EXPECT_EQ(sampling.repeat_last_n, model_.context);
  ASSERT_EQ(sampling.logit_bias.size(), 1u);
  EXPECT_EQ(sampling.logit_bias[0].token, 12);
  EXPECT_EQ(chat_with(R"("seed": -5)").sampling.seed, kSeed);
}

TEST_F(TextModelTest, TemplatesGetToolsVariablesAndAnOpenEnd) {
  EXPECT_EQ(text_of(chat_with(R"("chat_template_kwargs": {"mood": "sad"})")),
            "[user] Hi\nsad [assistant]");
  EXPECT_EQ(text_of(chat_with(R"("add_generation_prompt": false)")), "[user] Hi\n");
  EXPECT_EQ(text_of(chat_with(R"("tools": [{"type": "function", "function": {"name": "f"}}])")),
            "TOOLS [user] Hi\n[assistant]");
  EXPECT_EQ(text_of(chat_with(R"("continue_final_message": true)")), "[user] Hi");
  const engine::ChatTemplate other("WITH {{ messages[0].content }}", "tools.jinja", checkpoint_);
  model_.tool_chat = &other;
  EXPECT_EQ(text_of(chat_with(R"("tools": [{"type": "function", "function": {"name": "f"}}])")),
            "WITH Hi");
  EXPECT_EQ(text_of(chat_with("")), "[user] Hi\n[assistant]");
}

TEST_F(TextModelTest, ADeveloperIsTheSystemToTemplatesThatDoNotKnowIt) {
  const char* body = R"({"messages": [{"role": "developer", "content": "Be kind."},
                                      {"role": "user", "content": "Hi"}]})";
  EXPECT_EQ(text_of(chat(body).requests[0]), "[system] Be kind.\n[user] Hi\n[assistant]");
  const engine::ChatTemplate knowing(
      std::string("{# system and developer are told apart #}") + kTemplate, "t", checkpoint_);
  model_.chat = &knowing;
  EXPECT_EQ(text_of(chat(body).requests[0]), "[developer] Be kind.\n[user] Hi\n[assistant]");
}

TEST_F(TextModelTest, PromptsAsTextOrTokensEachARequest) {
  const PreparedText prepared = completion(
      R"({"prompt": ["Once", "Twice"], "echo": true, "logprobs": 2, "n": 2, "best_of": 3})");
  ASSERT_EQ(prepared.requests.size(), 2u);
  EXPECT_EQ(prepared.requests[0].prompt, tokenizer_->encode("Once"));
  EXPECT_EQ(prepared.requests[1].best_of, 3);
  EXPECT_EQ(prepared.requests[1].choices, 2);
  EXPECT_EQ(prepared.requests[1].top_log_probability_count, 2);
  EXPECT_EQ(prepared.requests[1].prompt_log_probability_count, 2);
  EXPECT_EQ(prepared.echoes, (std::vector<std::string>{"Once", "Twice"}));
  const PreparedText ids = completion(R"({"prompt": [[40, 41]], "echo": true})");
  EXPECT_EQ(ids.requests[0].prompt, (std::vector<int32_t>{40, 41}));
  EXPECT_EQ(ids.echoes[0], tokenizer_->decode(std::vector<int32_t>{40, 41}));
  EXPECT_FALSE(ids.requests[0].prompt_log_probability_count);
  EXPECT_EQ(completion(R"({"prompt": "Once", "add_special_tokens": false})").requests[0].prompt,
            tokenizer_->encode("Once", {.add_special = false}));
}

TEST_F(TextModelTest, GrammarsAreCompiledAndShared) {
  const char* schema =
      R"("response_format": {"type": "json_schema", "json_schema":
         {"name": "n", "schema": {"type": "integer"}}})";
  const auto first = chat_with(schema).constraint;
  ASSERT_TRUE(first);
  EXPECT_EQ(chat_with(schema).constraint, first);
  chat::grammar::Matcher matcher(first);
  EXPECT_TRUE(matcher.accept_text("-12"));
  EXPECT_FALSE(matcher.accept_text("x"));
  for (const char* members :
       {R"("response_format": {"type": "json_object"})", R"("guided_regex": "[0-9]+")",
        R"("guided_choice": ["yes", "no"])", R"("grammar": "root ::= \"yes\"")"})
    EXPECT_TRUE(chat_with(members).constraint) << members;
}

TEST_F(TextModelTest, WhatCannotBeRunNamesTheField) {
  const auto last = fmt::format("{}", tokenizer_->vocab_size());
  const struct {
    std::string members;
    const char *param, *code;
  } cases[] = {
      {R"("logit_bias": {")" + last + R"(": 1})", "logit_bias", "invalid_value"},
      {R"("guided_regex": "(")", "guided_regex", "invalid_value"},
      {R"("response_format": {"type": "json_schema", "json_schema":
          {"name": "n", "schema": {"typ": "null"}}})",
       "response_format.json_schema.schema", "unsupported_parameter"},
      {R"("guided_regex": "(?=a)b")", "guided_regex", "unsupported_parameter"},
      {R"("grammar": "none")", "grammar", "invalid_value"},
  };
  for (const auto& [members, param, code] : cases) {
    const test::Refusal refusal = test::refusal_of([&, &members = members] { chat_with(members); });
    EXPECT_EQ(refusal.param, param) << members << "\n" << refusal.message;
    EXPECT_EQ(refusal.code, code) << members << "\n" << refusal.message;
  }
  EXPECT_EQ(test::refusal_of([&] { completion(R"({"prompt": [)" + last + "]}"); }).param, "prompt");
  EXPECT_EQ(test::refusal_of([&] { completion(R"({"prompt": ["a", []]})"); }).param, "prompt[1]");
  model_.context = 3;
  const test::Refusal longer = test::refusal_of([&] { chat_with(""); });
  EXPECT_EQ(longer.code, "context_length_exceeded");
  EXPECT_NE(longer.message.find("maximum context length of 3 tokens"), std::string::npos);
  model_.chat = nullptr;
  EXPECT_EQ(test::refusal_of([&] { chat_with(""); }).message,
            "messages: the model has no chat template");
}

TEST_F(TextModelTest, WhatATemplateRaisesIsAFaultOfTheMessages) {
  const engine::ChatTemplate strict("{{ raise_exception('only tools') }}", "t", checkpoint_);
  model_.chat = &strict;
  const test::Refusal refusal = test::refusal_of([&] { chat_with(""); });
  EXPECT_EQ(refusal.param, "messages");
  EXPECT_NE(refusal.message.find("only tools"), std::string::npos);
}

}  // namespace
}  // namespace bittern::serve::openai
