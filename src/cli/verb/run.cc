// bittern run: one prompt, answered or continued. A model with a chat template gets the prompt as
// a user's message; any other, and any with --raw, gets it as it is. Text goes to stdout as it is
// made, statistics to stderr.
#include <cmath>

#include "base/error.h"
#include "base/file_map.h"
#include "base/interrupt.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/input_text.h"
#include "cli/model_flags.h"
#include "cli/output.h"
#include "cli/sampling_flags.h"
#include "engine/chat_prompt.h"
#include "engine/generate.h"
#include "format/limits.h"

namespace bittern::cli {
namespace {

constexpr int64_t kMaxTokensMax = int64_t{1} << 30;
constexpr int64_t kLogProbabilitiesMax = 1000;

double per_second(double count, double seconds) { return seconds > 0.0 ? count / seconds : 0.0; }

// What a run is measured by.
struct Statistics {
  int64_t prompt_tokens = 0, text_tokens = 0, decode_steps = 0;
  double load_seconds = 0, prefill_seconds = 0, decode_seconds = 0;

  double prefill_rate() const {
    return per_second(static_cast<double>(prompt_tokens), prefill_seconds);
  }
  double decode_rate() const {
    return per_second(static_cast<double>(decode_steps), decode_seconds);
  }
};

JsonBuilder log_probability_json(const text::Tokenizer& tokenizer,
                                 const engine::TokenLogProbability& entry) {
  return {{"token_id", entry.token},
          {"text", tokenizer.token_bytes(entry.token, {.skip_special = false})},
          // JSON knows no infinity; a banned token that was never likely is simply the least.
          {"log_probability",
           std::isfinite(entry.value) ? JsonBuilder(entry.value) : JsonBuilder(nullptr)}};
}

JsonBuilder sampling_json(const engine::SamplingOptions& options) {
  JsonBuilder bias = JsonBuilder::array();
  for (const engine::LogitBias& entry : options.logit_bias)
    bias.push_back(
        {{"token_id", entry.token},
         {"bias", std::isfinite(entry.bias) ? JsonBuilder(entry.bias) : JsonBuilder("-inf")}});
  JsonBuilder stages = JsonBuilder::array();
  for (const engine::SamplerStage stage : options.stages)
    stages.push_back(engine::stage_name(stage));
  return {{"temperature", options.temperature},
          {"top_k", options.top_k},
          {"top_p", options.top_p},
          {"min_p", options.min_p},
          {"repeat_penalty", options.repeat_penalty},
          {"repeat_last_n", options.repeat_last_n},
          {"frequency_penalty", options.frequency_penalty},
          {"presence_penalty", options.presence_penalty},
          {"typical_p", options.typical_p},
          {"top_n_sigma", options.top_n_sigma},
          {"xtc_probability", options.xtc_probability},
          {"xtc_threshold", options.xtc_threshold},
          {"dry_multiplier", options.dry_multiplier},
          {"dry_base", options.dry_base},
          {"dry_allowed_length", options.dry_allowed_length},
          {"dry_penalty_last_n", options.dry_last_n},
          {"dry_sequence_breakers", options.dry_breakers},
          {"samplers", std::move(stages)},
          {"logit_bias", std::move(bias)},
          {"seed", options.seed}};
}

class Run final : public Command {
 public:
  void declare(Flags& flags) override;
  int run(const Log& log) override;

 private:
  void check_flags() const;
  engine::Prompt prepare(const format::Checkpoint& checkpoint, const Log& log) const;
  engine::Generation generate(const engine::Session& session, const std::vector<int32_t>& ids);
  void print_statistics(const engine::Session& session, const Statistics& statistics,
                        const engine::Generation& generation, const Log& log) const;
  JsonBuilder document(const engine::Session& session, const std::vector<int32_t>& ids,
                       const engine::Generation& generation, const Statistics& statistics) const;

  ModelFlags model_flags_;
  SamplingFlags sampling_flags_;
  std::optional<std::string> prompt_argument_, prompt_file_;
  std::optional<std::string> system_, template_file_, template_variables_;
  std::optional<int64_t> max_tokens_, log_probability_count_;
  std::vector<std::string> stops_;
  bool ignore_eos_ = false, raw_ = false, echo_ = false, json_ = false;

