// The text of one choice: draws each next token, turns tokens into text, finds the end.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/request.h"
#include "engine/sampler.h"
#include "engine/stop_matcher.h"
#include "text/tokenizer.h"

namespace bittern::engine {

class ChoiceText {
 public:
  // `limit`: tokens that may be generated before the context is full. The request must outlive it,
  // and the tokenizer, which may be null: then no text is made. Ids below `token_count` are drawn.
  ChoiceText(const Request& request, int64_t choice, int64_t limit,
             const text::Tokenizer* tokenizer, int64_t token_count);

  // Draws the next token from a row of logits and adds it to `delta`; the ending too where it is
  // the last. Never throws: where no token can be drawn the ending says so.
  int32_t take(const float* logits, Delta& delta);
  // What of the row of logits for the draw after the next `guesses` ones is needed, if those are
  // right; valid until take().
  backend::HeadCut cut(int64_t guesses);
  // Ends the text for a reason from outside.
  void end(FinishReason reason, Delta& delta);

  bool ended() const { return ended_; }
  int64_t generated() const { return generated_; }
  // Tokens that may still be drawn.
  int64_t left() const { return limit_ - generated_; }
  // Mean natural logarithm of the probabilities of the tokens so far, where best_of asks for it.
  double mean_log_probability() const;

 private:
  int32_t choose(const float* logits);
  TokenMask mask();
  void add(int32_t token, Delta& delta);
  void finish(FinishReason reason, Delta& delta);
  bool is_stop(int32_t token) const;
  bool wants_log_probabilities() const {
    return request_.top_log_probability_count.has_value() || request_.best_of > request_.choices;
  }

  const Request& request_;
  int64_t limit_;
  bool limited_by_context_;
  const text::Tokenizer* tokenizer_;
  int64_t token_count_;
  Sampler sampler_;
  std::optional<chat::grammar::Matcher> grammar_;
  std::vector<int32_t> ends_;   // tokens that may not be drawn before min_tokens
  std::vector<uint64_t> mask_;  // see mask()
  StopMatcher matcher_;
  std::unique_ptr<text::TokenStream> stream_;
  int64_t generated_ = 0;
  double log_probability_ = 0.0;
  bool ended_ = false;
};

}  // namespace bittern::engine
