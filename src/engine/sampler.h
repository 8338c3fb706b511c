// Chooses the next token from a row of logits. One order everywhere, llama.cpp's default chain as
// far as this release has it: logit bias, penalties, top-k, top-p, min-p, temperature, draw.
// The same logits, options and token index give the same token on every machine: candidates are
// ordered by (logit, then id), probabilities are doubles from exp_nonpositive(), and the random
// number is a function of (seed, token index) alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/sampling_options.h"

namespace bittern::engine {

struct Candidate {
  int32_t token = 0;
  float logit = 0.0f;        // after bias and penalties
  double probability = 0.0;  // of being drawn; 1 for the greedy choice
};

class Sampler {
 public:
  // Only ids below `token_count` are ever chosen: rows that pad the head beyond the tokenizer's
  // vocabulary are not tokens. All memory is taken here. Ids of logit_bias must be in range.
  Sampler(SamplingOptions options, int64_t token_count);

  // Tells the penalties about a token of the prompt or of the text, oldest first.
  void accept(int32_t token);

  // Draws the token of place `token_index` (0 for the first generated). Throws Error{bad_input}
  // where no token can be chosen (no logit is a number above -infinity).
  int32_t sample(const float* logits, int64_t token_index);

  // The candidates that are left before the draw, most probable first; valid until the next call.
  std::span<const Candidate> distribution(const float* logits);

 private:
  const float* adjust(const float* logits);
  void penalise(float* logits);
  void pick_best(const float* logits);
  void keep_top_k(const float* logits);
  void keep_top_p();
  void keep_min_p();
  void finish_probabilities();

  SamplingOptions options_;
  int64_t token_count_;
  bool has_penalties_;
  std::vector<float> adjusted_;  // copy of the logits; empty where nothing changes them
  std::vector<Candidate> candidates_;
  std::vector<int32_t> window_;  // the last repeat_last_n tokens, as a ring
  size_t window_next_ = 0;
  std::vector<int32_t> occurrences_;  // by token, inside the window
};

}  // namespace bittern::engine