  std::string prompt_, text_;  // what the model reads, and what it makes
  engine::GenerateOptions options_;
};

void Run::declare(Flags& flags) {
  model_flags_.declare_path(flags);
  flags.argument("PROMPT", &prompt_argument_, false,
                 "What to answer or continue; - or nothing reads standard input.");
  flags.text({"-f", "FILE", "Read the prompt from a file, less one final newline."}, &prompt_file_);
  flags.integer({"-n,--max-tokens", "N",
                 "Tokens to make at most; until a stop token or the context's end by default."},
                &max_tokens_, 0, kMaxTokensMax);
  sampling_flags_.declare(flags);
  flags.texts({"--stop", "TEXT", "Stop before this text. Repeatable."}, &stops_);
  flags.toggle({"--ignore-eos", "", "Never choose a token that ends the text."}, &ignore_eos_);
  model_flags_.declare_context(flags);
  model_flags_.declare_activations(flags);
  model_flags_.declare_threads(flags);
  model_flags_.declare_cache(flags);
  model_flags_.declare_head(flags);
  flags.text({"--system", "TEXT", "A system message before the prompt."}, &system_);
  flags.toggle({"--raw", "", "The prompt as it is, without the model's chat template."}, &raw_);
  flags.text({"--chat-template", "FILE", "A Jinja template in place of the model's own."},
             &template_file_);
  flags.text({"--template-kwargs", "JSON",
              "More variables for the template: {\"enable_thinking\": false}."},
             &template_variables_);
  flags.toggle({"--echo", "", "Print the prompt, as the model reads it, before the text."}, &echo_);
  flags.integer(
      {"--logprobs", "N", "With --json: the log-probability of each token and of the N likeliest."},
      &log_probability_count_, 0, kLogProbabilitiesMax);
  flags.toggle({"--json", "", "One JSON document at the end instead of streamed text."}, &json_);
  flags.note(
      "A model with a chat template gets the prompt as a user's message; what the prompt spells is "
      "then never a special token. Sampling defaults are the model's own (generation_config.json, "
      "general.sampling.*) "
      "where it has any. Keys and values are kept as f16 unless --kv-type says otherwise.");
}

engine::Generation Run::generate(const engine::Session& session, const std::vector<int32_t>& ids) {
  engine::SequenceRunner runner = session.make_runner(
      options_.max_tokens ? static_cast<int64_t>(ids.size()) + *options_.max_tokens
                          : session.options.context);
  const engine::LogitSource source{
      .step = [&](std::span<const int32_t> tokens) { return runner.step(tokens, 1); },
      .cut_step =
          [&](std::span<const int32_t> tokens, const backend::HeadCut& cut) {
            return runner.step(tokens, 1, {&cut, 1});
          },
      .vocab_size = session.model->config.vocab_size,
      .context = session.options.context,
      .max_step_tokens = runner.max_rows()};
  return engine::generate(source, session.tokenizer(), ids, options_, [&](std::string_view piece) {
    text_ += piece;
    if (!json_) write_output(piece);
  });
}

void Run::check_flags() const {
  if (log_probability_count_ && !json_) fail(ErrorKind::usage, "run: --logprobs needs --json");
  if (log_probability_count_ && model_flags_.head == "coarse")
    fail(ErrorKind::usage, "run: --head coarse: not with --logprobs, which need whole rows");
  for (const std::string& stop : stops_)
    if (stop.empty()) fail(ErrorKind::usage, "run: --stop: a text expected, got \"\"");
  for (const auto& [flag, value] :
       {std::pair{"--system", &system_}, std::pair{"--chat-template", &template_file_},
        std::pair{"--template-kwargs", &template_variables_}})
    if (raw_ && *value) fail(ErrorKind::usage, "run: {}: not with --raw", flag);
}

// The prompt in the model's chat template, or as it is where there is none.
engine::Prompt Run::prepare(const format::Checkpoint& checkpoint, const Log& log) const {
  if (raw_) return {.text = prompt_};
  std::optional<engine::ChatTemplate> chat_template;
  if (template_file_)
    chat_template.emplace(read_text_file(*template_file_, format::kChatTemplateBytesMax),
                          *template_file_, checkpoint);
  else
    chat_template = engine::ChatTemplate::of(checkpoint, false);
  if (!chat_template) {
    if (system_ || template_variables_)
      fail(ErrorKind::usage, "run: {}: the model has no chat template; see --chat-template",
           system_ ? "--system" : "--template-kwargs");
    log.detail("the model has no chat template: it gets the prompt as it is");
    return {.text = prompt_};
  }
  chat::Conversation conversation;
  if (system_) conversation.messages.push_back(chat::message("system", *system_));
  conversation.messages.push_back(chat::message("user", prompt_));
  if (template_variables_) {
    const auto document = json::Document::parse(*template_variables_, "run: --template-kwargs");
    const chat::Value given = chat::Value::from_json(document->root());
    if (given.dict() == nullptr)
      fail(ErrorKind::usage, "run: --template-kwargs: a JSON object expected");
    conversation.variables = *given.dict();
  }
  log.detail("{}", chat_template->name());
  return chat_template->render(std::move(conversation));
}

int Run::run(const Log& log) {
  check_flags();
  prompt_ = read_text("run", "prompt", prompt_argument_, prompt_file_, true);

  const engine::Session session = load_session(model_flags_,
                                               {.context = model_flags_.context.value_or(0),
                                                .cut_logits = !log_probability_count_.has_value()},
                                               log);
  const model::Model& model = *session.model;
  const text::Tokenizer& tokenizer = session.tokenizer();
  const engine::SamplingOptions defaults = engine::default_sampling(model.generation);
  engine::validate(defaults, ErrorKind::bad_input, model.config.file);
  options_.sampling =
      sampling_flags_.over(defaults, session.options.context,
                           std::min<int64_t>(tokenizer.vocab_size(), model.config.vocab_size));
  options_.max_tokens = max_tokens_ ? max_tokens_ : model.generation.max_tokens;
  options_.stops = stops_;
  options_.ignore_end_of_generation = ignore_eos_;
  options_.top_log_probability_count = log_probability_count_;
  options_.cancelled = interrupt::requested;

  const engine::Prompt prompt = prepare(model.checkpoint, log);
  prompt_ = prompt.text;
  const std::vector<int32_t> ids = engine::encode(tokenizer, prompt);
  if (echo_ && !json_) write_output(prompt_);
  const engine::Generation generation = generate(session, ids);
  const Statistics statistics{.prompt_tokens = static_cast<int64_t>(ids.size()),
                              .text_tokens = static_cast<int64_t>(generation.tokens.size()),
                              .decode_steps = generation.decode_steps,
                              .load_seconds = session.load_seconds,
                              .prefill_seconds = generation.prefill_seconds,
                              .decode_seconds = generation.decode_seconds};
  if (json_) {
    write_output(to_text(document(session, ids, generation, statistics), 2) + "\n");
  } else if (!text_.ends_with('\n')) {
    write_output("\n");
  }
  print_statistics(session, statistics, generation, log);
  return generation.finish_reason == engine::FinishReason::interrupted
             ? static_cast<int>(ErrorKind::interrupted)
             : 0;
}

void Run::print_statistics(const engine::Session& session, const Statistics& statistics,
                           const engine::Generation& generation, const Log& log) const {
  log.info("");
  log.info("load    {:.2f} s, {} at most in memory", statistics.load_seconds,
           format_bytes(static_cast<double>(memory::peak_resident_bytes())));
  log.info("prompt  {} tokens, {:.1f} tokens/s", statistics.prompt_tokens,
           statistics.prefill_rate());
  const std::string rate =
      statistics.decode_steps > 0 ? fmt::format(", {:.1f} tokens/s", statistics.decode_rate()) : "";
  log.info("text    {} tokens{}, end: {}", statistics.text_tokens, rate,
           engine::finish_reason_name(generation.finish_reason));
  log.info("kernel  {}; {}", session.backend->description(), fmt::join(session.kernels(), ", "));
  log.info("context {}, KV {}, seed {}", session.options.context,
           kv_type_name(session.options.kv_type), options_.sampling.seed);
}

JsonBuilder Run::document(const engine::Session& session, const std::vector<int32_t>& ids,
                          const engine::Generation& generation,
                          const Statistics& statistics) const {
  const text::Tokenizer& tokenizer = session.tokenizer();
  JsonBuilder log_probabilities = nullptr;
  if (log_probability_count_) {
    log_probabilities = JsonBuilder::array();
    for (const engine::LogProbabilities& entry : generation.log_probabilities) {
      JsonBuilder row = log_probability_json(tokenizer, entry.chosen);
      row["top"] = JsonBuilder::array();
      for (const engine::TokenLogProbability& other : entry.top)
        row["top"].push_back(log_probability_json(tokenizer, other));
      log_probabilities.push_back(std::move(row));
    }
  }
  return {{"model", *model_flags_.path},
          {"prompt", prompt_},
          {"prompt_ids", ids},
          {"text", text_},
          {"token_ids", generation.tokens},
          {"finish_reason", engine::finish_reason_name(generation.finish_reason)},
          {"stop", generation.stop ? JsonBuilder(*generation.stop) : JsonBuilder(nullptr)},
          {"log_probabilities", std::move(log_probabilities)},
          {"sampling", sampling_json(options_.sampling)},
          {"statistics",
           {{"load_seconds", statistics.load_seconds},
            {"prompt_tokens", statistics.prompt_tokens},
            {"prefill_tokens_per_second", statistics.prefill_rate()},
            {"text_tokens", statistics.text_tokens},
            {"decode_tokens_per_second", statistics.decode_rate()},
            {"peak_memory_bytes", memory::peak_resident_bytes()},
            {"context", session.options.context},
            {"kv_type", kv_type_name(session.options.kv_type)},
            {"backend", session.backend->description()},
            {"packed_weights", session.cache ? session.cache->state() : "off"},
            {"kernels", session.kernels()}}}};
}

}  // namespace

std::unique_ptr<Command> make_run() { return std::make_unique<Run>(); }

}  // namespace bittern::cli
