// Models: loaded, described, freed.
#include <algorithm>
#include <filesystem>
#include <string>

#include "api/instance.h"
#include "api/sized_struct.h"
#include "api/status.h"
#include "backend/cpu/pack_cache.h"
#include "base/float_mode.h"

namespace api = bittern::api;
namespace engine = bittern::engine;
using bittern::ErrorKind;
using bittern::fail;

namespace {

constexpr int64_t kThreadsMax = 1024;
constexpr int64_t kContextMax = int64_t{1} << 30;
constexpr int64_t kQueueMax = int64_t{1} << 20;
constexpr int64_t kGuessesMax = 64;
constexpr size_t kLoadOptionsFirstSize =
    offsetof(bittern_load_options, gguf_dialect) + sizeof(bittern_load_options::gguf_dialect);

bittern_load_options default_load_options() {
  bittern_load_options options = {};
  options.size = sizeof options;
  options.sequences = 4;
  options.max_queued_requests = 512;
  options.kv_type = BITTERN_KV_F16;
  return options;
}

int64_t in_range(int64_t value, int64_t least, int64_t most, std::string_view name) {
  if (value < least || value > most)
    fail(ErrorKind::usage, "{}: {} to {} expected, got {}", name, least, most, value);
  return value;
}

// The value at an enumerator's place; enumerators count from 0.
template <typename T, size_t kCount>
T chosen(const T (&values)[kCount], int32_t index, std::string_view name) {
  return values[in_range(index, 0, static_cast<int64_t>(kCount) - 1, name)];
}

std::optional<bittern::backend::PackCacheOptions> pack_cache(const char* cache,
                                                             const bittern::Log& log) {
  const std::string_view where = cache == nullptr ? "on" : cache;
  if (where == "off") return std::nullopt;
  if (where == "on") return engine::default_pack_cache(log);
  if (where.empty()) fail(ErrorKind::usage, "cache: on, off or a folder expected, got \"\"");
  // Whoever names a folder wants a file in it.
  return bittern::backend::PackCacheOptions{.folder = std::filesystem::path(where),
                                            .least_bytes = 0};
}

api::InstanceOptions instance_options(const char* model, const bittern_load_options& given) {
  using bittern::backend::HeadPlane;
  using bittern::backend::KvType;
  using Level = bittern::Log::Level;
  constexpr KvType kKvTypes[] = {KvType::f32, KvType::f16, KvType::int8};
  constexpr bool kFloatActivations[] = {false, true};
  constexpr HeadPlane kHeads[] = {HeadPlane::where_faster, HeadPlane::always, HeadPlane::never};
  constexpr Level kLevels[] = {Level::quiet, Level::normal, Level::verbose};

  api::InstanceOptions options;
  options.model = model;
  if (given.gguf_dialect != nullptr) options.gguf_dialect = given.gguf_dialect;
  options.log_level = chosen(kLevels, given.verbosity, "verbosity");
  options.max_queued_requests =
      in_range(given.max_queued_requests, 1, kQueueMax, "max_queued_requests");
  options.max_guesses = in_range(given.max_guesses, 0, kGuessesMax, "max_guesses");
  engine::SessionOptions& session = options.session;
  session.context = in_range(given.context, 0, kContextMax, "context");
  session.sequences = in_range(given.sequences, 1, api::kStepRows, "sequences");
  session.threads = static_cast<int>(in_range(given.threads, 0, kThreadsMax, "threads"));
  session.kv_type = chosen(kKvTypes, given.kv_type, "kv_type");
  session.float_activations = chosen(kFloatActivations, given.activations, "activations");
  session.head = chosen(kHeads, given.head, "head");
  if (given.reserved != 0) fail(ErrorKind::usage, "reserved: 0 expected, got {}", given.reserved);
  session.cache = pack_cache(given.cache, bittern::Log(options.log_level));
  return options;
}

bittern_model_info info_of(const api::Instance& instance) {
  const bittern::model::Model& model = instance.model();
  const engine::Session& session = instance.session();
  const bittern::text::Tokenizer* tokenizer = model.tokenizer.get();
  bittern_model_info info = {};
  info.path = instance.path().c_str();
  info.name = instance.name().c_str();
  info.architecture = model.config.architecture.c_str();
  info.format = model.checkpoint.dialect.c_str();
  info.backend = instance.backend_name().c_str();
  info.vocab_size = model.config.vocab_size;
  info.token_count = tokenizer == nullptr ? 0 : tokenizer->vocab_size();
  info.embedding_size = model.config.hidden_size;
  info.layer_count = model.config.layer_count;
  info.context = session.options.context;
  info.max_context = model.config.max_context;
  info.sequences = instance.sequences();
  info.threads = session.threads->thread_count();
  info.can_generate = instance.can_generate() ? 1 : 0;
  info.has_pooling = instance.embedding_defaults().pooling.has_value() ? 1 : 0;
  info.has_chat_template = instance.has_chat_template() ? 1 : 0;
  info.bos_token = tokenizer == nullptr ? -1 : tokenizer->spec().bos;
  info.eos_token = tokenizer == nullptr ? -1 : tokenizer->spec().eos;
  info.load_seconds = session.load_seconds;
  return info;
}

bittern_stats stats_of(const engine::EngineStats& now) {
  bittern_stats stats = {};
  stats.queued_requests = now.queued_requests;
  stats.running_sequences = now.running_sequences;
  stats.waiting_sequences = now.waiting_sequences;
  stats.finished_requests = now.finished_requests;
  stats.preemptions = now.preemptions;
  stats.prompt_tokens = now.prompt_tokens;
  stats.cached_tokens = now.cached_tokens;
  stats.generated_tokens = now.generated_tokens;
  stats.guessed_tokens = now.guessed_tokens;
  stats.accepted_guesses = now.accepted_guesses;
  stats.steps = now.steps;
  stats.used_pages = now.used_pages;
  stats.kept_pages = now.kept_pages;
  stats.page_count = now.page_count;
  stats.model_seconds = now.model_seconds;
  stats.other_seconds = now.other_seconds;
  return stats;
}

}  // namespace

