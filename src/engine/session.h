// A model ready to run: opened, its memory planned and refused before anything large is taken,
// packed, with the threads that run it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/pack_cache.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "engine/sequence_runner.h"
#include "engine/step_model.h"
#include "format/checkpoint.h"
#include "model/model.h"
#include "text/tokenizer.h"

namespace bittern::engine {

struct SessionOptions {
  int64_t context = 0;  // positions of a sequence; 0: the model's maximum, or what memory allows
  // Sequences that run at once: keys and values are planned for a whole context of each as far as
  // a quarter of the memory goes, and for one in any case.
  int64_t sequences = 1;
  int64_t max_rows = 512;      // tokens in one step
  int64_t max_logit_rows = 1;  // rows of a step whose logits are wanted; 0: hidden states are
  bool cut_logits = false;     // they are asked for by cuts: `head` applies
  backend::KvType kv_type = backend::KvType::f16;
  bool float_activations = false;
  backend::HeadPlane head = backend::HeadPlane::where_faster;
  std::optional<backend::PackCacheOptions> cache = {};  // none: packed weights are not kept
  int threads = 0;                        // 0: the cores that quota and affinity leave
  std::shared_ptr<ThreadPool> pool = {};  // of other sessions; null: its own
  bool shows_progress = true;             // on a terminal
};

// Members are destroyed in reverse order: the model before the backend whose memory it uses, that
// before the threads.
struct Session {
  std::shared_ptr<ThreadPool> threads;
  std::unique_ptr<backend::PackCache> cache;  // null: none
  std::unique_ptr<backend::Backend> backend;
  std::unique_ptr<model::Model> model;
  SessionOptions options;  // its context decided
  int64_t positions = 0;   // of all sequences together that memory was planned for
  double load_seconds = 0.0;

  // One empty sequence with room for `positions_wanted` (at most the context, which they are cut
  // to); the session must outlive it.
  SequenceRunner make_runner(int64_t positions_wanted) const;
  // Many, with room for so many positions together (cut to those planned); likewise.
  std::unique_ptr<StepModel> make_step_model(int64_t positions_wanted) const;

  // The tokenizer; throws Error{unsupported} with the reason where the model has none.
  const text::Tokenizer& tokenizer() const;
  // Every kernel that runs a linear layer of the model, each once.
  std::vector<std::string> kernels() const;
};

// Plans memory and loads. A context that memory cut short is said in the log. Throws
// Error{resources} before anything large is taken, and what opening and binding throw.
Session load_session(format::Checkpoint checkpoint, SessionOptions options, const Log& log);

// Memory that such a session takes, weights that are read where the file is mapped included.
int64_t session_bytes(const format::Checkpoint& checkpoint, SessionOptions options);

// Where packed weights are kept unless somebody names a folder: in the store of models. Nothing
// where the environment gives no place for it.
std::optional<backend::PackCacheOptions> default_pack_cache(const Log& log);

}  // namespace bittern::engine
