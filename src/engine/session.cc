#include "engine/session.h"

#include <algorithm>

#include "backend/cpu/layout_probe.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "kernel/select.h"
#include "model/bind.h"
#include "model/plan.h"
#include "store/home.h"

namespace bittern::engine {
namespace {

// No default context goes below this, whatever the memory.
constexpr int64_t kLeastDefaultContext = 512;
// Of the memory that is left, for keys and values of further sequences.
constexpr int64_t kKvShare = 4;

// What a load will take, decided before it begins.
struct SessionPlan {
  model::PlanOptions options;  // context and positions decided
  model::MemoryPlan memory;
};

// As bind decides.
bool is_ternary(const model::Config& config, const format::Checkpoint& checkpoint) {
  return config.ternary ||
         std::any_of(checkpoint.tensors.begin(), checkpoint.tensors.end(),
                     [](const TensorView& tensor) { return codec::is_i2_s(tensor.codec); });
}

int thread_count(const SessionOptions& options) {
  if (options.pool) return options.pool->thread_count();
  return options.threads > 0 ? options.threads : cpu::usable_core_count();
}

backend::HeadPlane head_plane(const SessionOptions& options) {
  return options.cut_logits ? options.head : backend::HeadPlane::never;
}

// The most positions, halving from the model's maximum, whose plan fits.
int64_t context_that_fits(const model::Config& config, const format::Checkpoint& checkpoint,
                          model::PlanOptions options, int64_t available) {
  options.context = config.max_context;
  while (options.context / 2 >= kLeastDefaultContext &&
         model::plan_memory(config, checkpoint, options).needed() > available)
    options.context /= 2;
  return options.context;
}

// Those of all sequences, halving until they leave memory to others; at least one context.
int64_t positions_that_fit(const model::Config& config, const format::Checkpoint& checkpoint,
                           model::PlanOptions options, int64_t sequences, int64_t available) {
  options.positions = options.context * std::max<int64_t>(1, sequences);
  while (options.positions > options.context) {
    const model::MemoryPlan plan = model::plan_memory(config, checkpoint, options);
    if (plan.kv_bytes <= available / kKvShare && plan.needed() <= available) break;
    options.positions = std::max(options.context, options.positions / 2);
  }
  return options.positions;
}

SessionPlan plan_session(const model::Config& config, const format::Checkpoint& checkpoint,
                         const SessionOptions& options, int64_t available) {
  SessionPlan plan;
  plan.options = {.max_rows = options.max_rows,
                  .logit_rows = options.max_logit_rows,
                  .kv_type = options.kv_type,
                  .threads = thread_count(options),
                  .float_activations = options.float_activations,
                  .coarse_head = head_plane(options) != backend::HeadPlane::never};
  const int64_t context = options.context > 0
                              ? options.context
                              : context_that_fits(config, checkpoint, plan.options, available);
  plan.options.context = model::planned_context(config, context);
  plan.options.positions =
      positions_that_fit(config, checkpoint, plan.options, options.sequences, available);
  plan.memory = model::plan_memory(config, checkpoint, plan.options);
  return plan;
}

void require_coarse_head(const model::Model& model) {
  if (model.head == nullptr || model.head->coarse_bytes > 0) return;
  fail(ErrorKind::unsupported,
       "{}: coarse head: expected an output layer of finite f32, f16 or bf16 weights, got {}",
       printable(model.config.file), model.head->layout);
}

std::string head_text(const backend::Linear& head) {
  if (head.coarse_bytes == 0) return fmt::format("{}, read in full", head.layout);
  return fmt::format("{}, read by a coarse plane of {} where its whole rows are not needed",
                     head.layout, format_bytes(static_cast<double>(head.coarse_bytes)));
}

void log_plan(const SessionPlan& plan, int64_t available, const Log& log) {
  log.detail("memory plan for {} positions ({} available):", plan.options.positions,
             format_bytes(static_cast<double>(available)));
  for (const std::string& line : model::plan_lines(plan.memory)) log.detail("  {}", line);
}

void log_loaded(const Session& session, const Log& log) {
  if (session.cache) log.detail("packed weights: {}", session.cache->summary());
  if (session.model->head != nullptr && session.options.cut_logits)
    log.detail("output layer: {}", head_text(*session.model->head));
  log.detail("loaded in {:.2f} s on {}; kernels: {}", session.load_seconds,
             session.backend->description(), fmt::join(session.kernels(), ", "));
}

// Threads, packed cache and backend.
void start_backend(Session& session, const model::Config& config,
                   const format::Checkpoint& checkpoint, int64_t packed_bytes, const Log& log) {
  const SessionOptions& options = session.options;
  const kernel::Table& kernels = kernel::select(log);  // asks for tiles: before there are threads
  session.threads =
      options.pool ? options.pool : std::make_shared<ThreadPool>(thread_count(options));
  backend::CpuOptions cpu_options{.float_activations = options.float_activations,
                                  .head = head_plane(options)};
  if (is_ternary(config, checkpoint)) {
    const auto folder = options.cache ? std::optional(options.cache->folder) : std::nullopt;
    cpu_options.ternary =
        backend::choose_ternary_layout(*session.threads, kernels, folder, packed_bytes, log);
  }
  if (options.cache)
    session.cache = std::make_unique<backend::PackCache>(*options.cache, checkpoint.maps, log);
  cpu_options.cache = session.cache.get();
  session.backend = backend::make_cpu_backend(*session.threads, kernels, cpu_options);
}

}  // namespace

const text::Tokenizer& Session::tokenizer() const {
  if (!model->tokenizer) fail(ErrorKind::unsupported, "{}", model->no_tokenizer_reason);
  return *model->tokenizer;
}

std::vector<std::string> Session::kernels() const {
  std::vector<std::string> names;
  for (const backend::Linear* linear : model->linears()) {
    if (std::find(names.begin(), names.end(), linear->kernel) == names.end())
      names.push_back(linear->kernel);
  }
  return names;
}

SequenceRunner Session::make_runner(int64_t positions_wanted) const {
  return {*model,
          *backend,
          {.context = std::clamp<int64_t>(positions_wanted, 1, options.context),
           .kv_type = options.kv_type,
           .max_rows = options.max_rows,
           .max_logit_rows = options.max_logit_rows}};
}

std::unique_ptr<StepModel> Session::make_step_model(int64_t positions_wanted) const {
  const int64_t room = std::clamp<int64_t>(positions_wanted, 1, positions);
  return engine::make_step_model(*model, *backend, *threads,
                                 {.kv_type = options.kv_type,
                                  .page_count = model::PagePool::pages_for(room),
                                  .max_rows = options.max_rows,
                                  .max_logit_rows = options.max_logit_rows});
}

Session load_session(format::Checkpoint checkpoint, SessionOptions options, const Log& log) {
  const double started = monotonic_seconds();
  const model::ArchSpec& arch = model::find_architecture(checkpoint);
  const model::Config config = model::read_config(checkpoint, arch);
  if (options.max_logit_rows > 0 && !config.has_head) {
    fail(ErrorKind::unsupported,
         "{}: {} is an encoder and predicts no text; `bittern embed` runs it", config.file,
         arch.name);
  }
  const int64_t available = memory::available_bytes();
  const SessionPlan plan = plan_session(config, checkpoint, options, available);
  if (options.context == 0 && plan.options.context < config.max_context)
    log.info("context {} (the model allows {}, memory does not)", plan.options.context,
             config.max_context);
  log.detail("{}: {}, architecture {}", printable(config.file), checkpoint.dialect, arch.name);
  log_plan(plan, available, log);
  model::require_memory(plan.memory, available, config.file);

  Session session;
  session.options = std::move(options);
  session.options.context = plan.options.context;
  session.positions = plan.options.positions;
  start_backend(session, config, checkpoint, plan.memory.packed_bytes, log);
  {
    Progress progress("loading", config.layer_count, Progress::Unit::items, "layers",
                      !session.options.shows_progress || log.level() == Log::Level::quiet);
    session.model = model::Model::load(
        std::move(checkpoint), *session.backend,
        {.plan = plan.options, .layer_bound = [&](int64_t) { progress.advance(1); }});
  }
  if (head_plane(session.options) == backend::HeadPlane::always)
    require_coarse_head(*session.model);
  session.load_seconds = monotonic_seconds() - started;
  if (session.cache) session.cache->finish();
  log_loaded(session, log);
  return session;
}

int64_t session_bytes(const format::Checkpoint& checkpoint, SessionOptions options) {
  const model::Config config = model::read_config(checkpoint, model::find_architecture(checkpoint));
  const model::MemoryPlan plan =
      plan_session(config, checkpoint, options, memory::available_bytes()).memory;
  return plan.needed() + std::max<int64_t>(0, plan.file_bytes - plan.packed_bytes);
}

std::optional<backend::PackCacheOptions> default_pack_cache(const Log& log) {
  try {
    return backend::PackCacheOptions{.folder = model_store::Home::from_environment().packed()};
  } catch (const Error& error) {
    log.detail("packed weights are not kept: {}", error.message());
    return std::nullopt;
  }
}

}  // namespace bittern::engine
