#include "engine/repetition.h"

#include <algorithm>
#include <cmath>

namespace bittern::engine {
namespace {

// No logit is worth more; a power beyond it is as good as a ban.
constexpr double kMostPenalty = 1e30;

}  // namespace

RepeatPenalties::RepeatPenalties(const SamplingOptions& options, int64_t token_count)
    : is_on_(options.repeat_last_n > 0 &&
             (options.repeat_penalty != 1.0 || options.frequency_penalty != 0.0 ||
              options.presence_penalty != 0.0)),
      most_(static_cast<size_t>(options.repeat_last_n)),
      repeat_(static_cast<float>(options.repeat_penalty)),
      frequency_(static_cast<float>(options.frequency_penalty)),
      presence_(static_cast<float>(options.presence_penalty)) {
  if (!is_on_) return;
  window_.reserve(most_);
  occurrences_.resize(static_cast<size_t>(token_count));
}

void RepeatPenalties::accept(int32_t token) {
  if (!is_on_ || token < 0 || token >= std::ssize(occurrences_)) return;
  if (window_.size() < most_) {
    window_.push_back(token);
  } else {
    --occurrences_[static_cast<size_t>(window_[next_])];
    window_[next_] = token;
    next_ = (next_ + 1) % window_.size();
  }
  ++occurrences_[static_cast<size_t>(token)];
}

float RepeatPenalties::apply(int32_t token, float logit) const {
  const int32_t count = occurrences_[static_cast<size_t>(token)];
  if (count == 0) return logit;
  logit = logit > 0.0f ? logit / repeat_ : logit * repeat_;
  return logit - (static_cast<float>(count) * frequency_ + presence_);
}

// A token that stands in the window several times is met several times; its count is made negative
// at the first meeting and put right at the end.
void RepeatPenalties::apply_to_row(float* logits) {
  for (const int32_t token : window_) {
    int32_t& count = occurrences_[static_cast<size_t>(token)];
    if (count < 0) continue;
    logits[token] = apply(token, logits[token]);
    count = -count;
  }
  for (const int32_t token : window_)
    occurrences_[static_cast<size_t>(token)] = std::abs(occurrences_[static_cast<size_t>(token)]);
}

DryPenalties::DryPenalties(const SamplingOptions& options,
                           std::function<bool(int32_t token)> is_breaker)
    : options_(options), is_breaker_(std::move(is_breaker)) {}

void DryPenalties::accept(int32_t token) {
  if (!is_on()) return;
  tokens_.push_back(token);
  if (is_breaker_ && is_breaker_(token)) after_breaker_ = tokens_.size();
}

// With the text reversed, matches_[i] is how many tokens from i on equal those from its start (the
// Z function): the end of the text stood once before, i tokens earlier, with so many tokens. What
// followed it there is the token before i.
const std::unordered_map<int32_t, float>& DryPenalties::penalties() {
  penalties_.clear();
  const size_t window = options_.dry_last_n < 0
                            ? tokens_.size()
                            : std::min(tokens_.size(), static_cast<size_t>(options_.dry_last_n));
  const size_t longest = std::min(window, tokens_.size() - after_breaker_);
  const auto allowed = static_cast<size_t>(std::max<int64_t>(1, options_.dry_allowed_length));
  if (longest < allowed) return penalties_;
  const auto reversed = [&](size_t place) { return tokens_[tokens_.size() - 1 - place]; };
  matches_.assign(window, 0);
  std::unordered_map<int32_t, size_t> repeats;
  for (size_t place = 1, left = 0, right = 0; place < window; ++place) {
    auto match = place < right
                     ? std::min(right - place, static_cast<size_t>(matches_[place - left]))
                     : size_t{0};
    while (place + match < window && reversed(match) == reversed(place + match)) ++match;
    matches_[place] = static_cast<int32_t>(match);
    if (place + match > right) left = place, right = place + match;
    const size_t length = std::min(match, longest);
    if (length < allowed) continue;
    size_t& known = repeats[reversed(place - 1)];
    known = std::max(known, length);
  }
  for (const auto& [token, length] : repeats) {
    double penalty = options_.dry_multiplier;
    for (auto more = length - static_cast<size_t>(options_.dry_allowed_length);
         more > 0 && penalty < kMostPenalty; --more)
      penalty *= options_.dry_base;
    penalties_[token] = static_cast<float>(std::min(penalty, kMostPenalty));
  }
  return penalties_;
}

std::function<bool(int32_t token)> breakers_of(const text::Tokenizer& tokenizer,
                                               std::vector<std::string> texts) {
  return [&tokenizer, texts = std::move(texts)](int32_t token) {
    const std::string bytes = tokenizer.token_bytes(token);
    return std::ranges::any_of(
        texts, [&](const std::string& text) { return bytes.find(text) != std::string::npos; });
  };
}

}  // namespace bittern::engine
