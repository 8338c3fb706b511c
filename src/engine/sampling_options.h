// What a caller may ask of the sampler, and where the defaults come from: the model's own files
// first, else the project's (temperature 0.8, top-k 40, top-p 0.95, min-p 0.05).
// Sources: llama.cpp common_params_sampling; transformers 5.23 generation_config.
#pragma once

#include <cstdint>
#include <string>
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

// The steps from logits to the tokens among which one is drawn; the names are llama.cpp's
// (--samplers).
enum class SamplerStage : uint8_t {
  penalties,
  dry,
  top_n_sigma,
  top_k,
  typical,
  top_p,
  min_p,
  xtc,
  temperature
};
inline constexpr SamplerStage kDefaultStages[] = {
    SamplerStage::penalties, SamplerStage::dry,     SamplerStage::top_n_sigma,
    SamplerStage::top_k,     SamplerStage::typical, SamplerStage::top_p,
    SamplerStage::min_p,     SamplerStage::xtc,     SamplerStage::temperature};

// "top_k;temperature" or with commas; empty: none. Throws Error{usage} naming `source` and the
// unknown stage.
std::vector<SamplerStage> parse_stages(std::string_view names, std::string_view source);
std::string_view stage_name(SamplerStage stage);

// The fields in the order in which they act, unless `stages` says otherwise.
struct SamplingOptions {
  std::vector<LogitBias> logit_bias = {};
  int64_t repeat_last_n = 64;      // tokens of prompt and text the penalties look at; 0: off
  double repeat_penalty = 1.0;     // divides (multiplies) positive (negative) logits; 1: off
  double frequency_penalty = 0.0;  // subtracted per occurrence
  double presence_penalty = 0.0;   // subtracted once
  // DRY ("don't repeat yourself"): a token that would make the end of the text the repeat of n
  // earlier tokens loses multiplier * base^(n - allowed_length), where n is at least that.
  double dry_multiplier = 0.0;  // 0: off
  double dry_base = 1.75;
  int64_t dry_allowed_length = 2;
  int64_t dry_last_n = -1;  // tokens it looks at; -1: all
  // No repeat goes on over a token whose text has one of these.
  std::vector<std::string> dry_breakers = {"\n", ":", "\"", "*"};
  double top_n_sigma =
      -1.0;                // logits within so many standard deviations of the best; at most 0: all
  int64_t top_k = 40;      // the k highest logits; 0: all
  double typical_p = 1.0;  // the most typical candidates with this much probability; 1: all
  double top_p = 0.95;     // the fewest candidates with this much probability; 1: all
  double min_p = 0.05;     // candidates of at least this share of the best; 0: all
  // XTC ("exclude top choices"): with this probability all candidates of at least the threshold go,
  // but the least likely of them.
  double xtc_probability = 0.0;
  double xtc_threshold = 0.1;
  double temperature = 0.8;  // 0: the highest logit, the lowest id of equals
  uint64_t seed = 0;
  std::vector<SamplerStage> stages{std::begin(kDefaultStages), std::end(kDefaultStages)};
};

// The model's own settings over the defaults. A generation_config.json that says
// `do_sample: true` means transformers' defaults (temperature 1, top-k 50, top-p 1) for what it
// leaves out; `do_sample: false` means temperature 0. GGUF general.sampling.* replaces only what
// it states. Throws Error{bad_input} naming `file`, where they come from, and the first one out of
// range.
SamplingOptions default_sampling(const model::GenerationDefaults& generation,
                                 std::string_view file);

// Throws Error{kind} naming the first option out of range. `source` opens the message: "run" for
// flags.
void validate(const SamplingOptions& options, ErrorKind kind, std::string_view source);

}  // namespace bittern::engine
