#include "engine/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/random.h"
#include "engine/exponential.h"

namespace bittern::engine {
namespace {

// The random stream of token draws; other uses of a request's seed take other numbers.
constexpr uint64_t kDrawStream = 0;

// Descending logits, ascending ids among equals. A total order, because NaN never gets in.
bool ranks_before(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

bool is_choosable(float logit) { return logit > -INFINITY; }  // false for NaN too

}  // namespace

Sampler::Sampler(SamplingOptions options, int64_t token_count)
    : options_(std::move(options)), token_count_(token_count) {
  has_penalties_ = options_.repeat_last_n > 0 &&
                   (options_.repeat_penalty != 1.0 || options_.frequency_penalty != 0.0 ||
                    options_.presence_penalty != 0.0);
  const auto count = static_cast<size_t>(token_count);
  if (has_penalties_ || !options_.logit_bias.empty()) adjusted_.resize(count);
  if (has_penalties_) {
    window_.reserve(static_cast<size_t>(options_.repeat_last_n));
    occurrences_.resize(count);
  }
  if (options_.top_k == 0 || options_.top_k > token_count) options_.top_k = token_count;
  candidates_.reserve(options_.temperature > 0.0 ? static_cast<size_t>(options_.top_k) : 1);
  for (const LogitBias& entry : options_.logit_bias)
    BITTERN_CHECK(entry.token >= 0 && entry.token < token_count, "logit bias of token {} of {}",
                  entry.token, token_count);
}

void Sampler::accept(int32_t token) {
  if (!has_penalties_ || token < 0 || token >= token_count_) return;
  if (window_.size() < static_cast<size_t>(options_.repeat_last_n)) {
    window_.push_back(token);
  } else {
    --occurrences_[static_cast<size_t>(window_[window_next_])];
    window_[window_next_] = token;
    window_next_ = (window_next_ + 1) % window_.size();
  }
  ++occurrences_[static_cast<size_t>(token)];
}

const float* Sampler::adjust(const float* logits) {
  if (adjusted_.empty()) return logits;
  std::copy_n(logits, token_count_, adjusted_.begin());
  for (const LogitBias& entry : options_.logit_bias)
    adjusted_[static_cast<size_t>(entry.token)] += entry.bias;
  if (has_penalties_) penalise(adjusted_.data());
  return adjusted_.data();
}

void Sampler::penalise(float* logits) {
  const auto repeat = static_cast<float>(options_.repeat_penalty);
  const auto frequency = static_cast<float>(options_.frequency_penalty);
  const auto presence = static_cast<float>(options_.presence_penalty);
  // A token that stands in the window several times is met several times; its count is made
  // negative at the first meeting and put right at the end.
  for (const int32_t token : window_) {
    int32_t& count = occurrences_[static_cast<size_t>(token)];
    if (count < 0) continue;
    float& logit = logits[token];
    logit = logit > 0.0f ? logit / repeat : logit * repeat;
    logit -= static_cast<float>(count) * frequency + presence;
    count = -count;
  }
  for (const int32_t token : window_) {
    int32_t& count = occurrences_[static_cast<size_t>(token)];
    count = std::abs(count);
  }
}

int32_t Sampler::sample(const float* logits, int64_t token_index) {
  const std::span<const Candidate> left = distribution(logits);
  if (left.size() == 1) return left.front().token;
  const double point =
      random::uniform(options_.seed, kDrawStream, static_cast<uint64_t>(token_index));
  double cumulative = 0.0;
  for (const Candidate& candidate : left) {
    cumulative += candidate.probability;
    if (point < cumulative) return candidate.token;
  }
  return left.back().token;  // the probabilities' sum may round to a little under 1
}

std::span<const Candidate> Sampler::distribution(const float* logits) {
  const float* adjusted = adjust(logits);
  candidates_.clear();
  if (options_.temperature <= 0.0) {
    pick_best(adjusted);
  } else {
    keep_top_k(adjusted);
  }
  if (candidates_.empty())
    bad_input("no token can be chosen: every logit is -inf or not a number (damaged weights?)");
  keep_top_p();
  keep_min_p();
  finish_probabilities();
  return candidates_;
}

void Sampler::pick_best(const float* logits) {
  Candidate best{-1, -INFINITY, 1.0};
  for (int32_t token = 0; token < token_count_; ++token)
    if (logits[token] > best.logit) best = {token, logits[token], 1.0};
  if (best.token >= 0) candidates_.push_back(best);
}

// One pass with a heap of the k best so far, the worst of them on top: almost every logit of a
// real row loses its first comparison, so this costs little more than reading the row.
void Sampler::keep_top_k(const float* logits) {
  const auto limit = static_cast<size_t>(options_.top_k);
  for (int32_t token = 0; token < token_count_; ++token) {
    if (!is_choosable(logits[token])) continue;
    const Candidate candidate{token, logits[token], 0.0};
    if (candidates_.size() < limit) {
      candidates_.push_back(candidate);
      // With all tokens wanted the heap is never asked for its worst: sort once at the end.
      if (candidates_.size() == limit)
        std::make_heap(candidates_.begin(), candidates_.end(), ranks_before);
    } else if (ranks_before(candidate, candidates_.front())) {
      std::pop_heap(candidates_.begin(), candidates_.end(), ranks_before);
      candidates_.back() = candidate;
      std::push_heap(candidates_.begin(), candidates_.end(), ranks_before);
    }
  }
  std::sort(candidates_.begin(), candidates_.end(), ranks_before);
}

// The fewest of the best whose probability (before temperature) reaches top_p.
void Sampler::keep_top_p() {
  if (options_.top_p >= 1.0) return;
  double total = 0.0;
  for (Candidate& candidate : candidates_) {
    candidate.probability =
        exp_nonpositive(double{candidate.logit} - double{candidates_.front().logit});
    total += candidate.probability;
  }
  double cumulative = 0.0;
  size_t kept = 0;
  while (kept < candidates_.size()) {
    cumulative += candidates_[kept++].probability;
    if (cumulative >= options_.top_p * total) break;
  }
  candidates_.resize(kept);
}

// Those at least min_p times as probable (before temperature) as the best.
void Sampler::keep_min_p() {
  if (options_.min_p <= 0.0) return;
  const double best = candidates_.front().logit;
  const auto first_out =
      std::find_if(candidates_.begin() + 1, candidates_.end(), [&](const Candidate& candidate) {
        return exp_nonpositive(candidate.logit - best) < options_.min_p;
      });
  candidates_.erase(first_out, candidates_.end());
}

void Sampler::finish_probabilities() {
  const double best = candidates_.front().logit;
  const double temperature = options_.temperature > 0.0 ? options_.temperature : 1.0;
  double total = 0.0;
  for (Candidate& candidate : candidates_) {
    candidate.probability = exp_nonpositive((candidate.logit - best) / temperature);
    total += candidate.probability;
  }
  for (Candidate& candidate : candidates_) candidate.probability /= total;
}

}  // namespace bittern::engine
