#include "cli/batch_answerer.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file_map.h"
#include "base/json_write.h"
#include "engine/repeat_drafter.h"
#include "format/limits.h"
#include "model/bind.h"

namespace bittern::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kParallelDefault = 16;
// Rows with logits in one step; more make prompts whose log-probabilities are wanted go faster.
constexpr int64_t kLogitRows = 32;
// Positions of an embedding by a causal model.
constexpr int64_t kCausalTokens = 8192;

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// The last part of its path, or the name it has in the store.
std::string model_name(const fs::path& path) {
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

// Files beside the weights of a Hugging Face folder that say how to read them.
bool is_configuration(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".json" || extension == ".jinja" || extension == ".model" ||
         extension == ".txt";
}

// The files of a model, as far as the system knows them without their bytes.
std::string identity(const format::Checkpoint& checkpoint) {
  std::string files;
  for (const FileMap& map : checkpoint.maps)
    files += fmt::format("{} {}\n", map.stamp().bytes, map.stamp().modified_ns);
  if (checkpoint.container != format::Container::gguf) {
    const fs::path& path = checkpoint.path;
    std::vector<std::string> others;
    for (const auto& entry :
         fs::directory_iterator(fs::is_directory(path) ? path : fs::absolute(path).parent_path())) {
      const auto stamp =
          is_configuration(entry.path()) ? FileMap::stamp_of(entry.path()) : std::nullopt;
      if (stamp)
        others.push_back(fmt::format("{} {} {}\n", entry.path().filename().string(), stamp->bytes,
                                     stamp->modified_ns));
    }
    std::ranges::sort(others);
    files += fmt::format("{}", fmt::join(others, ""));
  }
  return sha256_hex(files).substr(0, 16);
}

serve::BatchSettings sampling_settings(const engine::SamplingOptions& options) {
  std::string bias, stages;
  for (const engine::LogitBias& entry : options.logit_bias)
    bias += fmt::format("{}={} ", entry.token, entry.bias);
  for (const engine::SamplerStage stage : options.stages)
    stages += fmt::format("{};", engine::stage_name(stage));
  serve::BatchSettings settings;
  const JsonBuilder named = sampling_json(options);
  for (const auto& [name, value] : named.items())
    if (!value.is_array() && name != "seed") settings.emplace_back(name, to_text(value));
  settings.emplace_back("dry_sequence_breakers", to_text(JsonBuilder(options.dry_breakers)));
  settings.emplace_back("samplers", stages);
  settings.emplace_back("logit_bias", bias);
  return settings;
}

void read_templates(BatchAnswerer& loaded, const BatchFlags& flags, const Log& log) {
  const format::Checkpoint& checkpoint = loaded.session.model->checkpoint;
  if (flags.template_file) {
    loaded.chat.emplace(read_text_file(*flags.template_file, format::kChatTemplateBytesMax),
                        *flags.template_file, checkpoint);
  } else {
    loaded.chat = engine::ChatTemplate::of(checkpoint, false);
    loaded.tool_chat = engine::ChatTemplate::of(checkpoint, true);
  }
  if (loaded.chat)
    log.detail("{}", loaded.chat->name());
  else
    log.detail("the model has no chat template: chats are refused");
}

void make_engine(BatchAnswerer& loaded, const BatchFlags& flags, const Log& log) {
  const engine::Session& session = loaded.session;
  const text::Tokenizer& tokenizer = session.tokenizer();
  loaded.step_model = session.make_step_model(session.positions);
  if (auto draft = flags.speculation.open_draft())
    loaded.draft =
        std::make_unique<engine::DraftSession>(session, *std::move(draft), session.positions, log);
  engine::EngineOptions options{.max_sequences = session.options.sequences};
  flags.speculation.apply(options, loaded.draft.get(), engine::kPoolTokens);
  loaded.engine =
      std::make_unique<engine::Engine>(*loaded.step_model, &tokenizer, std::move(options));
  serve::openai::TextModel& text = loaded.text;
  text.context = loaded.engine->context();
  text.token_count = loaded.engine->token_count();
  const model::GenerationDefaults& generation = session.model->generation;
  const engine::SamplingOptions defaults =
      engine::default_sampling(generation, session.model->config.file);
  text.sampling = flags.sampling.over(defaults, text.context, text.token_count);
  text.max_tokens = flags.max_tokens ? flags.max_tokens : generation.max_tokens;
}

void make_embedder(BatchAnswerer& loaded, const BatchFlags& flags) {
  const engine::Session& session = loaded.session;
  const model::Config& config = session.model->config;
  try {
    if (loaded.text.adapters)
      fail(ErrorKind::unsupported, "embeddings with adapters (--lora) are not supported");
    const auto defaults = engine::embedding_defaults(session.model->checkpoint, config);
    const auto pooling =
        flags.pooling ? engine::pooling_from_name(*flags.pooling) : defaults.pooling;
    if (!pooling)
      fail(ErrorKind::unsupported,
           "the model predicts text and its files name no pooling; see --pooling");
    int64_t tokens =
        std::min(session.options.context, defaults.max_tokens.value_or(session.options.context));
    if (config.has_head) tokens = std::min(tokens, kCausalTokens);
    loaded.embedder = std::make_unique<engine::Embedder>(
        *session.model, *session.backend,
        engine::EmbedderOptions{.pooling = *pooling, .max_tokens = tokens});
  } catch (const Error& error) {
    if (flags.pooling || !config.has_head) throw;  // it was asked for, or nothing else can be
    loaded.no_embedder = error.message();
  }
}

serve::BatchSettings settings_of(const BatchAnswerer& loaded, const BatchFlags& flags) {
  const engine::Session& session = loaded.session;
  std::string templates;
  for (const auto* one : {&loaded.chat, &loaded.tool_chat})
    if (*one) templates += (*one)->source() + '\n';
  serve::BatchSettings settings = {
      {"version", BITTERN_VERSION},
      {"model", loaded.name},
      {"model_files", identity(session.model->checkpoint)},
      {"gguf_dialect", flags.model.gguf_dialect.value_or("")},
      {"context", fmt::format("{}", session.options.context)},
      {"kv_type", std::string(kv_type_name(session.options.kv_type))},
      {"activations", session.options.float_activations ? "f32" : "native"},
      {"chat_template", templates.empty() ? "" : sha256_hex(templates).substr(0, 16)},
      {"max_tokens", loaded.text.max_tokens ? fmt::format("{}", *loaded.text.max_tokens) : ""},
      {"pooling", flags.pooling.value_or("")},
      {"adapters",
       loaded.text.adapters ? sha256_hex(loaded.text.adapters->identity()).substr(0, 16) : ""},
      {"seed", fmt::format("{}", loaded.seed)}};
  const serve::BatchSettings sampling = sampling_settings(loaded.text.sampling);
  settings.insert(settings.end(), sampling.begin(), sampling.end());
  return settings;
}

void refuse_for_encoder(const BatchFlags& flags, const model::Config& config) {
  const std::pair<std::string_view, bool> rows[] = {
      {flags.sampling.given(), !flags.sampling.given().empty()},
      {"--parallel", flags.parallel.has_value()},
      {"--max-tokens", flags.max_tokens.has_value()},
      {"--chat-template", flags.template_file.has_value()},
      {"--speculation", flags.speculation.is_on()},
      {"--head", flags.model.head.has_value()}};
  for (const auto& [flag, is_given] : rows)
    if (is_given)
      fail(ErrorKind::usage, "batch: {}: {} is an encoder and predicts no text", flag,
           printable(config.file));
}

}  // namespace

