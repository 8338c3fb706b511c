// What a text holds against saying the same again: the classic penalties over the tokens of a
// window, and DRY, which looks for repeated runs of tokens.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/sampling_options.h"
#include "text/tokenizer.h"

namespace bittern::engine {

// Logits of tokens in the last `repeat_last_n`, lowered.
class RepeatPenalties {
 public:
  RepeatPenalties(const SamplingOptions& options, int64_t token_count);
  bool is_on() const { return is_on_; }
  // Oldest first.
  void accept(int32_t token);
  // What the token's logit becomes.
  float apply(int32_t token, float logit) const;
  // The tokens whose logits change, some more than once.
  const std::vector<int32_t>& tokens() const { return window_; }
  // The same for a whole row, in place.
  void apply_to_row(float* logits);

 private:
  bool is_on_;
  size_t most_;
  float repeat_, frequency_, presence_;
  std::vector<int32_t> window_;  // a ring
  size_t next_ = 0;
  std::vector<int32_t> occurrences_;  // by token, inside the window
};

// Tokens that would go on a repeat, and what they lose.
// Source: the description of DRY in text-generation-webui's pull request 5677 and llama.cpp's
// sampling documentation; a token is a breaker where its own text has one of the texts.
class DryPenalties {
 public:
  // `is_breaker` may be empty: none is.
  DryPenalties(const SamplingOptions& options, std::function<bool(int32_t token)> is_breaker);
  bool is_on() const { return options_.dry_multiplier > 0.0 && options_.dry_last_n != 0; }
  void accept(int32_t token);
  // By token; valid until the next call.
  const std::unordered_map<int32_t, float>& penalties();

 private:
  SamplingOptions options_;
  std::function<bool(int32_t token)> is_breaker_;
  std::vector<int32_t> tokens_;
  size_t after_breaker_ = 0;      // tokens up to and with the last breaker
  std::vector<int32_t> matches_;  // see penalties()
  std::unordered_map<int32_t, float> penalties_;
};

// Which tokens of a vocabulary have one of the texts in them; `tokenizer` must outlive the result.
std::function<bool(int32_t token)> breakers_of(const text::Tokenizer& tokenizer,
                                               std::vector<std::string> texts);

}  // namespace bittern::engine
