// Text from a prompt, one sequence at a time: prefill in chunks, then a token per step until a
// stop token, a stop string, the token limit, the end of the context or Ctrl-C.
// The model is behind one function, so that tests put a table of logits in its place.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "engine/finish_reason.h"
#include "engine/log_probability.h"
#include "engine/sampling_options.h"
#include "text/tokenizer.h"

namespace bittern::engine {

// What the loop needs of a model. `step` appends tokens (at most max_step_tokens) to the sequence
// and returns the logits of the last one, valid until the next call.
struct LogitSource {
  std::function<const float*(std::span<const int32_t> tokens)> step;
  // The same, but only the logits that the cut names (backend::HeadCut); empty: no such way.
  std::function<const float*(std::span<const int32_t> tokens, const backend::HeadCut& cut)>
      cut_step = {};
  int64_t vocab_size = 0;
  int64_t context = 0;
  int64_t max_step_tokens = 512;
};

struct GenerateOptions {
  SamplingOptions sampling;
  std::optional<int64_t> max_tokens;  // generated tokens; none: until the context is full
  std::vector<std::string> stops;
  bool ignore_end_of_generation = false;             // such tokens are never drawn
  std::optional<int64_t> top_log_probability_count;  // none: no log-probabilities at all
  std::function<bool()> cancelled;                   // asked before every step; may be empty
};

struct Generation {
  std::vector<int32_t> tokens;                      // with the stop token, which is not in the text
  std::vector<LogProbabilities> log_probabilities;  // one per token where asked for
  FinishReason finish_reason = FinishReason::max_tokens;
  std::optional<std::string> stop;  // the stop string that was met
  double prefill_seconds = 0.0;     // to the first token's logits
  double decode_seconds = 0.0;      // the steps after the first token
  int64_t decode_steps = 0;
};

// Runs from an empty sequence. `emit` gets the text in whole characters as it becomes certain;
// an empty piece is never passed. Throws Error{usage} where the prompt is empty or leaves no room
// in the context.
Generation generate(const LogitSource& source, const text::Tokenizer& tokenizer,
                    std::span<const int32_t> prompt, const GenerateOptions& options,
                    const std::function<void(std::string_view text)>& emit);

}  // namespace bittern::engine
