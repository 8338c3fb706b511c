// bittern batch: a file of requests in OpenAI's batch format, answered many at a time. What is done
// is kept in a journal beside the output, so that the same command goes on where it was stopped;
// the output appears when all is done, in the order of the input (docs/batch.md).
#include <chrono>
#include <filesystem>
#include <random>

#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/json_write.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/model_flags.h"
#include "cli/output.h"
#include "cli/sampling_flags.h"
#include "engine/chat_prompt.h"
#include "engine/constraint_cache.h"
#include "engine/embedder.h"
#include "engine/engine.h"
#include "format/limits.h"
#include "model/bind.h"
#include "serve/batch/batch_input.h"
#include "serve/batch/batch_runner.h"
#include "serve/batch/journal.h"

namespace bittern::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kParallelMax = 1024;
constexpr int64_t kParallelDefault = 16;
constexpr int64_t kMaxTokensMax = int64_t{1} << 30;
// Rows with logits in one step; more make prompts whose log-probabilities are wanted go faster.
constexpr int64_t kLogitRows = 32;
// Positions of an embedding by a causal model.
constexpr int64_t kCausalTokens = 8192;

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string sha256(std::string_view text) {
  Digest digest(Digest::Kind::sha256);
  digest.update(text);
  return digest.hex();
}

// The files of a model, as far as the system knows them without their bytes.
std::string identity(const format::Checkpoint& checkpoint) {
  std::string files;
  for (const FileMap& map : checkpoint.maps)
    files += fmt::format("{} {}\n", map.stamp().bytes, map.stamp().modified_ns);
  return sha256(files).substr(0, 16);
}

serve::BatchSettings sampling_settings(const engine::SamplingOptions& options) {
  std::string bias, stages;
  for (const engine::LogitBias& entry : options.logit_bias)
    bias += fmt::format("{}={} ", entry.token, entry.bias);
  for (const engine::SamplerStage stage : options.stages)
    stages += fmt::format("{};", engine::stage_name(stage));
  return {{"temperature", fmt::format("{}", options.temperature)},
          {"top_k", fmt::format("{}", options.top_k)},
          {"top_p", fmt::format("{}", options.top_p)},
          {"min_p", fmt::format("{}", options.min_p)},
          {"repeat_penalty", fmt::format("{}", options.repeat_penalty)},
          {"repeat_last_n", fmt::format("{}", options.repeat_last_n)},
          {"frequency_penalty", fmt::format("{}", options.frequency_penalty)},
          {"presence_penalty", fmt::format("{}", options.presence_penalty)},
          {"typical_p", fmt::format("{}", options.typical_p)},
          {"top_n_sigma", fmt::format("{}", options.top_n_sigma)},
          {"xtc_probability", fmt::format("{}", options.xtc_probability)},
          {"xtc_threshold", fmt::format("{}", options.xtc_threshold)},
          {"dry_multiplier", fmt::format("{}", options.dry_multiplier)},
          {"dry_base", fmt::format("{}", options.dry_base)},
          {"dry_allowed_length", fmt::format("{}", options.dry_allowed_length)},
          {"dry_penalty_last_n", fmt::format("{}", options.dry_last_n)},
          {"dry_sequence_breakers", to_text(JsonBuilder(options.dry_breakers))},
          {"samplers", stages},
          {"logit_bias", bias}};
}

// A loaded model with all that answers are made of. Members are destroyed in reverse order.
struct Loaded {
  engine::Session session;
  std::optional<engine::ChatTemplate> chat, tool_chat;
  std::unique_ptr<engine::ConstraintCache> constraints;
  std::unique_ptr<engine::StepModel> step_model;
  std::unique_ptr<engine::Engine> engine;  // null: an encoder
  std::unique_ptr<engine::Embedder> embedder;
  std::string no_embedder;
  serve::openai::TextModel text;
};

class Batch final : public Command {
 public:
  void declare(Flags& flags) override;
  int run(const Log& log) override;

