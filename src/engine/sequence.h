// A request in the engine, and each of its texts: the tokens so far, and where their keys and
// values are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/choice_text.h"
#include "engine/drafter.h"
#include "engine/request.h"
#include "model/sequence.h"

namespace bittern::engine {

struct Job;

struct Sequence {
  Job* job = nullptr;
  int64_t choice = 0;
  int64_t arrival = 0;               // the order in which they came
  std::vector<int32_t> tokens;       // the prompt, then what was generated
  model::SequenceState state;        // its pages; `length` tokens are computed
  int64_t published = 0;             // of its pages
  std::unique_ptr<Drafter> drafter;  // null: no guesses
  std::vector<int32_t> draft;        // guessed to follow `tokens`
  std::optional<ChoiceText> text;    // from its first step on
  Delta held;                        // what is not told before its end, or before all others'
  bool is_running = false;           // has pages, or may have: else it waits
  bool is_planned = false;           // in the step being planned

  int64_t pending() const { return static_cast<int64_t>(tokens.size()) - state.length; }
};

struct Job {
  int64_t id = 0;
  Request request;
  std::string salt;  // of its prefixes: requests that may share them have the same
  Sink sink;
  std::list<Sequence> texts;  // those that have not ended
  bool is_queued = true;      // nothing was computed yet
  bool has_forked = false;    // the prompt was computed and every choice began
  int64_t cached_tokens = 0;  // of the prompt, when it was first admitted
  std::vector<LogProbabilities> prompt_log_probabilities;
  // Tokens of the prompt whose log-probability is known, or that have none, as the first.
  int64_t scored = 1;
  // Where the best are picked: the texts that have ended, and how likely they are.
  struct Finished {
    Delta delta;
    double score = 0.0;
  };
  std::vector<Finished> finished;

  int64_t prompt_length() const { return static_cast<int64_t>(request.prompt.size()); }
  int64_t text_count() const { return std::max(request.choices, request.best_of); }
  bool picks_best() const { return request.best_of > request.choices; }
  bool wants_prompt_logits() const {
    return request.prompt_log_probability_count.has_value() && scored < prompt_length();
  }
};

}  // namespace bittern::engine
