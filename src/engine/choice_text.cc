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
      sampler_(sampling_of(request, choice, tokenizer, token_count), token_count),
      matcher_(request.stops) {
  if (tokenizer != nullptr) stream_ = tokenizer->stream();
  for (const int32_t token : request.prompt) sampler_.accept(token);
}

int32_t ChoiceText::take(const float* logits, Delta& delta) {
  if (generated_ >= limit_) {  // none was wanted
    finish(limited_by_context_ ? FinishReason::context_full : FinishReason::max_tokens, delta);
    return -1;
  }
  int32_t token = 0;
  try {
    token = sampler_.sample(logits, generated_);
  } catch (const Error& error) {
    finish(FinishReason::failed, delta);
    delta.ending->error = error.message();
    return -1;
  }
  sampler_.accept(token);
  if (request_.top_log_probability_count || request_.best_of > request_.choices) {
    auto values = log_probabilities(logits, token_count_, token,
                                    request_.top_log_probability_count.value_or(0));
    log_probability_ += values.chosen.value;
    if (request_.top_log_probability_count) delta.log_probabilities.push_back(std::move(values));
  }
  add(token, delta);
  return token;
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