 private:
  struct Counts {
    int64_t requests = 0, before = 0;
    double seconds = 0.0;
  };

  void check_paths() const;
  serve::BatchInput read_input(const Log& log) const;
  Loaded load(const Log& log);
  void make_engine(Loaded& loaded) const;
  void make_embedder(Loaded& loaded) const;
  void read_templates(Loaded& loaded, const Log& log) const;
  uint64_t decide_seed() const;
  serve::BatchSettings settings(const Loaded& loaded, uint64_t seed) const;
  serve::BatchModel model(const Loaded& loaded, const serve::BatchSettings& settings,
                          uint64_t seed) const;
  void answer_all(const serve::BatchInput& input, serve::Journal& journal,
                  serve::BatchRunner& runner, const Log& log) const;
  void report(const serve::Journal& journal, const serve::BatchRunner& runner, const Loaded& loaded,
              const Counts& counts, const serve::BatchSettings& settings, const Log& log) const;

  fs::path output() const { return *output_; }
  fs::path errors() const;
  fs::path partial() const { return output().string() + ".partial"; }

  ModelFlags model_flags_;
  SamplingFlags sampling_flags_;
  std::optional<std::string> input_, output_, errors_, template_file_, pooling_;
  std::optional<int64_t> parallel_, max_tokens_;
  bool overwrite_ = false, json_ = false;
};

void Batch::declare(Flags& flags) {
  model_flags_.declare_path(flags);
  flags.argument("IN.jsonl", &input_, true, "The requests, one a line, in OpenAI's batch format.");
  flags.argument("OUT.jsonl", &output_, true, "Where the answers go, one a line.");
  flags.text({"--errors", "FILE",
              "Where refused requests go; OUT.errors.jsonl by default. Not made without any."},
             &errors_);
  flags.toggle({"--overwrite", "",
                "Replace an output that is there, and forget its journal where "
                "that is of another input or other settings."},
               &overwrite_);
  flags.integer({"--parallel", "N", "Texts that are made at once; 16 by default."}, &parallel_, 1,
                kParallelMax);
  flags.integer({"-n,--max-tokens", "N",
                 "Tokens of an answer at most where a request does not say; by default 16 for "
                 "/v1/completions, as OpenAI has it, and until it ends for chats."},
                &max_tokens_, 0, kMaxTokensMax);
  sampling_flags_.declare(flags);
  model_flags_.declare_context(flags);
  model_flags_.declare_activations(flags);
  model_flags_.declare_threads(flags);
  model_flags_.declare_cache(flags);
  model_flags_.declare_head(flags);
  flags.text({"--chat-template", "FILE", "A Jinja template in place of the model's own."},
             &template_file_);
  flags.choice({"--pooling", "HOW",
                "For /v1/embeddings: mean, cls or last; what the model's files say by default."},
               &pooling_, {"mean", "cls", "last"});
  flags.toggle({"--json", "", "A JSON document about the run at its end."}, &json_);
  flags.note(
      "Lines name /v1/chat/completions, /v1/completions or /v1/embeddings. The same command goes "
      "on after Ctrl-C or a kill; answers do not depend on that, nor on --parallel. Flags of "
      "sampling are for requests that do not say. Exit status 1: some requests were refused.");
}

fs::path Batch::errors() const {
  if (errors_) return *errors_;
  fs::path path = output();
  const std::string extension = path.extension().string();
  return path.replace_extension(".errors" + extension);
}

void Batch::check_paths() const {
  const fs::path paths[] = {*input_, output(), errors(), partial()};
  for (size_t i = 0; i < std::size(paths); ++i) {
    for (size_t k = 0; k < i; ++k)
      if (fs::absolute(paths[i]).lexically_normal() == fs::absolute(paths[k]).lexically_normal())
        fail(ErrorKind::usage, "batch: {}: two of input, output and errors have this name",
             paths[i].string());
  }
  if (overwrite_ || fs::exists(partial())) return;
  for (const fs::path& path : {output(), errors()})
    if (fs::exists(path))
      fail(ErrorKind::usage, "batch: {}: is there already; see --overwrite", path.string());
}

