// What a caller asks of the engine, and what it gets back while the text grows.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chat/grammar/grammar.h"
#include "engine/finish_reason.h"
#include "engine/log_probability.h"
#include "engine/sampling_options.h"
#include "model/adapter.h"

namespace bittern::engine {

// The text of every choice is a function of this, the model and nothing else: not of what runs
// beside it, of chunks, cached prefixes, threads or preemption.
struct Request {
  std::vector<int32_t> prompt;        // not empty
  SamplingOptions sampling;           // choice i draws with seed + i
  std::optional<int64_t> max_tokens;  // generated tokens; none: until the context is full
  int64_t min_tokens = 0;             // no token ends the text before so many
  std::vector<std::string> stops;
  std::vector<int32_t> stop_tokens;                     // end the text like the model's own
  bool ignore_end_of_generation = false;                // the model's own are never drawn
  std::optional<int64_t> top_log_probability_count;     // none: no log-probabilities
  std::optional<int64_t> prompt_log_probability_count;  // likewise, of the prompt's tokens
  // What the text must match (null: anything). Requests may share one; the engine draws for them
  // one after the other.
  std::shared_ptr<chat::grammar::Constraint> constraint;
  // What is added to the model (null: nothing), bound to the engine's model. Prefixes are shared
  // with requests of the same adapters and scales only.
  std::shared_ptr<const model::AdapterSet> adapters;
  int64_t choices = 1;
  // Texts made, of which the `choices` with the highest mean log-probability of their tokens are
  // told, each whole when all are done. 0: `choices`, told as they grow.
  int64_t best_of = 0;
  int32_t priority = 0;      // higher goes first, and never waits for lower
  std::string tenant;        // shares the machine fairly with others, and prefixes with nobody else
  bool reuse_prefix = true;  // may read and leave pages for others of this tenant
};

struct Usage {
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;  // of the prompt, not computed again
  int64_t generated_tokens = 0;
};

struct Ending {
  FinishReason reason = FinishReason::max_tokens;
  std::optional<std::string> stop = {};  // the stop string that was met
  std::string error = {};                // of FinishReason::failed, one line
  Usage usage = {};
};

// News of one choice. The deltas of a choice come in order, the last one has an ending.
struct Delta {
  int64_t choice = 0;
  std::string text = {};             // whole characters that are certain
  std::vector<int32_t> tokens = {};  // with the stop token, which is not in the text
  std::vector<LogProbabilities> log_probabilities = {};  // one for each token where asked for
  // Of the prompt's tokens from the second on, with the first delta of choice 0.
  std::vector<LogProbabilities> prompt_log_probabilities = {};
  std::optional<Ending> ending = {};
};

// Called on the engine's thread between steps; must not block.
using Sink = std::function<void(Delta delta)>;

}  // namespace bittern::engine
