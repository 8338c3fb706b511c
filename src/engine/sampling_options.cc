#include "engine/sampling_options.h"

#include <algorithm>
#include <cmath>

namespace bittern::engine {
namespace {

struct StageName {
  SamplerStage stage;
  std::string_view name;
};
constexpr StageName kStageNames[] = {{SamplerStage::penalties, "penalties"},
                                     {SamplerStage::dry, "dry"},
                                     {SamplerStage::top_n_sigma, "top_n_sigma"},
                                     {SamplerStage::top_k, "top_k"},
                                     {SamplerStage::typical, "typ_p"},
                                     {SamplerStage::top_p, "top_p"},
                                     {SamplerStage::min_p, "min_p"},
                                     {SamplerStage::xtc, "xtc"},
                                     {SamplerStage::temperature, "temperature"}};

}  // namespace

std::string_view stage_name(SamplerStage stage) {
  for (const StageName& row : kStageNames)
    if (row.stage == stage) return row.name;
  return "";
}

std::vector<SamplerStage> parse_stages(std::string_view names, std::string_view source) {
  std::vector<SamplerStage> stages;
  while (!names.empty()) {
    const size_t end = std::min(names.find_first_of(";,"), names.size());
    const std::string_view name = names.substr(0, end);
    names.remove_prefix(std::min(end + 1, names.size()));
    const auto* const row = std::ranges::find(kStageNames, name, &StageName::name);
    if (row == std::end(kStageNames)) {
      std::string known;
      for (const StageName& other : kStageNames)
        known += fmt::format("{}{}", known.empty() ? "" : ", ", other.name);
      fail(ErrorKind::usage, "{}: some of {} expected, got \"{}\"", source, known, printable(name));
    }
    stages.push_back(row->stage);
  }
  return stages;
}

SamplingOptions default_sampling(const model::GenerationDefaults& generation,
                                 std::string_view file) {
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
  validate(options, ErrorKind::bad_input, printable(file));
  return options;
}

void validate(const SamplingOptions& options, ErrorKind kind, std::string_view source) {
  const auto require = [&](bool good, std::string_view name, std::string_view expected,
                           double got) {
    if (!good) fail(kind, "{}: {}: {} expected, got {}", source, name, expected, got);
  };
  const auto finite = [&](double value, std::string_view name) {
    require(std::isfinite(value), name, "a finite number", value);
  };
  const auto share = [&](double value, std::string_view name) {
    require(value >= 0.0 && value <= 1.0, name, "0 to 1", value);
  };
  finite(options.temperature, "temperature");
  require(options.top_k >= 0, "top-k", "0 or more", static_cast<double>(options.top_k));
  share(options.top_p, "top-p");
  share(options.min_p, "min-p");
  share(options.typical_p, "typical");
  share(options.xtc_probability, "xtc-probability");
  share(options.xtc_threshold, "xtc-threshold");
  finite(options.top_n_sigma, "top-n-sigma");
  require(options.repeat_penalty > 0.0 && std::isfinite(options.repeat_penalty), "repeat-penalty",
          "more than 0", options.repeat_penalty);
  finite(options.frequency_penalty, "frequency-penalty");
  finite(options.presence_penalty, "presence-penalty");
  require(options.repeat_last_n >= 0, "repeat-last-n", "0 or more",
          static_cast<double>(options.repeat_last_n));
  require(options.dry_multiplier >= 0.0 && std::isfinite(options.dry_multiplier), "dry-multiplier",
          "0 or more", options.dry_multiplier);
  require(options.dry_base >= 1.0 && std::isfinite(options.dry_base), "dry-base", "1 or more",
          options.dry_base);
  require(options.dry_allowed_length >= 0, "dry-allowed-length", "0 or more",
          static_cast<double>(options.dry_allowed_length));
  require(options.dry_last_n >= -1, "dry-penalty-last-n", "-1 or more",
          static_cast<double>(options.dry_last_n));
  for (const LogitBias& entry : options.logit_bias)
    require(!std::isnan(entry.bias) && entry.bias < INFINITY, "logit-bias", "a number or -inf",
            entry.bias);
}

}  // namespace bittern::engine
