// A model as requests see it, and requests turned into what its engine takes. Knows no engine and
// no sockets: a caller submits what it gets here and hands the deltas to a TextResponse.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/chat_prompt.h"
#include "engine/constraint_cache.h"
#include "engine/request.h"
#include "serve/openai/chat_request.h"
#include "serve/openai/completion_request.h"
#include "text/tokenizer.h"

namespace bittern::serve::openai {

// What it refers to must outlive it.
struct TextModel {
  const text::Tokenizer* tokenizer = nullptr;
  const engine::ChatTemplate* chat = nullptr;       // null: the model has none
  const engine::ChatTemplate* tool_chat = nullptr;  // with tools; null: `chat`
  engine::ConstraintCache* constraints = nullptr;
  std::shared_ptr<const model::AdapterSet> adapters;  // of every request; null: none
  engine::SamplingOptions sampling;   // where a request is silent; its seed is not looked at
  std::optional<int64_t> max_tokens;  // likewise; none: the rest of the context
  int64_t context = 0;
  int64_t token_count = 0;  // ids that may be drawn
};

// A completion without max_tokens, where the model is silent too (OpenAI's default).
inline constexpr int64_t kCompletionTokens = 16;

// One engine request for each prompt; the choices of prompt p count from p * n.
struct PreparedText {
  std::vector<engine::Request> requests;
  std::vector<std::string> echoes;  // of completions with `echo`: the prompts as text
};

// `seed`: what choices draw with unless the request says so. Throws FieldError, and what rendering
// a template throws.
PreparedText prepare(const ChatRequest& request, const TextModel& model, uint64_t seed);
PreparedText prepare(const CompletionRequest& request, const TextModel& model, uint64_t seed);

// The tokens of an embedding's input or of a completion's prompt; throws FieldError naming `path`
// for ids that the vocabulary lacks.
std::vector<int32_t> prompt_tokens(const PromptField& prompt, const text::Tokenizer& tokenizer,
                                   bool add_special, const std::string& path);

}  // namespace bittern::serve::openai
