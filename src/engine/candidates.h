// The tokens that may still be drawn, and the stages that leave some of them out. Probabilities are
// doubles from exp_nonpositive(): the same on every machine.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace bittern::engine {

struct Candidate {
  int32_t token = 0;
  float logit = 0.0f;        // after bias and penalties
  double probability = 0.0;  // of being drawn; 1 for the greedy choice
};

// Bit id % 64 of word id / 64 for every token that is allowed; no words: all.
using TokenMask = std::span<const uint64_t>;

// Tokens that may be drawn: those of the mask but for the banned ones.
struct Drawable {
  TokenMask mask = {};
  std::span<const int32_t> banned = {};  // ascending

  bool has(int64_t token) const;
};

class Candidates {
 public:
  explicit Candidates(int64_t most) { list_.reserve(static_cast<size_t>(most)); }

  // The `limit` best of a row of logits, best first: higher logits, lower ids among equals. Those
  // of -infinity, NaN or below `least` and what may not be drawn are no candidates.
  void gather(const float* logits, int64_t token_count, int64_t limit, float least,
              const Drawable& drawable);
  void clear() {
    list_.clear();
    divisor_ = 1.0;
  }

  // The least logit within `count` standard deviations (of all drawable ones above -infinity) of
  // the best of a row.
  static float sigma_cut(const float* logits, int64_t token_count, double count,
                         const Drawable& drawable);

  void keep_within_sigma(double count);
  void keep_top_k(int64_t count);
  // Those whose surprise is nearest to the expected one (Meister et al., "Locally Typical
  // Sampling", 2023), until they have this much probability.
  void keep_typical(double probability);
  void keep_top_p(double probability);
  void keep_min_p(double share);
  void leave_out_top_choices(double threshold);
  // Probabilities are those of logits divided by this from now on.
  void divide(double temperature) { divisor_ = temperature; }
  // Logits become change(candidate); the order follows.
  void change(const std::function<float(const Candidate&)>& change);
  void set_probabilities();

  std::span<const Candidate> list() const { return list_; }
  std::span<Candidate> list() { return list_; }
  bool empty() const { return list_.empty(); }
  void keep_best() { list_.resize(1); }

 private:
  double weight(const Candidate& candidate) const;
  void sort();

  std::vector<Candidate> list_;  // best first
  double divisor_ = 1.0;
};

}  // namespace bittern::engine
