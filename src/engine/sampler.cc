#include "engine/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/float_mode.h"
#include "base/random.h"

namespace bittern::engine {
namespace {

// The random streams of a request's seed: token draws, and whether XTC acts.
constexpr uint64_t kDrawStream = 0, kXtcStream = 1;

// Beyond these a row is computed whole: neither happens in practice, and picking single logits out
// of many costs more than it saves.
constexpr int64_t kCutTopMax = 1000;
constexpr size_t kCutChangedMax = 4096;

bool has(const std::vector<SamplerStage>& stages, SamplerStage stage) {
  return std::ranges::find(stages, stage) != stages.end();
}

// A stage that is not in the order does nothing: its options are set to what turns it off.
SamplingOptions with_stages(SamplingOptions options, int64_t token_count) {
  const auto off = [&](SamplerStage stage) { return !has(options.stages, stage); };
  if (off(SamplerStage::penalties)) options.repeat_last_n = 0;
  if (off(SamplerStage::dry)) options.dry_multiplier = 0.0;
  if (off(SamplerStage::top_n_sigma)) options.top_n_sigma = -1.0;
  if (off(SamplerStage::top_k)) options.top_k = 0;
  if (off(SamplerStage::typical)) options.typical_p = 1.0;
  if (off(SamplerStage::top_p)) options.top_p = 1.0;
  if (off(SamplerStage::min_p)) options.min_p = 0.0;
  if (off(SamplerStage::xtc)) options.xtc_probability = 0.0;
  if (off(SamplerStage::temperature)) options.temperature = 1.0;
  if (options.top_k == 0 || options.top_k > token_count) options.top_k = token_count;
  return options;
}

// The likeliest token is likeliest after these stages, too.
bool keeps_best(const SamplingOptions& options) {
  return options.typical_p >= 1.0 && options.xtc_probability <= 0.0;
}

// The first stage that leaves any out is top-k, so nothing else looks at more.
bool begins_with_top_k(const SamplingOptions& options) {
  for (const SamplerStage stage : options.stages) {
    if (stage == SamplerStage::top_k) return true;
    if (stage == SamplerStage::penalties || stage == SamplerStage::dry ||
        stage == SamplerStage::temperature)
      continue;
    if (stage == SamplerStage::top_n_sigma && options.top_n_sigma <= 0.0) continue;
    if (stage == SamplerStage::typical && options.typical_p >= 1.0) continue;
    if (stage == SamplerStage::top_p && options.top_p >= 1.0) continue;
    if (stage == SamplerStage::min_p && options.min_p <= 0.0) continue;
    if (stage == SamplerStage::xtc && options.xtc_probability <= 0.0) continue;
    return false;
  }
  return false;
}

}  // namespace

Sampler::Sampler(SamplingOptions options, int64_t token_count,
                 std::function<bool(int32_t token)> is_breaker)
    : options_(with_stages(std::move(options), token_count)),
      token_count_(token_count),
      penalties_(options_, token_count),
      dry_(options_, std::move(is_breaker)),
      candidates_(picks_likeliest() && keeps_best(options_)
                      ? 1
                      : (begins_with_top_k(options_) ? options_.top_k : token_count)) {
  for (const LogitBias& entry : options_.logit_bias) {
    BITTERN_CHECK(entry.token >= 0 && entry.token < token_count, "logit bias of token {} of {}",
                  entry.token, token_count);
    if (entry.bias == -INFINITY)
      banned_.push_back(entry.token);
    else
      added_.push_back(entry);
  }
  std::ranges::sort(banned_);
  if (!added_.empty() || penalties_.is_on() || dry_.is_on())
    adjusted_.resize(static_cast<size_t>(token_count));
  const auto window = penalties_.is_on() ? static_cast<size_t>(options_.repeat_last_n) : 0;
  changed_.reserve(std::min(kCutChangedMax, options_.logit_bias.size() + window));
}

void Sampler::accept(int32_t token) {
  penalties_.accept(token);
  dry_.accept(token);
}

// Logits that bias or penalties change are needed as they are, whatever becomes of them. Of all
// others those that can be among the k best of everything are among their own k best.
backend::HeadCut Sampler::cut() {
  const bool best_only = picks_likeliest() && keeps_best(options_);
  const int64_t top = best_only ? 1 : options_.top_k;
  const size_t changed = options_.logit_bias.size() + penalties_.tokens().size();
  if (dry_.is_on() || (!best_only && !begins_with_top_k(options_))) return {};
  if (top > kCutTopMax || changed > kCutChangedMax) return {};
  changed_.clear();
  for (const LogitBias& entry : options_.logit_bias) changed_.push_back(entry.token);
  for (const int32_t token : penalties_.tokens()) changed_.push_back(token);
  return {.top = top, .outputs = token_count_, .always = changed_};
}

int32_t Sampler::sample(const float* logits, int64_t token_index, TokenMask mask) {
  const DefaultFloatMode mode;
  const std::span<const Candidate> left = distribution(logits, token_index, mask);
  if (left.size() == 1) return left.front().token;
  const double point =
      random::uniform(options_.seed, kDrawStream, static_cast<uint64_t>(token_index));
  double cumulative = 0.0;
  for (const Candidate& candidate : left) {
    cumulative += candidate.probability;
    if (point < cumulative) return candidate.token;
  }
  return left.back().token;  // the probabilities' sum may round to a little under 1
}

std::span<const Candidate> Sampler::distribution(const float* logits, int64_t token_index,
                                                 TokenMask mask) {
  const DefaultFloatMode mode;
  Row row{logits, token_index, {mask, banned_}, -INFINITY, false};
  candidates_.clear();
  if (!added_.empty()) {
    float* adjusted = writable(row);
    for (const LogitBias& entry : added_) adjusted[entry.token] += entry.bias;
  }
  const bool best_only = picks_likeliest() && keeps_best(options_);
  for (const SamplerStage stage : options_.stages) {
    const bool changes = stage == SamplerStage::penalties || stage == SamplerStage::dry;
    if (changes || !best_only) run(stage, row);
    if (row.is_gathered && candidates_.empty()) break;
  }
  gather(row, best_only ? 1 : token_count_);
  if (candidates_.empty()) {
    bad_input("no token can be chosen: {}",
              mask.empty() ? "every logit is -inf or not a number (damaged weights?)"
                           : "each that is allowed is banned or its logit not a number");
  }
  if (picks_likeliest()) candidates_.keep_best();
  candidates_.set_probabilities();
  return std::as_const(candidates_).list();
}

// Every stage but those that change logits needs an order: the first of them gathers.
void Sampler::run(SamplerStage stage, Row& row) {
  switch (stage) {
    case SamplerStage::penalties:
      return penalise(row);
    case SamplerStage::dry:
      return penalise_repeats(row);
    case SamplerStage::top_n_sigma:
      if (options_.top_n_sigma <= 0.0) return;
      if (row.is_gathered) return candidates_.keep_within_sigma(options_.top_n_sigma);
      row.least =
          Candidates::sigma_cut(row.logits, token_count_, options_.top_n_sigma, row.drawable);
      return;
    case SamplerStage::top_k:
      if (row.is_gathered) return candidates_.keep_top_k(options_.top_k);
      return gather(row, options_.top_k);
    case SamplerStage::temperature:
      if (!picks_likeliest()) candidates_.divide(options_.temperature);
      return;
    case SamplerStage::typical:
      if (options_.typical_p >= 1.0) return;
      break;
    case SamplerStage::top_p:
      if (options_.top_p >= 1.0) return;
      break;
    case SamplerStage::min_p:
      if (options_.min_p <= 0.0) return;
      break;
    case SamplerStage::xtc:
      if (options_.xtc_probability <= 0.0) return;
      break;
  }
  gather(row, token_count_);
  if (candidates_.empty()) return;
  if (stage == SamplerStage::typical) candidates_.keep_typical(options_.typical_p);
  if (stage == SamplerStage::top_p) candidates_.keep_top_p(options_.top_p);
  if (stage == SamplerStage::min_p) candidates_.keep_min_p(options_.min_p);
  if (stage == SamplerStage::xtc) leave_out_top_choices(row);
}

void Sampler::gather(Row& row, int64_t limit) {
  if (row.is_gathered) return;
  row.is_gathered = true;
  candidates_.gather(row.logits, token_count_, limit, row.least, row.drawable);
}

// The row as a copy of our own.
float* Sampler::writable(Row& row) {
  if (row.logits != adjusted_.data()) {
    std::copy_n(row.logits, token_count_, adjusted_.begin());
    row.logits = adjusted_.data();
  }
  return adjusted_.data();
}

// Whoever has stayed within sigma stays, whatever becomes of the logit.
void Sampler::penalise(Row& row) {
  if (!penalties_.is_on()) return;
  if (row.least > -INFINITY) gather(row, token_count_);
  if (!row.is_gathered) return penalties_.apply_to_row(writable(row));
  candidates_.change([&](const Candidate& candidate) {
    return penalties_.apply(candidate.token, candidate.logit);
  });
}

void Sampler::penalise_repeats(Row& row) {
  if (!dry_.is_on()) return;
  const auto& penalties = dry_.penalties();
  if (penalties.empty()) return;
  if (row.least > -INFINITY) gather(row, token_count_);
  if (!row.is_gathered) {
    float* logits = writable(row);
    for (const auto& [token, penalty] : penalties)
      if (token < token_count_) logits[token] -= penalty;
    return;
  }
  candidates_.change([&](const Candidate& candidate) {
    const auto found = penalties.find(candidate.token);
    return found == penalties.end() ? candidate.logit : candidate.logit - found->second;
  });
}

// Above one half there is never more than one such choice.
void Sampler::leave_out_top_choices(Row& row) {
  const double point =
      random::uniform(options_.seed, kXtcStream, static_cast<uint64_t>(row.token_index));
  if (options_.xtc_threshold > 0.5 || point >= options_.xtc_probability) return;
  candidates_.leave_out_top_choices(options_.xtc_threshold);
}

}  // namespace bittern::engine
