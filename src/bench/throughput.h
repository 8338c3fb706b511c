// Tokens a second of a model at a place of its context: prefill of a prompt behind `depth`
// positions, or decoding of `batch` sequences that each hold `depth` positions. Requests run
// through the engine, so planning, sampling (the default chain) and making text are in the time;
// only the context before is put there directly (standing_context.h).
//
// The tokens are arbitrary: the time does not depend on them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "backend/backend.h"
#include "base/thread_pool.h"
#include "bench/samples.h"
#include "bench/step_work.h"
#include "model/model.h"

namespace bittern::bench {

enum class Phase { prefill, decode };
std::string_view phase_name(Phase phase);

struct Case {
  Phase phase = Phase::decode;
  int64_t depth = 0;   // positions stored before
  int64_t tokens = 0;  // of the prompt; or made for each sequence
  int64_t batch = 1;   // sequences side by side (decode)

  // Of the context that one sequence needs. Decoding begins behind a token, whatever the depth, and
  // what the last step draws has a place, too.
  int64_t positions() const {
    return phase == Phase::prefill ? depth + tokens : std::max<int64_t>(depth, 1) + tokens + 1;
  }
};

struct Result {
  Case what;
  Spread tokens_per_second;  // over slices: a prompt, or one step of decoding
  int64_t repetitions = 0;
  std::vector<double> slice_seconds;
  StepWork work;  // of a slice, on average
  // Rows of the output layer's weights that were read in full for a row of logits, beside its
  // coarse plane; nothing where the whole layer was.
  std::optional<double> refined_rows = std::nullopt;
  // Of the slices' time what the engine took beside the model: planning, drawing, telling.
  double engine_share = 0.0;

  double bytes_per_second() const;
  double operations_per_second() const;
};

struct ThroughputOptions {
  int64_t repetitions = 5;
  // No repetition after the first begins once a case has taken this long.
  double seconds = 10.0;
  int64_t max_rows = 512;  // of one step of a prefill
  uint64_t seed = 1;
};

// What is measured; all must outlive the call.
struct Subject {
  const model::Model& model;
  backend::Backend& backend;
  ThreadPool& threads;
  backend::KvType kv_type = backend::KvType::f16;
};

// `advanced` is told the tokens of each slice; may be null, may throw to give up. Throws
// Error{resources} where keys and values do not fit. Positions must be within the model's context.
Result measure_case(const Subject& subject, const Case& what, const ThroughputOptions& options,
                    const std::function<void(int64_t)>& advanced);

}  // namespace bittern::bench
