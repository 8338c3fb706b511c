#include "engine/generate.h"

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "engine/sampler.h"
#include "engine/stop_matcher.h"

namespace bittern::engine {
namespace {

// Tokens that may be drawn: those that the tokenizer knows and the head has a row for.
int64_t drawable_tokens(const LogitSource& source, const text::Tokenizer& tokenizer) {
  return std::min<int64_t>(source.vocab_size, tokenizer.vocab_size());
}

SamplingOptions sampling_of(const GenerateOptions& options, const text::Tokenizer& tokenizer,
                            int64_t token_count) {
  SamplingOptions sampling = options.sampling;
  if (options.ignore_end_of_generation) {
    for (int32_t token = 0; token < token_count; ++token)
      if (tokenizer.is_end_of_generation(token)) sampling.logit_bias.push_back({token, -INFINITY});
  }
  return sampling;
}

// The state of one generation.
class Generator {
 public:
  Generator(const LogitSource& source, const text::Tokenizer& tokenizer,
            const GenerateOptions& options, const std::function<void(std::string_view text)>& emit)
      : source_(source),
        tokenizer_(tokenizer),
        options_(options),
        emit_(emit),
        token_count_(drawable_tokens(source, tokenizer)),
        sampler_(sampling_of(options, tokenizer, token_count_), token_count_,
                 breakers_of(tokenizer, options.sampling.dry_breakers)),
        matcher_(options.stops),
        stream_(tokenizer.stream()) {}

  Generation run(std::span<const int32_t> prompt) {
    const int64_t room = source_.context - static_cast<int64_t>(prompt.size());
    const bool limited = options_.max_tokens && *options_.max_tokens <= room;
    const int64_t limit = limited ? *options_.max_tokens : room;
    result_.tokens.reserve(static_cast<size_t>(limit));
    result_.finish_reason = limited ? FinishReason::max_tokens : FinishReason::context_full;

    const double started = monotonic_seconds();
    const float* logits = limit > 0 ? prefill(prompt) : nullptr;
    const double prefilled = monotonic_seconds();
    result_.prefill_seconds = prefilled - started;
    while (logits != nullptr && take(logits) &&
           static_cast<int64_t>(result_.tokens.size()) < limit) {
      if (is_cancelled()) break;
      logits = step(std::span(result_.tokens).last(1));
      ++result_.decode_steps;
    }
    result_.decode_seconds = monotonic_seconds() - prefilled;
    show(matcher_.push(stream_->finish()));
    show(matcher_.finish());
    if (matcher_.matched()) {
      result_.finish_reason = FinishReason::stop_string;
      result_.stop = matcher_.matched();
    }
    return std::move(result_);
  }

 private:
  // Logits after the whole prompt; null where cancelled.
  const float* prefill(std::span<const int32_t> prompt) {
    for (const int32_t token : prompt) sampler_.accept(token);
    const float* logits = nullptr;
    while (!prompt.empty()) {
      if (is_cancelled()) return nullptr;
      const size_t count = std::min(prompt.size(), static_cast<size_t>(source_.max_step_tokens));
      logits = step(prompt.first(count));
      prompt = prompt.subspan(count);
    }
    return logits;
  }

  // Log-probabilities are shares of the whole row; the sampler needs less of it.
  const float* step(std::span<const int32_t> tokens) {
    if (!source_.cut_step || options_.top_log_probability_count) return source_.step(tokens);
    return source_.cut_step(tokens, sampler_.cut());
  }

  // Chooses a token and shows its text; false where it ends the generation.
  bool take(const float* logits) {
    const auto index = static_cast<int64_t>(result_.tokens.size());
    const int32_t token = sampler_.sample(logits, index);
    result_.tokens.push_back(token);
    sampler_.accept(token);
    if (options_.top_log_probability_count)
      result_.log_probabilities.push_back(
          log_probabilities(logits, token_count_, token, *options_.top_log_probability_count));
    if (tokenizer_.is_end_of_generation(token)) {
      result_.finish_reason = FinishReason::stop_token;
      return false;
    }
    show(matcher_.push(stream_->push(token)));
    return !matcher_.matched();
  }

  bool is_cancelled() {
    if (!options_.cancelled || !options_.cancelled()) return false;
    result_.finish_reason = FinishReason::interrupted;
    return true;
  }

  void show(std::string_view text) {
    if (!text.empty()) emit_(text);
  }

  const LogitSource& source_;
  const text::Tokenizer& tokenizer_;
  const GenerateOptions& options_;
  const std::function<void(std::string_view text)>& emit_;
  int64_t token_count_;
  Sampler sampler_;
  StopMatcher matcher_;
  std::unique_ptr<text::TokenStream> stream_;
  Generation result_;
};

}  // namespace

Generation generate(const LogitSource& source, const text::Tokenizer& tokenizer,
                    std::span<const int32_t> prompt, const GenerateOptions& options,
                    const std::function<void(std::string_view text)>& emit) {
  if (prompt.empty())
    fail(ErrorKind::usage, "the prompt is empty and the model has no token to begin with");
  const auto length = static_cast<int64_t>(prompt.size());
  if (length > source.context)
    fail(ErrorKind::usage,
         "the prompt has {} tokens, the context {}: shorten it or raise --context", length,
         source.context);
  return Generator(source, tokenizer, options, emit).run(prompt);
}

}  // namespace bittern::engine