serve::BatchInput Batch::read_input(const Log& log) const {
  std::error_code unknown;
  const auto bytes = fs::file_size(*input_, unknown);
  Progress progress("reading", unknown ? 0 : static_cast<int64_t>(bytes), Progress::Unit::bytes, "",
                    log.level() == Log::Level::quiet);
  return serve::BatchInput::open(*input_, [&](int64_t count) {
    interrupt::check();
    progress.advance(count);
  });
}

void Batch::read_templates(Loaded& loaded, const Log& log) const {
  const format::Checkpoint& checkpoint = loaded.session.model->checkpoint;
  if (template_file_) {
    loaded.chat.emplace(read_text_file(*template_file_, format::kChatTemplateBytesMax),
                        *template_file_, checkpoint);
  } else {
    loaded.chat = engine::ChatTemplate::of(checkpoint, false);
    loaded.tool_chat = engine::ChatTemplate::of(checkpoint, true);
  }
  if (loaded.chat)
    log.detail("{}", loaded.chat->name());
  else
    log.detail("the model has no chat template: chats are refused");
}

void Batch::make_engine(Loaded& loaded) const {
  const engine::Session& session = loaded.session;
  const text::Tokenizer& tokenizer = session.tokenizer();
  loaded.step_model = session.make_step_model(session.positions);
  const engine::StepLimits limits = loaded.step_model->limits();
  const int64_t parallel = session.options.sequences;
  loaded.engine = std::make_unique<engine::Engine>(
      *loaded.step_model, &tokenizer, engine::EngineOptions{.max_sequences = parallel});
  serve::openai::TextModel& text = loaded.text;
  text.context = std::min(limits.context, limits.page_count * backend::kPageTokens);
  text.token_count = std::min<int64_t>(tokenizer.vocab_size(), limits.vocab_size);
  const model::GenerationDefaults& generation = session.model->generation;
  const engine::SamplingOptions defaults = engine::default_sampling(generation);
  engine::validate(defaults, ErrorKind::bad_input, session.model->config.file);
  text.sampling = sampling_flags_.over(defaults, text.context, text.token_count);
  text.max_tokens = max_tokens_ ? max_tokens_ : generation.max_tokens;
}

void Batch::make_embedder(Loaded& loaded) const {
  const engine::Session& session = loaded.session;
  const model::Config& config = session.model->config;
  try {
    const auto defaults = engine::embedding_defaults(session.model->checkpoint, config);
    const auto pooling = pooling_ ? engine::pooling_from_name(*pooling_) : defaults.pooling;
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
    if (pooling_ || !config.has_head) throw;  // it was asked for, or nothing else can be
    loaded.no_embedder = error.message();
  }
}

Loaded Batch::load(const Log& log) {
  const double started = monotonic_seconds();
  format::Checkpoint checkpoint = model_flags_.open();
  const model::Config config = model::read_config(checkpoint, model::find_architecture(checkpoint));
  engine::SessionOptions wanted{.context = model_flags_.context.value_or(0)};
  if (config.has_head) {
    wanted.sequences = parallel_.value_or(kParallelDefault);
    wanted.max_logit_rows = std::max(wanted.sequences, kLogitRows);
    wanted.cut_logits = true;
  } else {  // a text in one step, nothing of it kept
    if (!model_flags_.kv_type) model_flags_.kv_type = "f32";
    if (wanted.context == 0) wanted.context = config.max_context;
    wanted.max_rows = wanted.context;
    wanted.max_logit_rows = 0;
  }
  Loaded loaded;
  loaded.session = engine::load_session(std::move(checkpoint), model_flags_.over(wanted, log), log);
  loaded.session.load_seconds = monotonic_seconds() - started;
  const text::Tokenizer& tokenizer = loaded.session.tokenizer();
  loaded.constraints = std::make_unique<engine::ConstraintCache>(tokenizer);
  if (config.has_head) make_engine(loaded);
  make_embedder(loaded);
  read_templates(loaded, log);
  return loaded;
}

