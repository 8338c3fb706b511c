// Bodies of /v1/chat/completions: what becomes of each field, and what is refused, by which name.
#include "serve/openai/chat_request.h"

#include <gtest/gtest.h>

#include "serve/openai/error.h"
#include "serve/refusal.h"
#include "serve/sampling_members.h"

namespace bittern::serve::openai {
namespace {

ChatRequest read(const std::string& body) {
  const auto document = json::Document::parse(body, "body");
  return read_chat_request(document->root());
}

// A body with one message and these members.
std::string with(const std::string& members) {
  return R"({"messages":[{"role":"user","content":"Hi"}])" +
         (members.empty() ? "" : "," + members) + "}";
}

std::string text_at(const chat::Value& value, std::initializer_list<const char*> names) {
  const chat::Value* at = &value;
  for (const char* name : names) {
    at = at->find(name);
    if (at == nullptr) return "(absent)";
  }
  return at->text() != nullptr ? *at->text() : "(no text)";
}

TEST(ChatRequest, LeastBody) {
  const ChatRequest request = read(with(""));
  ASSERT_EQ(request.messages.size(), 1u);
  EXPECT_EQ(text_at(request.messages[0], {"role"}), "user");
  EXPECT_EQ(text_at(request.messages[0], {"content"}), "Hi");
  EXPECT_TRUE(request.tools.is_null());
  EXPECT_TRUE(request.add_generation_prompt);
  EXPECT_FALSE(request.top_log_probabilities);
  EXPECT_FALSE(request.text.max_tokens);
  EXPECT_EQ(request.text.choices, 1);
}

TEST(ChatRequest, EveryFieldThatIsHonoured) {
  const ChatRequest request = read(with(test::kSamplingMembers + R"(,
      "model": "m", "max_completion_tokens": 7, "n": 3, "stop": ["a", "b"], "logprobs": true,
      "top_logprobs": 4, "logit_bias": {"12": -100, "3": 2.5}, "seed": 99, "top_k": 5,
      "repeat_last_n": 32, "min_tokens": 2, "ignore_eos": true, "stop_token_ids": [1, 2],
      "priority": -3, "cache_salt": "s", "cache_prompt": false, "stream": true,
      "stream_options": {"include_usage": true},
      "chat_template_kwargs": {"enable_thinking": false}, "reasoning_effort": "low",
      "documents": [{"title": "t", "text": "x"}], "add_generation_prompt": false)"));
  const TextFields& text = request.text;
  EXPECT_EQ(text.model, "m");
  EXPECT_EQ(text.max_tokens, 7);
  EXPECT_EQ(text.choices, 3);
  EXPECT_EQ(text.stops, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(request.top_log_probabilities, 4);
  EXPECT_EQ(text.min_tokens, 2);
  EXPECT_TRUE(text.ignore_eos);
  EXPECT_EQ(text.stop_tokens, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(text.priority, -3);
  EXPECT_EQ(text.cache_salt, "s");
  EXPECT_FALSE(text.cache_prompt);
  EXPECT_TRUE(text.stream);
  EXPECT_TRUE(text.stream_usage);
  EXPECT_FALSE(request.add_generation_prompt);
  ASSERT_EQ(request.template_options.size(), 2u);
  EXPECT_EQ(request.template_options[0].first, "enable_thinking");
  EXPECT_EQ(request.template_options[1].first, "reasoning_effort");
  EXPECT_EQ(request.documents.list()->size(), 1u);
  const SamplingFields& sampling = text.sampling;
  test::expect_sampling_members(sampling);
  EXPECT_EQ(sampling.seed, 99);
  EXPECT_EQ(sampling.top_k, 5);
  EXPECT_EQ(sampling.repeat_last_n, 32);
  ASSERT_EQ(sampling.logit_bias.size(), 2u);
  EXPECT_EQ(sampling.logit_bias[0].token, 12);
  EXPECT_EQ(sampling.logit_bias[0].bias, -100.0f);
  EXPECT_EQ(sampling.logit_bias[1].bias, 2.5f);
}

// They say something of the caller or of caches, and change no answer.
TEST(ChatRequest, DataOfTheCallersIsTolerated) {
  read(with(R"("user": "u", "metadata": {"a": "b"}, "safety_identifier": "x",
      "prompt_cache_key": "k", "prompt_cache_retention": "24h", "prompt_cache_options": {},
      "store": false, "service_tier": "auto", "modalities": ["text"], "verbosity": "medium",
      "parallel_tool_calls": true, "skip_special_tokens": true)"));
  // null is absent, whatever the field.
  read(with(R"("temperature": null, "audio": null, "functions": null, "stop": null, "n": null,
      "response_format": null, "tools": null, "tool_choice": null, "logit_bias": null)"));
}

TEST(ChatRequest, RepetitionPenaltyLooksAtTheWholeText) {
  const SamplingFields fields = read(with(R"("repetition_penalty": 1.2)")).text.sampling;
  EXPECT_EQ(fields.repeat_penalty, 1.2);
  EXPECT_EQ(fields.repeat_last_n, -1);
}

TEST(ChatRequest, MessagesReachTheTemplateWithTheirFields) {
  const ChatRequest request = read(R"({"messages": [
      {"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
      {"role": "user", "content": "x", "name": "Ann"},
      {"role": "assistant", "content": null, "refusal": null, "annotations": [], "audio": null,
       "function_call": null, "reasoning_content": "hm", "tool_calls": [
         {"id": "call_1", "type": "function",
          "function": {"name": "f", "arguments": "{\"city\": \"Bern\"}"}}]},
      {"role": "tool", "content": "sunny", "tool_call_id": "call_1"}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    "tool_choice": "auto"})");
  ASSERT_EQ(request.messages.size(), 4u);
  EXPECT_EQ(text_at(request.messages[0], {"content"}), "a\nb");
  EXPECT_EQ(text_at(request.messages[1], {"name"}), "Ann");
  const chat::Value& answer = request.messages[2];
  EXPECT_EQ(text_at(answer, {"content"}), "");
  EXPECT_EQ(text_at(answer, {"reasoning_content"}), "hm");
  EXPECT_EQ(answer.find("annotations"), nullptr);
  const chat::Value& call = answer.find("tool_calls")->list()->front();
  EXPECT_EQ(text_at(call, {"id"}), "call_1");
  EXPECT_EQ(text_at(call, {"function", "name"}), "f");
  EXPECT_EQ(text_at(call, {"function", "arguments", "city"}), "Bern");
  EXPECT_EQ(text_at(request.messages[3], {"tool_call_id"}), "call_1");
  EXPECT_EQ(text_at(request.tools.list()->front(), {"function", "parameters", "type"}), "object");
}

TEST(ChatRequest, WithToolChoiceNoneTheModelIsNotToldOfTools) {
  EXPECT_TRUE(read(with(R"("tools": [{"type": "function", "function": {"name": "f"}}],
                           "tool_choice": "none")"))
                  .tools.is_null());
}

TEST(ChatRequest, WhatATextMustMatch) {
  using Kind = ConstraintField::Kind;
  const struct {
    const char* members;
    Kind kind;
    const char *text, *path;
  } cases[] = {
      {R"("response_format": {"type": "json_object"})", Kind::json_object, "",
       "response_format.type"},
      {R"("response_format": {"type": "json_schema", "json_schema":
           {"name": "n", "strict": true, "description": "d", "schema": {"type": "null"}}})",
       Kind::json_schema, R"({"type":"null"})", "response_format.json_schema.schema"},
      {R"("response_format": {"type": "json_schema", "json_schema": {"name": "n"}})",
       Kind::json_object, "", "response_format.type"},
      {R"("response_format": {"type": "json_object", "schema": {"multipleOf": 0.01}})",
       Kind::json_schema, R"({"multipleOf":0.01})", "response_format.schema"},
      {R"("structured_outputs": {"json": {"const": 1}})", Kind::json_schema, R"({"const":1})",
       "structured_outputs.json"},
      {R"("structured_outputs": {"regex": "a+"})", Kind::regex, "a+", "structured_outputs.regex"},
      {R"("structured_outputs": {"choice": ["x", "y"]})", Kind::choice, "",
       "structured_outputs.choice"},
      {R"("structured_outputs": {"grammar": "root ::= \"a\""})", Kind::gbnf, "root ::= \"a\"",
       "structured_outputs.grammar"},
      {R"("structured_outputs": {"json_object": true})", Kind::json_object, "",
       "structured_outputs.json_object"},
      {R"("guided_json": "{\"const\": 2}")", Kind::json_schema, R"({"const": 2})", "guided_json"},
      {R"("guided_regex": "b")", Kind::regex, "b", "guided_regex"},
      {R"("guided_choice": ["x"])", Kind::choice, "", "guided_choice"},
      {R"("guided_grammar": "root ::= \"b\"")", Kind::gbnf, "root ::= \"b\"", "guided_grammar"},
      {R"("json_schema": true)", Kind::json_schema, "true", "json_schema"},
      {R"("grammar": "root ::= \"c\"")", Kind::gbnf, "root ::= \"c\"", "grammar"},
  };
  for (const auto& [members, kind, text, path] : cases) {
    const auto constraint = read(with(members)).text.constraint;
    ASSERT_TRUE(constraint) << members;
    EXPECT_EQ(constraint->kind, kind) << members;
    EXPECT_EQ(constraint->text, text) << members;
    EXPECT_EQ(constraint->path, path) << members;
  }
  EXPECT_FALSE(read(with(R"("response_format": {"type": "text"})")).text.constraint);
}

TEST(ChatRequest, RefusalsNameTheField) {
  const struct {
    std::string body;
    const char *param, *code;
  } cases[] = {
      {"[]", "body", "invalid_type"},
      {"{}", "messages", "missing_required_parameter"},
      {R"({"messages": []})", "messages", "invalid_value"},
      {R"({"messages": "x"})", "messages", "invalid_type"},
      {R"({"messages": [1]})", "messages[0]", "invalid_type"},
      {R"({"messages": [{"content": "x"}]})", "messages[0].role", "missing_required_parameter"},
      {R"({"messages": [{"role": "bird", "content": "x"}]})", "messages[0].role", "invalid_value"},
      {R"({"messages": [{"role": "user"}]})", "messages[0].content", "missing_required_parameter"},
      {R"({"messages": [{"role": "assistant"}]})", "messages[0].content",
       "missing_required_parameter"},
      {R"({"messages": [{"role": "user", "content": 1}]})", "messages[0].content", "invalid_type"},
      {R"({"messages": [{"role": "user", "content": "x", "colour": 1}]})", "messages[0].colour",
       "unknown_parameter"},
      {R"({"messages": [{"role": "user", "content": [{"type": "image_url",
           "image_url": {"url": "x"}}]}]})",
       "messages[0].content[0].type", "unsupported_parameter"},
      {R"({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]})",
       "messages[0].content[0].type", "unsupported_parameter"},
      {R"({"messages": [{"role": "assistant", "tool_calls": [{"type": "function",
           "function": {"name": "f", "arguments": "[1]"}}]}]})",
       "messages[0].tool_calls[0].function.arguments", "invalid_value"},
      {R"({"messages": [{"role": "assistant", "content": "", "function_call": {}}]})",
       "messages[0].function_call", "unsupported_parameter"},
      {R"({"messages": [{"role": "user", "content": "a"}], "messages": []})", "messages",
       "invalid_value"},
      {with(R"("temperatur": 1)"), "temperatur", "unknown_parameter"},
      {with(R"("temperature": "hot")"), "temperature", "invalid_type"},
      {with(R"("temperature": -1)"), "temperature", "invalid_value"},
      {with(R"("top_p": 1.5)"), "top_p", "invalid_value"},
      {with(R"("n": 0)"), "n", "invalid_value"},
      {with(R"("n": 129)"), "n", "invalid_value"},
      {with(R"("n": 1.5)"), "n", "invalid_type"},
      {with(R"("seed": 18446744073709551615)"), "seed", "invalid_value"},
      {with(R"("max_tokens": 3, "max_completion_tokens": 4)"), "max_tokens", "invalid_value"},
      {with(R"("stop": [""])"), "stop", "invalid_value"},
      {with(R"("stop": 3)"), "stop", "invalid_type"},
      {with(R"("logit_bias": {"x": 1})"), "logit_bias", "invalid_value"},
      {with(R"("logit_bias": {"3": 101})"), "logit_bias.3", "invalid_value"},
      {with(R"("logit_bias": [[3, 1]])"), "logit_bias", "invalid_type"},
      {with(R"("top_logprobs": 2)"), "top_logprobs", "invalid_value"},
      {with(R"("logprobs": true, "top_logprobs": 21)"), "top_logprobs", "invalid_value"},
      {with(R"("repeat_penalty": 1.1, "repetition_penalty": 1.1)"), "repetition_penalty",
       "invalid_value"},
      {with(R"("samplers": ["top_q"])"), "samplers", "invalid_value"},
      {with(R"("response_format": {"type": "xml"})"), "response_format.type", "invalid_value"},
      {with(R"("response_format": {"type": "json_schema"})"), "response_format.json_schema",
       "missing_required_parameter"},
      {with(R"("grammar": "x", "guided_regex": "y")"), "grammar", "invalid_value"},
      {with(R"("structured_outputs": {"structural_tag": "x"})"),
       "structured_outputs.structural_tag", "unsupported_parameter"},
      {with(R"("guided_whitespace_pattern": " ")"), "guided_whitespace_pattern",
       "unsupported_parameter"},
      {with(R"("tool_choice": "required")"), "tool_choice", "unsupported_parameter"},
      {with(R"("tool_choice": {"type": "function", "function": {"name": "f"}})"), "tool_choice",
       "unsupported_parameter"},
      {with(R"("tools": [{"type": "custom", "custom": {"name": "c"}}])"), "tools[0].type",
       "unsupported_parameter"},
      {with(R"("tools": [{"type": "function", "function": {}}])"), "tools[0].function.name",
       "missing_required_parameter"},
      {with(R"("parallel_tool_calls": false)"), "parallel_tool_calls", "unsupported_parameter"},
      {with(R"("continue_final_message": true, "add_generation_prompt": true)"),
       "continue_final_message", "invalid_value"},
      {with(R"("chat_template": "x")"), "chat_template", "unsupported_parameter"},
      {with(R"("chat_template_kwargs": [])"), "chat_template_kwargs", "invalid_type"},
      {with(R"("reasoning_effort": "huge")"), "reasoning_effort", "invalid_value"},
      {with(R"("stream_options": {"include_usage": true})"), "stream_options", "invalid_value"},
      {with(R"("cache_salt": ")" + std::string(1025, 'x') + "\""), "cache_salt", "invalid_value"},
      {with(R"("audio": {})"), "audio", "unsupported_parameter"},
      {with(R"("modalities": ["text", "audio"])"), "modalities", "unsupported_parameter"},
      {with(R"("function_call": "auto")"), "function_call", "unsupported_parameter"},
      {with(R"("functions": [])"), "functions", "unsupported_parameter"},
      {with(R"("moderation": {})"), "moderation", "unsupported_parameter"},
      {with(R"("prediction": {})"), "prediction", "unsupported_parameter"},
      {with(R"("web_search_options": {})"), "web_search_options", "unsupported_parameter"},
      {with(R"("store": true)"), "store", "unsupported_parameter"},
      {with(R"("service_tier": "priority")"), "service_tier", "unsupported_parameter"},
      {with(R"("verbosity": "low")"), "verbosity", "unsupported_parameter"},
      {with(R"("allowed_token_ids": [1])"), "allowed_token_ids", "unsupported_parameter"},
      {with(R"("bad_words": ["x"])"), "bad_words", "unsupported_parameter"},
      {with(R"("truncate_prompt_tokens": 3)"), "truncate_prompt_tokens", "unsupported_parameter"},
      {with(R"("prompt_logprobs": 1)"), "prompt_logprobs", "unsupported_parameter"},
      {with(R"("use_beam_search": true)"), "use_beam_search", "unsupported_parameter"},
      {with(R"("lora": [])"), "lora", "unsupported_parameter"},
      {with(R"("skip_special_tokens": false)"), "skip_special_tokens", "unsupported_parameter"},
      {with(R"("include_stop_str_in_output": true)"), "include_stop_str_in_output",
       "unsupported_parameter"},
  };
  for (const auto& [body, param, code] : cases) {
    const test::Refusal refusal = test::refusal_of([&body = body] { read(body); });
    EXPECT_EQ(refusal.param, param) << body << "\n" << refusal.message;
    EXPECT_EQ(refusal.code, code) << body << "\n" << refusal.message;
    EXPECT_TRUE(refusal.message.starts_with(refusal.param + ": ")) << refusal.message;
  }
}

TEST(ChatRequest, ASlipOfTheFingerIsNamed) {
  EXPECT_EQ(test::refusal_of([] { read(with(R"("temperatur": 1)")); }).message,
            "temperatur: unknown field; did you mean temperature?");
}

}  // namespace
}  // namespace bittern::serve::openai
