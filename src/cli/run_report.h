// What a run says when it has ended: lines of statistics for people, one JSON document for
// programs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json_write.h"
#include "base/log.h"
#include "engine/request.h"
#include "engine/session.h"

namespace bittern::cli {

// One text, put together from its deltas.
struct RunChoice {
  std::string text;
  std::vector<int32_t> tokens;
  std::vector<engine::LogProbabilities> log_probabilities;
  engine::Ending ending;
};

struct RunResult {
  std::vector<RunChoice> choices;
  std::vector<engine::LogProbabilities> prompt_log_probabilities;  // from the second token on
  int64_t made_tokens = 0;  // of all texts, those that were not chosen too
  double prefill_seconds = 0, decode_seconds = 0;
  bool interrupted = false;  // before every text had ended
  bool guessed = false;      // tokens were guessed ahead
  int64_t guessed_tokens = 0, accepted_guesses = 0;
};

// Refers to what it reports; all of it must outlive it.
class RunReport {
 public:
  RunReport(const engine::Session& session, const engine::Request& request, const RunResult& result)
      : session_(session), request_(request), result_(result) {}

  void print_statistics(const Log& log) const;
  // `model` as the user named it; `prompt` as the model read it.
  JsonBuilder document(const std::string& model, const std::string& prompt) const;

 private:
  int64_t text_count() const { return std::max(request_.choices, request_.best_of); }
  double prefill_rate() const;
  // Tokens a second behind the first of each text; 0 where there are none.
  double decode_rate() const;
  std::string text_line() const;
  JsonBuilder choice_json(const RunChoice& choice) const;
  JsonBuilder log_probability_json(const engine::LogProbabilities& entry) const;
  JsonBuilder statistics_json() const;

  const engine::Session& session_;
  const engine::Request& request_;
  const RunResult& result_;
};

}  // namespace bittern::cli
