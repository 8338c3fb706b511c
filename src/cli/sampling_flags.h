// The flags that say how tokens are chosen.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_write.h"
#include "cli/flags.h"
#include "engine/sampling_options.h"

namespace bittern::cli {

struct SamplingFlags {
  std::optional<double> temperature, top_p, min_p, typical_p, top_n_sigma;
  std::optional<double> xtc_probability, xtc_threshold, dry_multiplier, dry_base;
  std::optional<double> repeat_penalty, frequency_penalty, presence_penalty;
  std::optional<int64_t> top_k, repeat_last_n, dry_allowed_length, dry_last_n, seed;
  std::vector<std::string> logit_bias, dry_breakers;
  std::optional<std::string> stages;

  void declare(Flags& flags);
  // The first of the flags that was given; empty: none.
  std::string_view given() const;

  // The flags over the defaults. `context` is what --repeat-last-n -1 means; ids of --logit-bias
  // must be below `token_count`. A seed that was not given is drawn.
  engine::SamplingOptions over(engine::SamplingOptions defaults, int64_t context,
                               int64_t token_count) const;
};

// Every option by the name it has in --json.
JsonBuilder sampling_json(const engine::SamplingOptions& options);

// "15=-2", "15+1.5", "15-2", "15-inf". Throws Error{usage}.
engine::LogitBias parse_logit_bias(const std::string& word, int64_t token_count);

}  // namespace bittern::cli
