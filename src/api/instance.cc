#include "api/instance.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/memory.h"
#include "engine/repeat_drafter.h"
#include "format/chat_template.h"
#include "model/bind.h"
#include "store/resolve.h"

namespace bittern::api {
namespace {

// Rows of a step that may want logits: one for every sequence, and some for guesses.
constexpr int64_t kLogitRowsPerSequence = 4;
constexpr int64_t kLeastLogitRows = 16, kMostGuessRows = 64;

int64_t logit_rows(int64_t sequences) {
  const int64_t guesses = std::min(sequences * (kLogitRowsPerSequence - 1), kMostGuessRows);
  return std::max(kLeastLogitRows, sequences + guesses);
}

std::string display_name(const format::Checkpoint& checkpoint) {
  const auto stated = checkpoint.metadata.get_string("general.name");
  if (stated && !stated->empty()) return *stated;
  const std::filesystem::path& path = checkpoint.path;
  return path.has_filename() ? path.stem().string() : path.parent_path().filename().string();
}

// A model that predicts text runs whatever its files say of embeddings.
engine::EmbeddingDefaults read_embedding_defaults(const format::Checkpoint& checkpoint,
                                                  const model::Config& config) {
  try {
    return engine::embedding_defaults(checkpoint, config);
  } catch (const Error&) {
    if (!config.has_head) throw;
    return {};
  }
}

}  // namespace

Instance::Instance(const InstanceOptions& options)
    : sequences_(options.session.sequences),
      log_(options.log_level),
      session_(open(options)),
      thread_([this](const std::string& message) { fail_all(message); }) {
  backend_name_ = session_.backend->description();
  try {
    has_chat_template_ = !format::read_chat_templates(model().checkpoint).empty();
  } catch (const Error&) {
    has_chat_template_ = true;  // chat_template() says what is wrong with it
  }
  if (session_.options.max_logit_rows > 0) make_engine(options);
  thread_.start(engine_.get());
}

// An encoder reads a text in one step and has no logits.
engine::Session Instance::open(const InstanceOptions& options) {
  format::Checkpoint checkpoint = format::open_checkpoint(model_store::resolve_model(options.model),
                                                          {.gguf_dialect = options.gguf_dialect});
  path_ = checkpoint.path.string();
  name_ = display_name(checkpoint);
  const model::Config config = model::read_config(checkpoint, model::find_architecture(checkpoint));
  embedding_defaults_ = read_embedding_defaults(checkpoint, config);
  engine::SessionOptions session = options.session;
  session.shows_progress = false;
  session.max_rows = kStepRows;
  session.cut_logits = true;
  session.max_logit_rows = logit_rows(session.sequences);
  if (!config.has_head) {
    session.context = session.context > 0 ? session.context
                                          : engine::embedding_tokens(embedding_defaults_, config);
    session.sequences = 1;
    session.max_rows = session.context;
    session.max_logit_rows = 0;
    session.kv_type = backend::KvType::f32;
    session.cut_logits = false;
  }
  return engine::load_session(std::move(checkpoint), std::move(session), log_);
}

void Instance::make_engine(const InstanceOptions& options) {
  step_model_ = session_.make_step_model(session_.positions);
  const text::Tokenizer* tokenizer = model().tokenizer.get();
  if (tokenizer != nullptr) constraints_ = std::make_unique<engine::ConstraintCache>(*tokenizer);
  engine::EngineOptions wanted{.max_sequences = sequences_,
                               .max_queued_requests = options.max_queued_requests,
                               .max_guesses = options.max_guesses,
                               .wake = [this] { thread_.wake(); }};
  if (options.max_guesses > 0) wanted.make_drafter = engine::repeat_drafters();
  engine_ = std::make_unique<engine::Engine>(*step_model_, tokenizer, std::move(wanted));
}

engine::EngineStats Instance::stats() const {
  return engine_ ? engine_->stats() : engine::EngineStats();
}

const engine::ChatTemplate& Instance::chat_template(bool has_tools) {
  const std::lock_guard lock(template_mutex_);
  std::optional<engine::ChatTemplate>& known = templates_[has_tools ? 1 : 0];
  if (!known) known = engine::ChatTemplate::of(model().checkpoint, has_tools);
  if (!known)
    fail(ErrorKind::usage, "{}: the model has no chat template; `chat_template` gives it one",
         printable(path_));
  return *known;
}

engine::ConstraintCache& Instance::constraints() {
  if (!constraints_) tokenizer();  // says why there is none
  if (!constraints_) fail(ErrorKind::unsupported, "{}: makes no text", printable(path_));
  return *constraints_;
}

int64_t Instance::submit(engine::Request request, const std::shared_ptr<Outbox>& outbox) {
  if (!engine_)
    fail(ErrorKind::unsupported, "{}: an encoder, which makes no text", printable(path_));
  const std::lock_guard lock(requests_mutex_);
  if (failure_) fail(ErrorKind::internal, "{}", *failure_);
  std::erase_if(requests_, [](const Running& running) {
    const auto known = running.outbox.lock();
    return !known || known->has_ended();
  });
  requests_.reserve(requests_.size() + 1);
  const int64_t id = engine_->submit(
      std::move(request), [outbox](engine::Delta delta) { outbox->push(std::move(delta)); });
  requests_.push_back({id, outbox});
  return id;
}

void Instance::cancel(int64_t id) { engine_->cancel(id); }

void Instance::fail_all(const std::string& message) {
  const std::lock_guard lock(requests_mutex_);
  failure_ = message;
  for (const Running& running : requests_)
    if (const auto outbox = running.outbox.lock()) outbox->fail(message);
}

void Instance::stop() {
  {
    const std::lock_guard lock(requests_mutex_);
    for (const Running& running : requests_) engine_->cancel(running.id);
  }
  thread_.stop();
}

void Instance::require_room(int64_t positions, int64_t logit_rows, backend::KvType kv_type) const {
  model::MemoryPlan plan =
      model::plan_memory(model().config, model().checkpoint,
                         {.context = session_.options.context,
                          .positions = positions,
                          .max_rows = std::min(positions, session_.options.max_rows),
                          .logit_rows = logit_rows,
                          .kv_type = kv_type,
                          .threads = session_.threads->thread_count(),
                          .float_activations = session_.options.float_activations});
  // The weights are there.
  plan.packed_bytes = plan.head_bytes = plan.rope_bytes = 0;
  model::require_memory(plan, memory::available_bytes(), model().config.file);
}

// Kept for the next text; made anew where that is pooled otherwise, or is longer.
std::vector<float> Instance::embed(std::span<const int32_t> tokens, engine::Pooling pooling) {
  constexpr int64_t kLeastTokens = 256;
  const auto count = static_cast<int64_t>(tokens.size());
  const int64_t context = session_.options.context;
  if (!embedder_ || embedder_pooling_ != pooling || embedder_->max_tokens() < count) {
    int64_t room = kLeastTokens;
    while (room < count) room *= 2;
    if (!engine_) room = context;
    room = std::min(room, context);
    embedder_.reset();
    require_room(room, 0, backend::KvType::f32);
    embedder_ = std::make_unique<engine::Embedder>(
        model(), *session_.backend,
        engine::EmbedderOptions{.pooling = pooling, .max_tokens = room});
    embedder_pooling_ = pooling;
  }
  return embedder_->embed(tokens);
}

}  // namespace bittern::api
