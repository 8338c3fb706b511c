#include "engine/sampling_options.h"

#include <cmath>

namespace bittern::engine {

SamplingOptions default_sampling(const model::GenerationDefaults& generation) {
  SamplingOptions options;
  if (generation.do_sample.value_or(false)) {
    options.temperature = 1.0;
    options.top_k = 50;
    options.top_p = 1.0;
    options.min_p = 0.0;
  }
  options.temperature = generation.temperature.value_or(options.temperature);
  options.top_k = generation.top_k.value_or(options.top_k);
  options.top_p = generation.top_p.value_or(options.top_p);
  options.min_p = generation.min_p.value_or(options.min_p);
  options.repeat_penalty = generation.repetition_penalty.value_or(options.repeat_penalty);
  if (!generation.do_sample.value_or(true)) options.temperature = 0.0;
  return options;
}

void validate(const SamplingOptions& options, ErrorKind kind, std::string_view source) {
  const auto require = [&](bool good, std::string_view name, std::string_view expected,
                           double got) {
    if (!good) fail(kind, "{}: {}: {} expected, got {}", source, name, expected, got);
  };
  require(std::isfinite(options.temperature), "temperature", "a finite number",
          options.temperature);
  require(options.top_k >= 0, "top-k", "0 or more", static_cast<double>(options.top_k));
  require(options.top_p >= 0.0 && options.top_p <= 1.0, "top-p", "0 to 1", options.top_p);
  require(options.min_p >= 0.0 && options.min_p <= 1.0, "min-p", "0 to 1", options.min_p);
  require(options.repeat_penalty > 0.0 && std::isfinite(options.repeat_penalty), "repeat-penalty",
          "more than 0", options.repeat_penalty);
  require(std::isfinite(options.frequency_penalty), "frequency-penalty", "a finite number",
          options.frequency_penalty);
  require(std::isfinite(options.presence_penalty), "presence-penalty", "a finite number",
          options.presence_penalty);
  require(options.repeat_last_n >= 0, "repeat-last-n", "0 or more",
          static_cast<double>(options.repeat_last_n));
  for (const LogitBias& entry : options.logit_bias)
    require(!std::isnan(entry.bias) && entry.bias < INFINITY, "logit-bias", "a number or -inf",
            entry.bias);
}

}  // namespace bittern::engine
