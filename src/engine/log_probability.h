// Log-probabilities for reports: of the chosen token and of the likeliest ones, from the raw
// logits (before bias, penalties and temperature), so that they say what the model thinks.
#pragma once

#include <cstdint>
#include <vector>

namespace bittern::engine {

struct TokenLogProbability {
  int32_t token = 0;
  double value = 0.0;  // natural logarithm
};

struct LogProbabilities {
  TokenLogProbability chosen;
  std::vector<TokenLogProbability> top;  // likeliest first, lowest id first among equals
};

// Over the first `token_count` logits; `top_count` may be 0.
LogProbabilities log_probabilities(const float* logits, int64_t token_count, int32_t chosen,
                                   int64_t top_count);

}  // namespace bittern::engine
