// Log-probabilities in the two layouts of OpenAI's API. One entry for each generated token, the one
// that ends a text included, so that there are as many as usage.completion_tokens. Values are
// natural logarithms; JSON knows no infinity, so what cannot come is -9999, as vLLM has it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/json_write.h"
#include "engine/log_probability.h"
#include "text/tokenizer.h"

namespace bittern::serve::openai {

// Chat: [{"token", "logprob", "bytes", "top_logprobs": [{"token", "logprob", "bytes"}]}].
JsonBuilder chat_log_probabilities(const text::Tokenizer& tokenizer,
                                   std::span<const engine::LogProbabilities> entries);

// Completions: {"tokens": [], "token_logprobs": [], "top_logprobs": [{token: logprob}],
// "text_offset": []}, grown token by token. A token that is no UTF-8 is "bytes:\xe2\x96". Offsets
// count characters of the tokens' joined text.
class CompletionLogProbabilities {
 public:
  CompletionLogProbabilities();
  // A token of the prompt that nothing went before.
  void add_first(const text::Tokenizer& tokenizer, int32_t token);
  void add(const text::Tokenizer& tokenizer, const engine::LogProbabilities& entry);
  const JsonBuilder& json() const { return json_; }

 private:
  void add_token(const std::string& bytes);
  JsonBuilder json_;
  int64_t offset_ = 0;
};

}  // namespace bittern::serve::openai
