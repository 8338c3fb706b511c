// What answers the requests of a batch: a loaded model with its engine, its template and its
// settings, as the verb's flags say.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cli/adapter_flags.h"
#include "cli/model_flags.h"
#include "cli/sampling_flags.h"
#include "cli/speculation_flags.h"
#include "engine/chat_prompt.h"
#include "engine/constraint_cache.h"
#include "engine/draft_session.h"
#include "engine/embedder.h"
#include "engine/engine.h"
#include "engine/session.h"
#include "serve/batch/batch_runner.h"
#include "serve/batch/journal.h"

namespace bittern::cli {

struct BatchFlags {
  ModelFlags model;
  SamplingFlags sampling;
  AdapterFlags adapters;
  SpeculationFlags speculation;
  std::optional<std::string> template_file, pooling;
  std::optional<int64_t> parallel, max_tokens;

  int64_t texts_at_once() const;
};

// Members are destroyed in reverse order.
struct BatchAnswerer {
  engine::Session session;
  std::optional<engine::ChatTemplate> chat, tool_chat;
  std::unique_ptr<engine::ConstraintCache> constraints;
  std::unique_ptr<engine::DraftSession> draft;  // null: no draft model
  std::unique_ptr<engine::StepModel> step_model;
  std::unique_ptr<engine::Engine> engine;  // null: an encoder, which predicts no text
  std::unique_ptr<engine::Embedder> embedder;
  std::string no_embedder;  // why it is null
  serve::openai::TextModel text;
  std::string name;
  uint64_t seed = 0;
  serve::BatchSettings settings;  // what answers depend on

  // Refers to this.
  serve::BatchModel model() const;
};

// Throws what loading throws. `seed`: of requests that have none.
BatchAnswerer load_batch_answerer(BatchFlags flags, uint64_t seed, const Log& log);

}  // namespace bittern::cli
