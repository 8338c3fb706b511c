#include "engine/log_probability.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace bittern::engine {

LogProbabilities log_probabilities(const float* logits, int64_t token_count, int32_t chosen,
                                   int64_t top_count) {
  const double highest = *std::max_element(logits, logits + token_count);
  double sum = 0.0;
  for (int64_t token = 0; token < token_count; ++token) sum += std::exp(logits[token] - highest);
  const double log_sum = highest + std::log(sum);

  LogProbabilities result;
  result.chosen = {chosen, logits[chosen] - log_sum};
  std::vector<int32_t> order(static_cast<size_t>(token_count));
  std::iota(order.begin(), order.end(), 0);
  const auto end = order.begin() + std::min(top_count, token_count);
  std::partial_sort(order.begin(), end, order.end(), [&](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  for (auto token = order.begin(); token != end; ++token)
    result.top.push_back({*token, logits[*token] - log_sum});
  return result;
}

}  // namespace bittern::engine
