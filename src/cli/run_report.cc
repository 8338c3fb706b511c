#include "cli/run_report.h"

#include <algorithm>
#include <cmath>

#include "base/memory.h"
#include "base/progress.h"
#include "cli/model_flags.h"
#include "cli/sampling_flags.h"

namespace bittern::cli {
namespace {

double per_second(double count, double seconds) { return seconds > 0.0 ? count / seconds : 0.0; }

JsonBuilder token_json(const text::Tokenizer& tokenizer, const engine::TokenLogProbability& entry) {
  return {{"token_id", entry.token},
          {"text", tokenizer.token_bytes(entry.token, {.skip_special = false})},
          // JSON knows no infinity; a banned token that was never likely is simply the least.
          {"log_probability",
           std::isfinite(entry.value) ? JsonBuilder(entry.value) : JsonBuilder(nullptr)}};
}

}  // namespace

double RunReport::prefill_rate() const {
  return per_second(static_cast<double>(request_.prompt.size()), result_.prefill_seconds);
}

double RunReport::decode_rate() const {
  const int64_t steps = result_.made_tokens - text_count();
  return steps > 0 ? per_second(static_cast<double>(steps), result_.decode_seconds) : 0.0;
}

std::string RunReport::text_line() const {
  int64_t tokens = 0;
  std::vector<std::string_view> ends;
  for (const RunChoice& choice : result_.choices) {
    tokens += std::ssize(choice.tokens);
    const std::string_view end = engine::finish_reason_name(choice.ending.reason);
    if (std::ranges::find(ends, end) == ends.end()) ends.push_back(end);
  }
  std::string line = fmt::format("{} tokens", tokens);
  if (request_.choices > 1) line += fmt::format(" in {} choices", request_.choices);
  if (request_.best_of > request_.choices)
    line += fmt::format(", the best of {} ({} tokens)", request_.best_of, result_.made_tokens);
  if (decode_rate() > 0.0) line += fmt::format(", {:.1f} tokens/s", decode_rate());
  return fmt::format("{}, end: {}", line, fmt::join(ends, ", "));
}

void RunReport::print_statistics(const Log& log) const {
  log.info("");
  log.info("load    {:.2f} s, {} at most in memory", session_.load_seconds,
           format_bytes(static_cast<double>(memory::peak_resident_bytes())));
  log.info("prompt  {} tokens, {:.1f} tokens/s", request_.prompt.size(), prefill_rate());
  log.info("text    {}", text_line());
  if (result_.guessed)
    log.info("guesses {} of {} right", result_.accepted_guesses, result_.guessed_tokens);
  log.info("kernel  {}; {}", session_.backend->description(), fmt::join(session_.kernels(), ", "));
  log.info("context {}, KV {}, seed {}", session_.options.context,
           kv_type_name(session_.options.kv_type), request_.sampling.seed);
}

JsonBuilder RunReport::log_probability_json(const engine::LogProbabilities& entry) const {
  const text::Tokenizer& tokenizer = session_.tokenizer();
  JsonBuilder row = token_json(tokenizer, entry.chosen);
  row["top"] = JsonBuilder::array();
  for (const engine::TokenLogProbability& other : entry.top)
    row["top"].push_back(token_json(tokenizer, other));
  return row;
}

JsonBuilder RunReport::choice_json(const RunChoice& choice) const {
  JsonBuilder log_probabilities = nullptr;
  if (request_.top_log_probability_count) {
    log_probabilities = JsonBuilder::array();
    for (const engine::LogProbabilities& entry : choice.log_probabilities)
      log_probabilities.push_back(log_probability_json(entry));
  }
  const std::optional<std::string>& stop = choice.ending.stop;
  return {{"text", choice.text},
          {"token_ids", choice.tokens},
          {"finish_reason", engine::finish_reason_name(choice.ending.reason)},
          {"stop", stop ? JsonBuilder(*stop) : JsonBuilder(nullptr)},
          {"log_probabilities", std::move(log_probabilities)}};
}

JsonBuilder RunReport::statistics_json() const {
  JsonBuilder statistics = {{"load_seconds", session_.load_seconds},
                            {"prompt_tokens", request_.prompt.size()},
                            {"prefill_tokens_per_second", prefill_rate()},
                            {"text_tokens", result_.made_tokens},
                            {"decode_tokens_per_second", decode_rate()},
                            {"peak_memory_bytes", memory::peak_resident_bytes()},
                            {"context", session_.options.context},
                            {"kv_type", kv_type_name(session_.options.kv_type)},
                            {"backend", session_.backend->description()},
                            {"packed_weights", session_.cache ? session_.cache->state() : "off"},
                            {"kernels", session_.kernels()}};
  if (result_.guessed) {
    statistics["guessed_tokens"] = result_.guessed_tokens;
    statistics["accepted_guesses"] = result_.accepted_guesses;
  }
  return statistics;
}

// One choice stands in the document itself, several in a list.
JsonBuilder RunReport::document(const std::string& model, const std::string& prompt) const {
  JsonBuilder document = {{"model", model}, {"prompt", prompt}, {"prompt_ids", request_.prompt}};
  if (request_.prompt_log_probability_count) {
    JsonBuilder rows = JsonBuilder::array({nullptr});  // nothing stands before the first token
    for (const engine::LogProbabilities& entry : result_.prompt_log_probabilities)
      rows.push_back(log_probability_json(entry));
    document["prompt_log_probabilities"] = std::move(rows);
  }
  if (request_.choices == 1) {
    document.update(choice_json(result_.choices.front()));
  } else {
    document["choices"] = JsonBuilder::array();
    for (const RunChoice& choice : result_.choices)
      document["choices"].push_back(choice_json(choice));
  }
  document["sampling"] = sampling_json(request_.sampling);
  document["statistics"] = statistics_json();
  return document;
}

}  // namespace bittern::cli
