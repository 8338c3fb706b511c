// What a caller may ask of the sampler, and where the defaults come from: the model's own files
// first, else the project's (temperature 0.8, top-k 40, top-p 0.95, min-p 0.05).
// Sources: llama.cpp common_params_sampling; transformers 5.23 generation_config.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/model.h"

namespace bittern::engine {

// Added to a token's logit before anything else; -infinity bans the token.
struct LogitBias {
  int32_t token = 0;
  float bias = 0.0f;
};

// The fields in the order in which they act.
struct SamplingOptions {
  std::vector<LogitBias> logit_bias = {};
  int64_t repeat_last_n = 64;      // tokens of prompt and text the penalties look at; 0: off
  double repeat_penalty = 1.0;     // divides (multiplies) positive (negative) logits; 1: off
  double frequency_penalty = 0.0;  // subtracted per occurrence
  double presence_penalty = 0.0;   // subtracted once
  int64_t top_k = 40;              // the k highest logits; 0: all
  double top_p = 0.95;             // the fewest candidates with this much probability; 1: all
  double min_p = 0.05;             // candidates of at least this share of the best; 0: all
  double temperature = 0.8;        // 0: the highest logit, the lowest id of equals
  uint64_t seed = 0;
};

// The model's own settings over the defaults. A generation_config.json that says
// `do_sample: true` means transformers' defaults (temperature 1, top-k 50, top-p 1) for what it
// leaves out; `do_sample: false` means temperature 0. GGUF general.sampling.* replaces only what
// it states.
SamplingOptions default_sampling(const model::GenerationDefaults& generation);

// Throws Error{kind} naming the first option out of range. `source` opens the message: "run" for
// flags, the model's file name for its defaults.
void validate(const SamplingOptions& options, ErrorKind kind, std::string_view source);

}  // namespace bittern::engine
