// The model a verb works on: the flags that name it and say how to run it, and the loaded thing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/pack_cache.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "cli/flags.h"
#include "engine/sequence_runner.h"
#include "format/checkpoint.h"
#include "model/model.h"
#include "model/plan.h"
#include "text/tokenizer.h"

namespace bittern::cli {

struct ModelFlags {
  std::optional<std::string> path, gguf_dialect, kv_type, activations, cache, head;
  std::optional<int64_t> threads, context;

  void declare_path(Flags& flags);     // MODEL, --gguf-dialect
  void declare_threads(Flags& flags);  // --threads
  void declare_context(Flags& flags);  // --context, --kv-type
  void declare_activations(Flags& flags);
  void declare_cache(Flags& flags);
  void declare_head(Flags& flags);

  format::Checkpoint open() const;
  int thread_count() const;
  backend::KvType kv() const;
  // Where packed weights are kept; nothing where they are not to be, or nobody says where.
  std::optional<backend::PackCacheOptions> pack_cache(const Log& log) const;
  backend::HeadPlane head_plane() const;
  bool float_activations() const { return activations == "f32"; }
};

std::string_view kv_type_name(backend::KvType type);

// How much of a model a verb wants to run at once.
struct RunShape {
  int64_t context = 0;         // positions; 0: the model's maximum, or what memory allows
  int64_t max_rows = 512;      // tokens in one step
  int64_t max_logit_rows = 1;  // rows of a step whose logits are wanted; 0: hidden states are
  bool cut_logits = false;     // they are asked for by cuts: --head applies
};

// A model ready to run. Members are destroyed in reverse order: the model before the backend
// whose memory it uses, that before the threads.
struct Session {
  std::unique_ptr<ThreadPool> threads;
  std::unique_ptr<backend::PackCache> cache;  // null: none
  std::unique_ptr<backend::Backend> backend;
  std::unique_ptr<model::Model> model;
  backend::KvType kv_type = backend::KvType::f16;
  RunShape shape;  // its context decided
  double load_seconds = 0.0;

  // One empty sequence with room for `positions` (at most the session's context, which they are
  // cut to); the session must outlive it.
  engine::SequenceRunner make_runner(int64_t positions) const;

  // The tokenizer; throws Error{unsupported} with the reason where the model has none.
  const text::Tokenizer& tokenizer() const;
  // Every kernel that runs a linear layer of the model, each once.
  std::vector<std::string> kernels() const;
};

// Opens, plans memory and loads. A context that memory cut short is said in the log. Throws
// Error{resources} before anything large is taken.
Session load_session(const ModelFlags& flags, RunShape shape, const Log& log);
// The same of a checkpoint that is open already, or was made in memory; flags.path is not used.
Session load_session(format::Checkpoint checkpoint, const ModelFlags& flags, RunShape shape,
                     const Log& log);

// The plan in words, one line per part.
std::vector<std::string> plan_lines(const model::MemoryPlan& plan);

// The tokenizer alone, without loading weights.
std::unique_ptr<text::Tokenizer> load_tokenizer(const ModelFlags& flags);

}  // namespace bittern::cli