// The flag's; else the one of the run that is to be continued; else a new one.
uint64_t Batch::decide_seed() const {
  if (sampling_flags_.seed && *sampling_flags_.seed >= 0)
    return static_cast<uint64_t>(*sampling_flags_.seed);
  try {
    const auto settings = serve::Journal::settings_of(partial());
    for (const auto& [name, value] : settings.value_or(serve::BatchSettings())) {
      const auto seed = name == "seed" ? parse_integer(value) : std::nullopt;
      if (seed && *seed >= 0) return static_cast<uint64_t>(*seed);
    }
  } catch (const Error&) {
    if (!overwrite_) throw;
  }
  return std::random_device{}();
}

serve::BatchSettings Batch::settings(const Loaded& loaded, uint64_t seed) const {
  const engine::Session& session = loaded.session;
  serve::BatchSettings settings = {
      {"version", BITTERN_VERSION},
      {"model", fs::path(*model_flags_.path).filename().string()},
      {"model_files", identity(session.model->checkpoint)},
      {"gguf_dialect", model_flags_.gguf_dialect.value_or("")},
      {"context", fmt::format("{}", session.options.context)},
      {"kv_type", std::string(kv_type_name(session.options.kv_type))},
      {"activations", session.options.float_activations ? "f32" : "native"},
      {"chat_template",
       template_file_
           ? sha256(read_text_file(*template_file_, format::kChatTemplateBytesMax)).substr(0, 16)
           : ""},
      {"max_tokens", loaded.text.max_tokens ? fmt::format("{}", *loaded.text.max_tokens) : ""},
      {"pooling", pooling_.value_or("")},
      {"seed", fmt::format("{}", seed)}};
  const serve::BatchSettings sampling = sampling_settings(loaded.text.sampling);
  settings.insert(settings.end(), sampling.begin(), sampling.end());
  return settings;
}

serve::BatchModel Batch::model(const Loaded& loaded, const serve::BatchSettings& settings,
                               uint64_t seed) const {
  std::string all;
  for (const auto& [name, value] : settings) all += fmt::format("{}={}\n", name, value);
  serve::BatchModel model;
  model.name = fs::path(*model_flags_.path).filename().string();
  model.fingerprint = "fp_" + sha256(all).substr(0, 10);
  model.engine = loaded.engine.get();
  model.text = loaded.text;
  model.text.tokenizer = &loaded.session.tokenizer();
  model.text.chat = loaded.chat ? &*loaded.chat : nullptr;
  model.text.tool_chat = loaded.tool_chat ? &*loaded.tool_chat : nullptr;
  model.text.constraints = loaded.constraints.get();
  model.embedder = loaded.embedder.get();
  model.no_embedder = loaded.no_embedder;
  model.seed = seed;
  model.created = unix_seconds;
  return model;
}

// Throws Error{interrupted} on Ctrl-C.
void Batch::answer_all(const serve::BatchInput& input, serve::Journal& journal,
                       serve::BatchRunner& runner, const Log& log) const {
  Progress progress("answering", input.size(), Progress::Unit::items, "requests",
                    log.level() == Log::Level::quiet);
  progress.skip(journal.done_count());
  const double started = monotonic_seconds();
  int64_t shown = journal.done_count(), next = 0;
  while (journal.done_count() < input.size()) {
    interrupt::check();
    // Until there is enough to do, or one was answered at once.
    while (next < input.size() && runner.has_room() && journal.done_count() == shown) {
      const int64_t index = next++;
      if (journal.is_done(index)) continue;
      runner.start(index, input.line(index),
                   serve::batch_ids(input.sha256(), input.line_number(index)));
    }
    runner.step();
    const double seconds = monotonic_seconds() - started;
    progress.set_note(fmt::format(
        "{:.0f} tokens/s",
        seconds > 0.0 ? static_cast<double>(runner.generated_tokens()) / seconds : 0.0));
    progress.advance(journal.done_count() - std::exchange(shown, journal.done_count()));
  }
}

