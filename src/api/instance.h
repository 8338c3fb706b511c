// A loaded model behind a handle: the session, the engine of its requests, the thread that runs
// both, and what is made of the model's files on first use. Requests and sequences refer to it and
// may outlive the handle.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/engine_thread.h"
#include "api/outbox.h"
#include "base/log.h"
#include "engine/chat_prompt.h"
#include "engine/constraint_cache.h"
#include "engine/embedder.h"
#include "engine/engine.h"
#include "engine/session.h"

namespace bittern::api {

// Tokens of one step; no more sequences than that can run at once.
inline constexpr int64_t kStepRows = 512;

struct InstanceOptions {
  std::string model;
  std::string gguf_dialect;
  engine::SessionOptions session;  // what depends on the model is decided by the instance
  int64_t max_queued_requests = 0;
  int64_t max_guesses = 0;
  Log::Level log_level = Log::Level::quiet;
};

class Instance {
 public:
  // Opens and loads, and starts the thread.
  explicit Instance(const InstanceOptions& options);
  ~Instance() { stop(); }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  const engine::Session& session() const { return session_; }
  const model::Model& model() const { return *session_.model; }
  const text::Tokenizer& tokenizer() const { return session_.tokenizer(); }
  const std::string& path() const { return path_; }
  const std::string& name() const { return name_; }
  const std::string& backend_name() const { return backend_name_; }
  int64_t sequences() const { return sequences_; }
  bool can_generate() const { return engine_ != nullptr; }
  const engine::EmbeddingDefaults& embedding_defaults() const { return embedding_defaults_; }
  engine::EngineStats stats() const;

  // The model's chat template, parsed once. Throws Error{usage} where it has none.
  const engine::ChatTemplate& chat_template(bool has_tools);
  bool has_chat_template() const { return has_chat_template_; }
  // Throws Error{unsupported} where the model makes no text.
  engine::ConstraintCache& constraints();

  // The request's id. Throws what Engine::submit throws, and Error{internal} after a failure.
  int64_t submit(engine::Request request, const std::shared_ptr<Outbox>& outbox);
  void cancel(int64_t id);
  // On the engine's thread, between two steps (EngineThread::run).
  void run(const std::function<void()>& body) { thread_.run(body); }
  // Of a text of at most session().options.context tokens; on the engine's thread.
  std::vector<float> embed(std::span<const int32_t> tokens, engine::Pooling pooling);
  // Throws Error{resources} where there is no memory for a further sequence of so many positions.
  void require_room(int64_t positions, int64_t logit_rows, backend::KvType kv_type) const;
  // Ends all requests, then the thread.
  void stop();

 private:
  engine::Session open(const InstanceOptions& options);
  void make_engine(const InstanceOptions& options);
  void fail_all(const std::string& message);

  std::string path_, name_, backend_name_;
  int64_t sequences_;
  Log log_;
  engine::EmbeddingDefaults embedding_defaults_;
  engine::Session session_;
  bool has_chat_template_ = false;
  std::unique_ptr<engine::StepModel> step_model_;
  std::unique_ptr<engine::Engine> engine_;  // null: an encoder
  std::unique_ptr<engine::ConstraintCache> constraints_;

  // Of the engine's thread.
  std::unique_ptr<engine::Embedder> embedder_;
  std::optional<engine::Pooling> embedder_pooling_;

  std::mutex template_mutex_;
  std::optional<engine::ChatTemplate> templates_[2];  // without and with tools

  struct Running {
    int64_t id = 0;
    std::weak_ptr<Outbox> outbox;
  };
  std::mutex requests_mutex_;  // of what follows
  std::vector<Running> requests_;
  std::optional<std::string> failure_;

  EngineThread thread_;  // last: it uses the rest
};

}  // namespace bittern::api

// The handle.
struct bittern_model {
  std::shared_ptr<bittern::api::Instance> instance;
};
