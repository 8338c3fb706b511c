// One request alone, in the plainest way there is: prompt in, then draw, append, step. What the
// engine makes of many requests at once is held against it.
#pragma once

#include <string>
#include <vector>

#include "engine/request.h"
#include "engine/sequence_runner.h"
#include "text/tokenizer.h"

namespace bittern::engine {

struct PlainGeneration {
  std::vector<int32_t> tokens;
  std::string text;
  std::vector<LogProbabilities> log_probabilities;
  FinishReason finish_reason = FinishReason::max_tokens;
};

// Looks at the request's prompt, sampling, max_tokens (which it must have), stops and
// top_log_probability_count, and at nothing else of it. The runner's sequence is empty before.
PlainGeneration generate_plainly(const Request& request, SequenceRunner& runner,
                                 const text::Tokenizer& tokenizer);

}  // namespace bittern::engine
