// POST /v1/completions: texts, or tokens, to be continued. One request may have many prompts; the
// choices of prompt p are p * n to p * n + n - 1.
// Source: OpenAI API 2.3.0 (CreateCompletionRequest); what lm-evaluation-harness sends.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "serve/openai/text_fields.h"

namespace bittern::serve::openai {

// A text, or its tokens.
using PromptField = std::variant<std::string, std::vector<int32_t>>;

// A string, strings, token ids, or lists of those: what `prompt` and `input` may be. At least one
// and at most kPromptsMax. Throws FieldError.
std::vector<PromptField> read_prompts(Fields& fields, std::string_view name);

struct CompletionRequest {
  TextFields text;
  std::vector<PromptField> prompts;
  int64_t best_of = 0;  // 0: n
  bool echo = false;
  bool add_special_tokens = true;
  std::optional<int64_t> top_log_probabilities;  // nothing: no log-probabilities
};

// Throws FieldError.
CompletionRequest read_completion_request(const json::Value& body);

}  // namespace bittern::serve::openai
