#include "cli/sampling_flags.h"

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "base/error.h"

namespace bittern::cli {
namespace {

constexpr double kTemperatureMax = 100.0;
constexpr double kPenaltyMax = 100.0;
constexpr int64_t kTopKMax = std::numeric_limits<int32_t>::max();

uint64_t drawn_seed() {
  // 32 bits: short enough to be typed again.
  return std::random_device{}();
}

}  // namespace

void SamplingFlags::declare(Flags& flags) {
  flags.number({"--temp,--temperature", "T", "0 takes the likeliest token; default 0.8."},
               &temperature, 0.0, kTemperatureMax);
  flags.integer({"--top-k", "K", "Choose among the K likeliest tokens; 0: all; default 40."},
                &top_k, 0, kTopKMax);
  flags.number({"--top-p", "P",
                "Choose among the fewest tokens that have probability P together; default 0.95."},
               &top_p, 0.0, 1.0);
  flags.number({"--min-p", "P",
                "Choose among tokens at least P times as likely as the likeliest; default 0.05."},
               &min_p, 0.0, 1.0);
  flags.number({"--typical,--typical-p", "P",
                "Choose among the tokens of the most typical surprise that have probability P "
                "together; default 1: off."},
               &typical_p, 0.0, 1.0);
  flags.number({"--top-n-sigma", "N",
                "Choose among tokens whose logit is within N standard deviations of the best; "
                "default -1: off."},
               &top_n_sigma, -1.0, kPenaltyMax);
  flags.number({"--xtc-probability", "P",
                "With probability P leave out all tokens above the threshold but the least likely "
                "of them; default 0: off."},
               &xtc_probability, 0.0, 1.0);
  flags.number({"--xtc-threshold", "P", "What counts as a top choice for that; default 0.1."},
               &xtc_threshold, 0.0, 1.0);
  flags.number(
      {"--repeat-penalty", "X", "Divide the logits of tokens that occurred; default 1: off."},
      &repeat_penalty, 1e-3, kPenaltyMax);
  flags.integer({"--repeat-last-n", "N",
                 "Tokens that the penalties look back, prompt included; 0: none, -1: all; "
                 "default 64."},
                &repeat_last_n, -1, kTopKMax);
  flags.number(
      {"--frequency-penalty", "X", "Lower a token's logit by X for each occurrence; default 0."},
      &frequency_penalty, -kPenaltyMax, kPenaltyMax);
  flags.number(
      {"--presence-penalty", "X", "Lower the logits of tokens that occurred by X; default 0."},
      &presence_penalty, -kPenaltyMax, kPenaltyMax);
  flags.number({"--dry-multiplier", "X",
                "Lower the logits of tokens that would go on a repeat of the text (DRY); default "
                "0: off."},
               &dry_multiplier, 0.0, kPenaltyMax);
  flags.number({"--dry-base", "X", "How that grows with each token of the repeat; default 1.75."},
               &dry_base, 1.0, kPenaltyMax);
  flags.integer({"--dry-allowed-length", "N", "Repeats shorter than that are free; default 2."},
                &dry_allowed_length, 0, kTopKMax);
  flags.integer(
      {"--dry-penalty-last-n", "N", "Tokens that DRY looks back; 0: none, -1, the default: all."},
      &dry_last_n, -1, kTopKMax);
  flags.texts({"--dry-sequence-breaker", "TEXT",
               "No repeat goes on over a token with this text, instead of a line end, : \" and *; "
               "none: over any. Repeatable."},
              &dry_breakers);
  flags.text({"--samplers", "NAMES",
              "Which of penalties, dry, top_n_sigma, top_k, typ_p, top_p, min_p, xtc and "
              "temperature act, in this order, with ; between; that is the default order."},
             &stages);
  flags.texts({"--logit-bias", "ID=X",
               "Add X to a token's logit; ID+X and ID-X do too, ID-inf bans it. Repeatable."},
              &logit_bias);
  flags.integer(
      {"-s,--seed", "N", "The same seed gives the same text; -1, the default, draws one."}, &seed,
      -1, std::numeric_limits<int64_t>::max());
}

std::string_view SamplingFlags::given() const {
  const std::pair<std::string_view, bool> rows[] = {
      {"--temperature", temperature.has_value()},
      {"--top-k", top_k.has_value()},
      {"--top-p", top_p.has_value()},
      {"--min-p", min_p.has_value()},
      {"--typical-p", typical_p.has_value()},
      {"--top-n-sigma", top_n_sigma.has_value()},
      {"--xtc-probability", xtc_probability.has_value()},
      {"--xtc-threshold", xtc_threshold.has_value()},
      {"--repeat-penalty", repeat_penalty.has_value()},
      {"--repeat-last-n", repeat_last_n.has_value()},
      {"--frequency-penalty", frequency_penalty.has_value()},
      {"--presence-penalty", presence_penalty.has_value()},
      {"--dry-multiplier", dry_multiplier.has_value()},
      {"--dry-base", dry_base.has_value()},
      {"--dry-allowed-length", dry_allowed_length.has_value()},
      {"--dry-penalty-last-n", dry_last_n.has_value()},
      {"--dry-sequence-breaker", !dry_breakers.empty()},
      {"--samplers", stages.has_value()},
      {"--logit-bias", !logit_bias.empty()},
      {"--seed", seed.has_value()}};
  for (const auto& [flag, is_given] : rows)
    if (is_given) return flag;
  return "";
}

JsonBuilder sampling_json(const engine::SamplingOptions& options) {
  JsonBuilder bias = JsonBuilder::array();
  for (const engine::LogitBias& entry : options.logit_bias)
    bias.push_back(
        {{"token_id", entry.token},
         {"bias", std::isfinite(entry.bias) ? JsonBuilder(entry.bias) : JsonBuilder("-inf")}});
  JsonBuilder stages = JsonBuilder::array();
  for (const engine::SamplerStage stage : options.stages)
    stages.push_back(engine::stage_name(stage));
  return {{"temperature", options.temperature},
          {"top_k", options.top_k},
          {"top_p", options.top_p},
          {"min_p", options.min_p},
          {"repeat_penalty", options.repeat_penalty},
          {"repeat_last_n", options.repeat_last_n},
          {"frequency_penalty", options.frequency_penalty},
          {"presence_penalty", options.presence_penalty},
          {"typical_p", options.typical_p},
          {"top_n_sigma", options.top_n_sigma},
          {"xtc_probability", options.xtc_probability},
          {"xtc_threshold", options.xtc_threshold},
          {"dry_multiplier", options.dry_multiplier},
          {"dry_base", options.dry_base},
          {"dry_allowed_length", options.dry_allowed_length},
          {"dry_penalty_last_n", options.dry_last_n},
          {"dry_sequence_breakers", options.dry_breakers},
          {"samplers", std::move(stages)},
          {"logit_bias", std::move(bias)},
          {"seed", options.seed}};
}

engine::LogitBias parse_logit_bias(const std::string& word, int64_t token_count) {
  const size_t mark = word.find_first_of("=+-", 1);
  std::optional<int64_t> token;
  std::optional<double> bias;
  if (mark != std::string::npos) {
    token = parse_integer(std::string_view(word).substr(0, mark));
    bias = parse_number(std::string_view(word).substr(word[mark] == '=' ? mark + 1 : mark));
  }
  if (!token || !bias || *bias == INFINITY)
    fail(ErrorKind::usage, "--logit-bias: ID=NUMBER expected, like 15=-2.5 or 15-inf, got \"{}\"",
         printable(word));
  if (*token < 0 || *token >= token_count)
    fail(ErrorKind::usage, "--logit-bias: token id 0 to {} expected, got {}", token_count - 1,
         *token);
  return {static_cast<int32_t>(*token), static_cast<float>(*bias)};
}

engine::SamplingOptions SamplingFlags::over(engine::SamplingOptions defaults, int64_t context,
                                            int64_t token_count) const {
  engine::SamplingOptions options = std::move(defaults);
  options.temperature = temperature.value_or(options.temperature);
  options.top_k = top_k.value_or(options.top_k);
  options.top_p = top_p.value_or(options.top_p);
  options.min_p = min_p.value_or(options.min_p);
  options.repeat_penalty = repeat_penalty.value_or(options.repeat_penalty);
  options.repeat_last_n = repeat_last_n.value_or(options.repeat_last_n);
  if (options.repeat_last_n < 0) options.repeat_last_n = context;
  options.frequency_penalty = frequency_penalty.value_or(options.frequency_penalty);
  options.presence_penalty = presence_penalty.value_or(options.presence_penalty);
  options.typical_p = typical_p.value_or(options.typical_p);
  options.top_n_sigma = top_n_sigma.value_or(options.top_n_sigma);
  options.xtc_probability = xtc_probability.value_or(options.xtc_probability);
  options.xtc_threshold = xtc_threshold.value_or(options.xtc_threshold);
  options.dry_multiplier = dry_multiplier.value_or(options.dry_multiplier);
  options.dry_base = dry_base.value_or(options.dry_base);
  options.dry_allowed_length = dry_allowed_length.value_or(options.dry_allowed_length);
  options.dry_last_n = dry_last_n.value_or(options.dry_last_n);
  if (!dry_breakers.empty()) options.dry_breakers = dry_breakers;
  std::erase(options.dry_breakers, "none");
  if (stages) options.stages = engine::parse_stages(*stages, "--samplers");
  for (const std::string& word : logit_bias)
    options.logit_bias.push_back(parse_logit_bias(word, token_count));
  options.seed = seed && *seed >= 0 ? static_cast<uint64_t>(*seed) : drawn_seed();
  return options;
}

}  // namespace bittern::cli
