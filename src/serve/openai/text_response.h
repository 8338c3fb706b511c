// The answer to a chat completion or a completion, from the engine's deltas of all its choices.
// Pieces that a stream will send too (log-probabilities, reasons to stop, usage) are functions of a
// delta; here they are gathered until every choice has ended.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json_write.h"
#include "engine/request.h"
#include "serve/openai/log_probabilities.h"
#include "serve/openai/text_model.h"

namespace bittern::serve::openai {

// "stop" or "length". Reasons that are no end of an answer (interrupted, failed) must not come
// here.
std::string_view finish_reason(engine::FinishReason reason);

// Tokens of a whole request: each prompt counts once, whatever the choices made of it.
JsonBuilder usage_json(const engine::Usage& usage);

enum class TextKind : uint8_t { chat, completion };

struct ResponseOptions {
  TextKind kind = TextKind::chat;
  std::string id = {};  // "chatcmpl-...", "cmpl-..."
  int64_t created = 0;  // seconds since 1970
  std::string model = {};
  std::string fingerprint = {};
  int64_t choices = 1;  // of one prompt
  bool log_probabilities = false;
};

class TextResponse {
 public:
  // `prepared` must be what was submitted; the tokenizer must outlive this.
  TextResponse(const PreparedText& prepared, const text::Tokenizer& tokenizer,
               ResponseOptions options);

  // What the engine says of prompt `prompt_index`.
  void add(int64_t prompt_index, engine::Delta delta);

  // Every choice has ended.
  bool is_done() const { return ended_ == std::ssize(choices_); }
  const engine::Usage& usage() const { return usage_; }
  // The body. Throws Error{internal} where a choice failed, Error{interrupted} where one was cut.
  JsonBuilder json() const;

 private:
  struct Choice {
    std::string text;
    std::vector<engine::LogProbabilities> log_probabilities;
    std::optional<engine::Ending> ending;
  };
  struct Prompt {
    std::vector<int32_t> tokens;  // where they are reported with their log-probabilities
    std::string echo;
    std::vector<engine::LogProbabilities> log_probabilities;
    bool is_counted = false;
  };
  JsonBuilder chat_choice(const Choice& choice, int64_t index) const;
  JsonBuilder completion_choice(const Choice& choice, const Prompt& prompt, int64_t index) const;

  const text::Tokenizer& tokenizer_;
  ResponseOptions options_;
  std::vector<Prompt> prompts_;
  std::vector<Choice> choices_;
  engine::Usage usage_;
  int64_t ended_ = 0;
};

}  // namespace bittern::serve::openai
