// Chooses the next token from a row of logits. One order everywhere unless asked for another,
// llama.cpp's default chain: logit bias, penalties, DRY, top-n-sigma, top-k, typical, top-p, min-p,
// XTC, temperature, draw.
// The same logits, options and token index give the same token on every machine: candidates are
// ordered by (logit, then id), probabilities are doubles from exp_nonpositive(), and the random
// numbers are functions of (seed, token index) alone.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "engine/candidates.h"
#include "engine/repetition.h"
#include "engine/sampling_options.h"

namespace bittern::engine {

class Sampler {
 public:
  // Only ids below `token_count` are ever chosen: rows that pad the head beyond the tokenizer's
  // vocabulary are not tokens. Ids of logit_bias must be in range. `is_breaker` says which tokens
  // have one of options.dry_breakers in them; empty: none.
  Sampler(SamplingOptions options, int64_t token_count,
          std::function<bool(int32_t token)> is_breaker = {});

  // Tells the penalties about a token of the prompt or of the text, oldest first.
  void accept(int32_t token);

  // What of the next row of logits decides: a row whose other logits are replaced by -infinity
  // gives the same tokens with the same probabilities. The ids are valid until accept(). The whole
  // row where that is no small part of it. Only for rows without a mask.
  backend::HeadCut cut();

  // Which logits matter, or what becomes of them, depends on the tokens before.
  bool changes_with_text() const { return penalties_.is_on() || dry_.is_on(); }

  // Draws the token of place `token_index` (0 for the first generated) among those that the mask
  // allows. Throws Error{bad_input} where no token can be chosen (no logit is a number above
  // -infinity).
  int32_t sample(const float* logits, int64_t token_index, TokenMask mask = {});

  // The candidates that are left before the draw, most probable first; valid until the next call.
  std::span<const Candidate> distribution(const float* logits, int64_t token_index = 0,
                                          TokenMask mask = {});

 private:
  // What the stages of a row work on: the row until candidates are gathered from it.
  struct Row {
    const float* logits;
    int64_t token_index;
    Drawable drawable;
    float least;       // logits below are out
    bool is_gathered;  // into candidates_
  };

  bool picks_likeliest() const { return options_.temperature <= 0.0; }
  void run(SamplerStage stage, Row& row);
  void gather(Row& row, int64_t limit);
  float* writable(Row& row);
  void penalise(Row& row);
  void penalise_repeats(Row& row);
  void leave_out_top_choices(Row& row);

  SamplingOptions options_;
  int64_t token_count_;
  // The bias: tokens that it bans, ascending, and what it adds to others.
  std::vector<int32_t> banned_;
  std::vector<LogitBias> added_;
  RepeatPenalties penalties_;
  DryPenalties dry_;
  std::vector<float> adjusted_;  // copy of the logits; empty where nothing changes them
  Candidates candidates_;
  std::vector<int32_t> changed_;  // ids of the bias, then those of the window: see cut()
};

}  // namespace bittern::engine
