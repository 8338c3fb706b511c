#include "serve/openai/completion_request.h"

#include <limits>

#include "serve/limits.h"
#include "serve/openai/error.h"

namespace bittern::serve::openai {
namespace {

constexpr int64_t kIntegerMax = std::numeric_limits<int32_t>::max();

std::vector<int32_t> tokens_of(const json::Value& value, const std::string& path) {
  std::vector<int32_t> tokens;
  for (const json::Value& element : elements_of(value, path))
    tokens.push_back(static_cast<int32_t>(
        integer_of(element, element_path(path, tokens.size()), 0, kIntegerMax)));
  return tokens;
}

}  // namespace

std::vector<PromptField> read_prompts(Fields& fields, std::string_view name) {
  const json::Value value = fields.require(name);
  const std::string path = fields.path(name);
  if (value.is(json::Kind::string)) return {text_of(value, path)};
  if (!value.is(json::Kind::array))
    refuse(path, error_code::kType, "string or array expected, got {}",
           json::kind_name(value.kind()));
  const std::vector<json::Value> elements = elements_of(value, path);
  if (!elements.empty() && !elements.front().is(json::Kind::string) &&
      !elements.front().is(json::Kind::array))
    return {tokens_of(value, path)};
  if (elements.empty() || elements.size() > kPromptsMax)
    refuse(path, error_code::kValue, "1 to {} expected, got {}", kPromptsMax, elements.size());
  std::vector<PromptField> prompts;
  for (const json::Value& element : elements) {
    const std::string at = element_path(path, prompts.size());
    if (element.is(json::Kind::array))
      prompts.emplace_back(tokens_of(element, at));
    else
      prompts.emplace_back(text_of(element, at));
  }
  return prompts;
}

CompletionRequest read_completion_request(const json::Value& body) {
  Fields fields(body, "");
  CompletionRequest request;
  request.text = read_text_fields(fields);
  request.text.max_tokens = fields.integer("max_tokens", 0, kIntegerMax);
  request.prompts = read_prompts(fields, "prompt");
  request.echo = fields.boolean("echo").value_or(false);
  request.add_special_tokens = fields.boolean("add_special_tokens").value_or(true);
  request.top_log_probabilities = fields.integer("logprobs", 0, kTopLogProbabilitiesMax);
  request.best_of = fields.integer("best_of", 1, kChoicesMax).value_or(0);
  if (request.best_of != 0 && request.best_of < request.text.choices)
    refuse(fields.path("best_of"), error_code::kValue, "at least n ({}) expected, got {}",
           request.text.choices, request.best_of);
  if (request.best_of > request.text.choices && request.text.stream)
    refuse(fields.path("best_of"), error_code::kValue, "not with \"stream\": true");
  if (const auto suffix = fields.text("suffix"); suffix && !suffix->empty())
    refuse(fields.path("suffix"), error_code::kUnsupported, "insertion is not supported");
  refuse_unsupported(fields);
  fields.finish();
  return request;
}

}  // namespace bittern::serve::openai
