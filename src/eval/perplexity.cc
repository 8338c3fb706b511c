#include "eval/perplexity.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "base/error.h"

namespace bittern::eval {
namespace {

// -log softmax(logits)[target]
double negative_log_likelihood(std::span<const float> logits, int32_t target) {
  const double highest = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(logit - highest);
  return highest + std::log(sum) - logits[static_cast<size_t>(target)];
}

// Sums over the scored tokens; turned into the result after every chunk.
class Accumulator {
 public:
  void add(double nll) {
    sum_ += nll;
    sum_of_squares_ += nll * nll;
    ++count_;
  }

  Perplexity result(int64_t chunks) const {
    const auto count = static_cast<double>(count_);
    const double mean = sum_ / count;
    const double variance = std::max(0.0, sum_of_squares_ / count - mean * mean);
    const double perplexity = std::exp(mean);
    return {.perplexity = perplexity,
            .error = count_ > 1 ? perplexity * std::sqrt(variance / (count - 1.0)) : 0.0,
            .mean_nll = mean,
            .scored_tokens = count_,
            .chunks = chunks};
  }

 private:
  double sum_ = 0.0;
  double sum_of_squares_ = 0.0;
  int64_t count_ = 0;
};

}  // namespace

int64_t chunk_count(int64_t token_count, const PerplexityOptions& options) {
  const int64_t all = token_count / options.context;
  return options.chunk_limit ? std::min(all, *options.chunk_limit) : all;
}

Perplexity measure_perplexity(std::span<const int32_t> tokens, int64_t vocab_size,
                              const PerplexityOptions& options, const RunChunk& run,
                              const OnChunk& on_chunk) {
  const int64_t context = options.context;
  BITTERN_CHECK(context >= 4, "context {}", context);
  const auto token_count = static_cast<int64_t>(tokens.size());
  if (token_count < 2 * context)
    bad_input("the text has {} tokens, perplexity with --context {} needs at least {}", token_count,
              context, 2 * context);

  const int64_t chunks = chunk_count(token_count, options);
  const int64_t first_scored = context / 2;
  std::vector<int32_t> chunk(static_cast<size_t>(context));
  Accumulator accumulator;
  for (int64_t index = 0; index < chunks; ++index) {
    const auto begin = tokens.begin() + index * context;
    std::copy(begin, begin + context, chunk.begin());
    if (options.first_token) chunk.front() = *options.first_token;
    run(chunk, first_scored, [&](int64_t position, const float* logits) {
      if (position + 1 >= context) return;  // the last token predicts nothing that is in the chunk
      accumulator.add(negative_log_likelihood({logits, static_cast<size_t>(vocab_size)},
                                              chunk[static_cast<size_t>(position + 1)]));
    });
    if (on_chunk) on_chunk(accumulator.result(index + 1), chunks);
  }
  return accumulator.result(chunks);
}

}  // namespace bittern::eval
