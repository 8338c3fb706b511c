#include "engine/candidates.h"

#include <algorithm>
#include <cmath>

#include "engine/exponential.h"

namespace bittern::engine {
namespace {

// Descending logits, ascending ids among equals. A total order, because NaN never gets in.
bool ranks_before(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

bool is_choosable(float logit) { return logit > -INFINITY; }  // false for NaN too

constexpr int64_t kBlock = 64;

// A loop that compilers make vectors of.
bool any_above(const float* logits, int64_t count, float bound) {
  int32_t found = 0;
  for (int64_t index = 0; index < count; ++index) found |= logits[index] > bound ? 1 : 0;
  return found != 0;
}

// Mean and standard deviation of what visit() hands out, in double, in its order.
class Spread {
 public:
  void add(double value) {
    sum_ += value;
    squares_ += value * value;
    ++count_;
  }
  double deviation() const {
    if (count_ == 0) return 0.0;
    const double mean = sum_ / static_cast<double>(count_);
    return std::sqrt(std::max(0.0, squares_ / static_cast<double>(count_) - mean * mean));
  }

 private:
  double sum_ = 0.0, squares_ = 0.0;
  int64_t count_ = 0;
};

}  // namespace

bool Drawable::has(int64_t token) const {
  if (!mask.empty() && (mask[static_cast<size_t>(token / 64)] >> (token % 64) & 1) == 0)
    return false;
  return banned.empty() || !std::ranges::binary_search(banned, static_cast<int32_t>(token));
}

// One pass with a heap of the best so far, the worst of them on top. Almost every logit of a real
// row loses to that one, so a block of them is looked at one by one only where any wins.
void Candidates::gather(const float* logits, int64_t token_count, int64_t limit, float least,
                        const Drawable& drawable) {
  const auto most = static_cast<size_t>(limit);
  const auto take = [&](int64_t token) {
    const float logit = logits[token];
    if (!is_choosable(logit) || logit < least || !drawable.has(token)) return;
    const Candidate candidate{static_cast<int32_t>(token), logit, 0.0};
    if (list_.size() < most) {
      list_.push_back(candidate);
      // With all tokens wanted the heap is never asked for its worst: sort once at the end.
      if (list_.size() == most) std::make_heap(list_.begin(), list_.end(), ranks_before);
    } else if (ranks_before(candidate, list_.front())) {
      std::pop_heap(list_.begin(), list_.end(), ranks_before);
      list_.back() = candidate;
      std::push_heap(list_.begin(), list_.end(), ranks_before);
    }
  };
  for (int64_t begin = 0; begin < token_count; begin += kBlock) {
    const int64_t end = std::min(begin + kBlock, token_count);
    if (list_.size() == most && !any_above(logits + begin, end - begin, list_.front().logit))
      continue;
    for (int64_t token = begin; token < end; ++token) take(token);
  }
  sort();
}

void Candidates::sort() { std::sort(list_.begin(), list_.end(), ranks_before); }

float Candidates::sigma_cut(const float* logits, int64_t token_count, double count,
                            const Drawable& drawable) {
  Spread spread;
  float best = -INFINITY;
  for (int64_t token = 0; token < token_count; ++token) {
    if (!is_choosable(logits[token]) || !drawable.has(token)) continue;
    spread.add(logits[token]);
    best = std::max(best, logits[token]);
  }
  return static_cast<float>(best - count * spread.deviation());
}

void Candidates::keep_within_sigma(double count) {
  Spread spread;
  for (const Candidate& candidate : list_) spread.add(candidate.logit);
  const auto least = static_cast<float>(list_.front().logit - count * spread.deviation());
  std::erase_if(list_, [&](const Candidate& candidate) { return candidate.logit < least; });
}

void Candidates::keep_top_k(int64_t count) {
  if (count > 0 && count < std::ssize(list_)) list_.resize(static_cast<size_t>(count));
}

double Candidates::weight(const Candidate& candidate) const {
  return exp_nonpositive((double{candidate.logit} - double{list_.front().logit}) / divisor_);
}

void Candidates::set_probabilities() {
  double total = 0.0;
  for (Candidate& candidate : list_) {
    candidate.probability = weight(candidate);
    total += candidate.probability;
  }
  for (Candidate& candidate : list_) candidate.probability /= total;
}

// The surprise of a token is -log p = log(total) - (logit - best) / divisor; what is common to all
// tokens cancels in |surprise - entropy|.
void Candidates::keep_typical(double probability) {
  set_probabilities();
  const auto relative = [&](const Candidate& candidate) {
    return (double{list_.front().logit} - double{candidate.logit}) / divisor_;
  };
  double expected = 0.0;
  for (const Candidate& candidate : list_) expected += candidate.probability * relative(candidate);
  struct Typical {
    double distance;
    size_t place;
  };
  std::vector<Typical> order;
  for (size_t place = 0; place < list_.size(); ++place)
    order.push_back({std::abs(relative(list_[place]) - expected), place});
  std::stable_sort(order.begin(), order.end(),
                   [](const Typical& a, const Typical& b) { return a.distance < b.distance; });
  std::vector<bool> kept(list_.size());
  double cumulative = 0.0;
  for (const Typical& typical : order) {
    kept[typical.place] = true;
    cumulative += list_[typical.place].probability;
    if (cumulative > probability) break;
  }
  size_t place = 0;
  std::erase_if(list_, [&](const Candidate&) { return !kept[place++]; });
}

// The fewest of the best whose probability reaches it.
void Candidates::keep_top_p(double probability) {
  double total = 0.0;
  for (Candidate& candidate : list_) {
    candidate.probability = weight(candidate);
    total += candidate.probability;
  }
  double cumulative = 0.0;
  size_t kept = 0;
  while (kept < list_.size()) {
    cumulative += list_[kept++].probability;
    if (cumulative >= probability * total) break;
  }
  list_.resize(kept);
}

// Those at least `share` times as probable as the best.
void Candidates::keep_min_p(double share) {
  const auto first_out =
      std::find_if(list_.begin() + 1, list_.end(),
                   [&](const Candidate& candidate) { return weight(candidate) < share; });
  list_.erase(first_out, list_.end());
}

void Candidates::leave_out_top_choices(double threshold) {
  set_probabilities();
  const auto above = std::ranges::find_if(
      list_, [&](const Candidate& candidate) { return candidate.probability < threshold; });
  if (const auto count = above - list_.begin(); count > 1)
    list_.erase(list_.begin(), list_.begin() + count - 1);
}

void Candidates::change(const std::function<float(const Candidate&)>& change) {
  for (Candidate& candidate : list_) candidate.logit = change(candidate);
  std::erase_if(list_, [](const Candidate& candidate) { return !is_choosable(candidate.logit); });
  sort();
}

}  // namespace bittern::engine