int64_t BatchFlags::texts_at_once() const { return parallel.value_or(kParallelDefault); }

serve::BatchModel BatchAnswerer::model() const {
  std::string all;
  for (const auto& [setting, value] : settings) all += fmt::format("{}={}\n", setting, value);
  serve::BatchModel answering;
  answering.name = name;
  answering.fingerprint = "fp_" + sha256_hex(all).substr(0, 10);
  answering.engine = engine.get();
  answering.text = text;
  answering.text.tokenizer = &session.tokenizer();
  answering.text.chat = chat ? &*chat : nullptr;
  answering.text.tool_chat = tool_chat ? &*tool_chat : nullptr;
  answering.text.constraints = constraints.get();
  answering.embedder = embedder.get();
  answering.no_embedder = no_embedder;
  answering.seed = seed;
  answering.created = unix_seconds;
  return answering;
}

BatchAnswerer load_batch_answerer(BatchFlags flags, uint64_t seed, const Log& log) {
  const double started = monotonic_seconds();
  format::Checkpoint checkpoint = flags.model.open();
  const model::Config config = model::read_config(checkpoint, model::find_architecture(checkpoint));
  engine::SessionOptions wanted{.context = flags.model.context.value_or(0)};
  if (config.has_head) {
    wanted.sequences = flags.texts_at_once();
    wanted.max_logit_rows =
        std::max(wanted.sequences + flags.speculation.most_guesses(), kLogitRows);
    wanted.cut_logits = true;
  } else {  // a text in one step, nothing of it kept
    refuse_for_encoder(flags, config);
    if (!flags.model.kv_type) flags.model.kv_type = "f32";
    if (wanted.context == 0) wanted.context = config.max_context;
    wanted.max_rows = wanted.context;
    wanted.max_logit_rows = 0;
  }
  BatchAnswerer loaded;
  loaded.name = model_name(*flags.model.path);
  loaded.seed = seed;
  loaded.session = engine::load_session(std::move(checkpoint), flags.model.over(wanted, log), log);
  loaded.session.load_seconds = monotonic_seconds() - started;
  const text::Tokenizer& tokenizer = loaded.session.tokenizer();
  loaded.constraints = std::make_unique<engine::ConstraintCache>(tokenizer);
  loaded.text.adapters = flags.adapters.load(*loaded.session.model, *loaded.session.backend, log);
  if (config.has_head) make_engine(loaded, flags, log);
  make_embedder(loaded, flags);
  read_templates(loaded, flags, log);
  loaded.settings = settings_of(loaded, flags);
  return loaded;
}

}  // namespace bittern::cli