int Batch::run(const Log& log) {
  check_paths();
  const serve::BatchInput input = read_input(log);
  const uint64_t seed = decide_seed();
  Loaded loaded = load(log);
  const serve::BatchSettings made_of = settings(loaded, seed);
  if (overwrite_) {
    for (const fs::path& path : {output(), errors()}) fs::remove(path);
    if (!serve::Journal::belongs_to(partial(), input, made_of)) fs::remove(partial());
  }
  serve::Journal journal(partial(), input, made_of);
  if (journal.done_count() > 0 || journal.cut_bytes() > 0)
    log.info("going on: {} of {} requests are done", journal.done_count(), input.size());
  if (journal.cut_bytes() > 0)
    log.detail("{} bytes of an unfinished line cut", journal.cut_bytes());

  const Counts before{.requests = input.size(), .before = journal.done_count()};
  serve::BatchRunner runner(model(loaded, made_of, seed), 2 * parallel_.value_or(kParallelDefault),
                            [&](const serve::BatchAnswer& answer) {
                              journal.append(answer.index, answer.line, answer.is_error);
                            });
  const double started = monotonic_seconds();
  try {
    answer_all(input, journal, runner, log);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::interrupted) throw;
    journal.sync();
    log.info("interrupted: {} of {} requests are done; the same command goes on",
             journal.done_count(), input.size());
    return static_cast<int>(ErrorKind::interrupted);
  }
  Counts counts = before;
  counts.seconds = monotonic_seconds() - started;
  journal.finish(output(), errors());
  report(journal, runner, loaded, counts, made_of, log);
  return journal.error_count() > 0 ? static_cast<int>(ErrorKind::answer_no) : 0;
}

void Batch::report(const serve::Journal& journal, const serve::BatchRunner& runner,
                   const Loaded& loaded, const Counts& counts, const serve::BatchSettings& settings,
                   const Log& log) const {
  const serve::BatchTokens& tokens = runner.tokens();
  const double rate =
      counts.seconds > 0.0 ? static_cast<double>(tokens.generated) / counts.seconds : 0.0;
  log.info("requests {} answered{}{}", counts.requests - journal.error_count(),
           journal.error_count() > 0 ? fmt::format(", {} refused", journal.error_count()) : "",
           counts.before > 0 ? fmt::format("; {} of all before this run", counts.before) : "");
  log.info("tokens   {} of prompts ({} of them known), {} generated in {}, {:.1f} tokens/s",
           tokens.prompt, tokens.cached, tokens.generated, format_duration(counts.seconds), rate);
  log.info("output   {}", output().string());
  if (journal.error_count() > 0) log.info("errors   {}", errors().string());
  if (!json_) return;
  JsonBuilder values = JsonBuilder::object();
  for (const auto& [name, value] : settings) values[name] = value;
  const JsonBuilder document = {
      {"model", *model_flags_.path},
      {"output", output().string()},
      {"errors", journal.error_count() > 0 ? JsonBuilder(errors().string()) : JsonBuilder(nullptr)},
      {"requests", counts.requests},
      {"answered", counts.requests - journal.error_count()},
      {"refused", journal.error_count()},
      {"done_before", counts.before},
      {"prompt_tokens", tokens.prompt},
      {"cached_tokens", tokens.cached},
      {"generated_tokens", tokens.generated},
      {"seconds", counts.seconds},
      {"generated_tokens_per_second", rate},
      {"load_seconds", loaded.session.load_seconds},
      {"parallel", loaded.session.options.sequences},
      {"backend", loaded.session.backend->description()},
      {"packed_weights", loaded.session.cache ? loaded.session.cache->state() : "off"},
      {"settings", std::move(values)}};
  write_output(to_text(document, 2) + "\n");
}

}  // namespace

std::unique_ptr<Command> make_batch() { return std::make_unique<Batch>(); }

}  // namespace bittern::cli
