#include "engine/choice_text.h"

#include <algorithm>
#include <cmath>

namespace bittern::engine {
namespace {

SamplingOptions sampling_of(const Request& request, int64_t choice,
                            const text::Tokenizer* tokenizer, int64_t token_count) {
  SamplingOptions sampling = request.sampling;
  sampling.seed += static_cast<uint64_t>(choice);
  if (request.ignore_end_of_generation && tokenizer != nullptr) {
    for (int32_t token = 0; token < token_count; ++token)
      if (tokenizer->is_end_of_generation(token)) sampling.logit_bias.push_back({token, -INFINITY});
  }
  return sampling;
}

}  // namespace

ChoiceText::ChoiceText(const Request& request, int64_t choice, int64_t limit,
                       const text::Tokenizer* tokenizer, int64_t token_count)
    : request_(request),
      limit_(std::min(limit, request.max_tokens.value_or(limit))),
      limited_by_context_(!request.max_tokens || *request.max_tokens > limit),
      tokenizer_(tokenizer),
      token_count_(token_count),
      sampler_(
          sampling_of(request, choice, tokenizer, token_count), token_count,
          tokenizer == nullptr ? nullptr : breakers_of(*tokenizer, request.sampling.dry_breakers)),
      matcher_(request.stops) {
  if (tokenizer != nullptr) stream_ = tokenizer->stream();
  if (request.constraint) grammar_.emplace(request.constraint);
  if (request.min_tokens > 0) {
    for (int32_t token = 0; token < token_count; ++token)
      if (is_stop(token)) ends_.push_back(token);
  }
  auto words = static_cast<size_t>((token_count + 63) / 64);
  if (grammar_) words = std::max(words, request.constraint->trie().mask_words());
  if (grammar_ || !ends_.empty()) mask_.resize(words);
  for (const int32_t token : request.prompt) sampler_.accept(token);
}

int32_t ChoiceText::take(const float* logits, Delta& delta) {
  if (generated_ >= limit_) {  // none was wanted
    finish(limited_by_context_ ? FinishReason::context_full : FinishReason::max_tokens, delta);
    return -1;
  }
  int32_t token = 0;
  try {
    token = choose(logits);
  } catch (const Error& error) {
    finish(FinishReason::failed, delta);
    delta.ending->error = error.message();
    return -1;
  }
  sampler_.accept(token);
  if (wants_log_probabilities()) {
    auto values = log_probabilities(logits, token_count_, token,
                                    request_.top_log_probability_count.value_or(0));
    log_probability_ += values.chosen.value;
    if (request_.top_log_probability_count) delta.log_probabilities.push_back(std::move(values));
  }
  add(token, delta);
  return token;
}

int32_t ChoiceText::choose(const float* logits) {
  const int32_t token = sampler_.sample(logits, generated_, mask());
  if (grammar_ && !grammar_->accept(token))
    fail(ErrorKind::internal, "token {} was allowed and is not", token);
  return token;
}

// What may be drawn now; empty: anything. Where a grammar leaves nothing but the end, the end may
// come before its time.
TokenMask ChoiceText::mask() {
  const bool bars_ends = generated_ < request_.min_tokens && !ends_.empty();
  if (!grammar_ && !bars_ends) return {};
  if (grammar_) {
    if (!grammar_->mask(mask_))
      bad_input("the grammar allows none of the vocabulary's tokens here");
  } else {
    std::ranges::fill(mask_, ~uint64_t{0});
  }
  if (!bars_ends) return mask_;
  const auto clear = [&](std::vector<uint64_t>& words) {
    for (const int32_t token : ends_)
      words[static_cast<size_t>(token / 64)] &= ~(uint64_t{1} << token % 64);
  };
  std::vector<uint64_t> without = mask_;
  clear(without);
  if (std::ranges::any_of(without, [](uint64_t word) { return word != 0; })) mask_ = without;
  return mask_;
}

backend::HeadCut ChoiceText::cut(int64_t guesses) {
  const bool is_masked = grammar_ || generated_ < request_.min_tokens;
  if (is_masked || wants_log_probabilities() || (guesses > 0 && sampler_.changes_with_text()))
    return {};
  return sampler_.cut();
}

void ChoiceText::add(int32_t token, Delta& delta) {
  ++generated_;
  delta.tokens.push_back(token);
  if (is_stop(token)) return finish(FinishReason::stop_token, delta);
  if (stream_) {
    delta.text += matcher_.push(stream_->push(token));
    if (matcher_.matched()) return finish(FinishReason::stop_string, delta);
  }
  if (generated_ >= limit_)
    finish(limited_by_context_ ? FinishReason::context_full : FinishReason::max_tokens, delta);
}

bool ChoiceText::is_stop(int32_t token) const {
  return (tokenizer_ != nullptr && tokenizer_->is_end_of_generation(token)) ||
         std::ranges::find(request_.stop_tokens, token) != request_.stop_tokens.end();
}

void ChoiceText::end(FinishReason reason, Delta& delta) {
  if (!ended_) finish(reason, delta);
}

// What was held back comes out, and may still complete a stop string.
void ChoiceText::finish(FinishReason reason, Delta& delta) {
  ended_ = true;
  if (stream_) {
    delta.text += matcher_.push(stream_->finish());
    delta.text += matcher_.finish();
  }
  delta.ending.emplace();
  delta.ending->reason = matcher_.matched() ? FinishReason::stop_string : reason;
  delta.ending->stop = matcher_.matched();
  delta.ending->usage.generated_tokens = generated_;
}

double ChoiceText::mean_log_probability() const {
  return generated_ == 0 ? -INFINITY : log_probability_ / static_cast<double>(generated_);
}

}  // namespace bittern::engine