const char* bittern_version(void) { return BITTERN_VERSION; }

int32_t bittern_api_version(void) { return BITTERN_API_VERSION; }

const char* bittern_last_error(void) { return api::last_error(); }

int32_t bittern_load_options_init(bittern_load_options* options, size_t size) {
  return api::guarded([&] {
    api::give_defaults(options, size, kLoadOptionsFirstSize, default_load_options());
    return BITTERN_OK;
  });
}

int32_t bittern_model_load(const char* model, const bittern_load_options* options,
                           bittern_model** loaded) {
  return api::guarded([&] {
    api::require(model, "model");
    api::require(loaded, "loaded");
    const bittern::DefaultFloatMode mode;
    const bittern_load_options given =
        api::taken(options, kLoadOptionsFirstSize, default_load_options());
    auto handle = std::make_unique<bittern_model>();
    // Not make_shared: a weak reference, as requests have, is not to hold the memory.
    handle->instance = std::make_unique<api::Instance>(instance_options(model, given));
    *loaded = handle.release();
    return BITTERN_OK;
  });
}

void bittern_model_free(bittern_model* model) {
  api::guarded([&] {
    const std::unique_ptr<bittern_model> owned(model);
    if (owned) owned->instance->stop();
    return BITTERN_OK;
  });
}

int32_t bittern_model_get_info(const bittern_model* model, bittern_model_info* info, size_t size) {
  return api::guarded([&] {
    api::require(model, "model");
    api::give(info_of(*model->instance), info, size, "info");
    return BITTERN_OK;
  });
}

int32_t bittern_model_get_stats(const bittern_model* model, bittern_stats* stats, size_t size) {
  return api::guarded([&] {
    api::require(model, "model");
    bittern::engine::EngineStats now;
    // Between two steps, so that what has been delivered is counted.
    model->instance->run([&] { now = model->instance->stats(); });
    api::give(stats_of(now), stats, size, "stats");
    return BITTERN_OK;
  });
}
