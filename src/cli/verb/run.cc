// bittern run: one prompt, answered or continued. A model with a chat template gets the prompt as
// a user's message; any other, and any with --raw, gets it as it is. It is one request to the
// engine; text goes to stdout as it is made, statistics to stderr.
#include "base/clock.h"
#include "base/error.h"
#include "base/file_map.h"
#include "base/interrupt.h"
#include "base/json_write.h"
#include "cli/adapter_flags.h"
#include "cli/choice_stream.h"
#include "cli/command.h"
#include "cli/grammar_flags.h"
#include "cli/input_text.h"
#include "cli/model_flags.h"
#include "cli/output.h"
#include "cli/run_report.h"
#include "cli/sampling_flags.h"
#include "cli/speculation_flags.h"
#include "engine/chat_prompt.h"
#include "engine/draft_session.h"
#include "engine/engine.h"
#include "engine/repeat_drafter.h"
#include "format/limits.h"

namespace bittern::cli {
namespace {

constexpr int64_t kMaxTokensMax = int64_t{1} << 30;
constexpr int64_t kLogProbabilitiesMax = 1000;
constexpr int64_t kTextsMax = 128;
// Texts of one prompt that are made side by side; more wait for their turn.
constexpr int64_t kTextsAtOnce = 16;
// Rows of logits of one step where those of the prompt are wanted.
constexpr int64_t kScoredRows = 32;

class Run final : public Command {
 public:
  void declare(Flags& flags) override;
  int run(const Log& log) override;

 private:
  void declare_chat(Flags& flags);
  void declare_output(Flags& flags);
  void check_flags() const;
  // The flag that needs every logit of a row; "": none.
  std::string_view needs_whole_rows() const;
  int64_t text_count() const { return std::max(choices(), best_of_.value_or(0)); }
  int64_t choices() const { return choices_.value_or(1); }
  int64_t texts_at_once() const { return std::min(text_count(), kTextsAtOnce); }

  engine::SessionOptions session_options() const;
  engine::Prompt prepare(const format::Checkpoint& checkpoint, const Log& log) const;
  engine::Request request(const engine::Session& session, std::vector<int32_t> ids) const;
  engine::EngineOptions engine_options(engine::DraftSession* draft) const;
  engine::Sink collect_into(RunResult& result) const;
  RunResult make_texts(engine::Engine& engine, const engine::Request& request) const;

  ModelFlags model_flags_;
  SamplingFlags sampling_flags_;
  GrammarFlags grammar_flags_;
  SpeculationFlags speculation_flags_;
  AdapterFlags adapter_flags_;
  std::optional<std::string> prompt_argument_, prompt_file_;
  std::optional<std::string> system_, template_file_, template_variables_;
  std::optional<int64_t> max_tokens_, min_tokens_, choices_, best_of_;
  std::optional<int64_t> log_probability_count_, prompt_log_probability_count_;
  std::vector<std::string> stops_;
  bool ignore_eos_ = false, raw_ = false, echo_ = false, json_ = false;

  std::string prompt_;  // what the model reads
};

void Run::declare(Flags& flags) {
  model_flags_.declare_path(flags);
  flags.argument("PROMPT", &prompt_argument_, false,
                 "What to answer or continue; - or nothing reads standard input.");
  flags.text({"-f", "FILE", "Read the prompt from a file, less one final newline."}, &prompt_file_);
  flags.integer({"-n,--max-tokens", "N",
                 "Tokens to make at most; until a stop token or the context's end by default."},
                &max_tokens_, 0, kMaxTokensMax);
  flags.integer({"--min-tokens", "N", "No token ends the text before so many."}, &min_tokens_, 0,
                kMaxTokensMax);
  flags.integer({"--num-choices", "N", "Make so many texts, with the seeds from --seed on."},
                &choices_, 1, kTextsMax);
  flags.integer(
      {"--best-of", "N", "Make so many and show those with the likeliest tokens, on average."},
      &best_of_, 1, kTextsMax);
  sampling_flags_.declare(flags);
  flags.texts({"--stop", "TEXT", "Stop before this text. Repeatable."}, &stops_);
  flags.toggle({"--ignore-eos", "", "Never choose a token that ends the text."}, &ignore_eos_);
  grammar_flags_.declare(flags);
  model_flags_.declare_context(flags);
  model_flags_.declare_activations(flags);
  model_flags_.declare_threads(flags);
  model_flags_.declare_cache(flags);
  model_flags_.declare_head(flags);
  adapter_flags_.declare(flags);
  speculation_flags_.declare(flags);
  declare_chat(flags);
  declare_output(flags);
}

void Run::declare_chat(Flags& flags) {
  flags.text({"--system", "TEXT", "A system message before the prompt."}, &system_);
  flags.toggle({"--raw", "", "The prompt as it is, without the model's chat template."}, &raw_);
  flags.text({"--chat-template", "FILE", "A Jinja template in place of the model's own."},
             &template_file_);
  flags.text({"--template-kwargs", "JSON",
              "More variables for the template: {\"enable_thinking\": false}."},
             &template_variables_);
}

void Run::declare_output(Flags& flags) {
  flags.toggle({"--echo", "", "Print the prompt, as the model reads it, before the text."}, &echo_);
  flags.integer(
      {"--logprobs", "N", "With --json: the log-probability of each token and of the N likeliest."},
      &log_probability_count_, 0, kLogProbabilitiesMax);
  flags.integer({"--prompt-logprobs", "N", "The same of each token of the prompt."},
                &prompt_log_probability_count_, 0, kLogProbabilitiesMax);
  flags.toggle({"--json", "", "One JSON document at the end instead of streamed text."}, &json_);
  flags.note(
      "A model with a chat template gets the prompt as a user's message; what the prompt spells is "
      "then never a special token. Sampling defaults are the model's own (generation_config.json, "
      "general.sampling.*) "
      "where it has any. Keys and values are kept as f16 unless --kv-type says otherwise.");
}

std::string_view Run::needs_whole_rows() const {
  if (log_probability_count_) return "--logprobs";
  if (prompt_log_probability_count_) return "--prompt-logprobs";
  if (text_count() > choices()) return "--best-of";
  return grammar_flags_.given();
}

void Run::check_flags() const {
  if (log_probability_count_ && !json_) fail(ErrorKind::usage, "run: --logprobs needs --json");
  if (prompt_log_probability_count_ && !json_)
    fail(ErrorKind::usage, "run: --prompt-logprobs needs --json");
  if (const auto flag = needs_whole_rows(); !flag.empty() && model_flags_.head == "coarse")
    fail(ErrorKind::usage, "run: --head coarse: not with {}, which need{} whole rows", flag,
         flag.ends_with('s') ? "" : "s");
  for (const std::string& stop : stops_)
    if (stop.empty()) fail(ErrorKind::usage, "run: --stop: a text expected, got \"\"");
  if (min_tokens_ && max_tokens_ && *min_tokens_ > *max_tokens_)
    fail(ErrorKind::usage, "run: --min-tokens: at most --max-tokens {} expected, got {}",
         *max_tokens_, *min_tokens_);
  if (best_of_ && *best_of_ < choices())
    fail(ErrorKind::usage, "run: --best-of: at least --num-choices {} expected, got {}", choices(),
         *best_of_);
  if (ignore_eos_ && !grammar_flags_.given().empty())
    fail(ErrorKind::usage, "run: --ignore-eos: not with {}, which says where the text ends",
         grammar_flags_.given());
  speculation_flags_.check("run");
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

engine::SessionOptions Run::session_options() const {
  const int64_t rows = texts_at_once() + speculation_flags_.most_guesses();
  return {.context = model_flags_.context.value_or(0),
          .sequences = texts_at_once(),
          .max_logit_rows = prompt_log_probability_count_ ? std::max(rows, kScoredRows) : rows,
          .cut_logits = needs_whole_rows().empty()};
}

// Without the constraint, whose grammar is compiled before the model is there.
engine::Request Run::request(const engine::Session& session, std::vector<int32_t> ids) const {
  const model::Model& model = *session.model;
  const int64_t context = session.options.context;
  if (ids.empty())
    fail(ErrorKind::usage, "the prompt is empty and the model has no token to begin with");
  if (std::ssize(ids) > context)
    fail(ErrorKind::usage,
         "the prompt has {} tokens, the context {}: shorten it or raise --context", ids.size(),
         context);
  const int64_t token_count =
      std::min<int64_t>(session.tokenizer().vocab_size(), model.config.vocab_size);
  const auto at_most_all = [&](std::optional<int64_t> count) {
    return count ? std::optional(std::min(*count, token_count)) : std::nullopt;
  };
  const engine::SamplingOptions defaults =
      engine::default_sampling(model.generation, model.config.file);
  engine::Request request;
  request.prompt = std::move(ids);
  request.sampling = sampling_flags_.over(defaults, context, token_count);
  request.max_tokens = max_tokens_ ? max_tokens_ : model.generation.max_tokens;
  request.min_tokens = min_tokens_.value_or(0);
  request.stops = stops_;
  request.ignore_end_of_generation = ignore_eos_;
  request.top_log_probability_count = at_most_all(log_probability_count_);
  request.prompt_log_probability_count = at_most_all(prompt_log_probability_count_);
  request.choices = choices();
  request.best_of = best_of_.value_or(0);
  return request;
}

// Positions that the texts take: they share the whole pages of the prompt.
int64_t positions_of(const engine::Request& request, int64_t texts, int64_t context) {
  if (!request.max_tokens) return texts * context;
  const auto length = std::ssize(request.prompt);
  if (texts == 1) return length + *request.max_tokens;
  constexpr int64_t kPage = backend::kPageTokens;
  const int64_t own = (length % kPage + *request.max_tokens + kPage - 1) / kPage * kPage;
  return length / kPage * kPage + texts * own;
}

engine::EngineOptions Run::engine_options(engine::DraftSession* draft) const {
  engine::EngineOptions options;
  options.max_sequences = texts_at_once();
  speculation_flags_.apply(options, draft, 0);
  return options;
}

// Puts the texts together, and shows them while they grow unless a document is wanted at the end.
engine::Sink Run::collect_into(RunResult& result) const {
  std::shared_ptr<ChoiceStream> shown;
  if (!json_) shown = std::make_shared<ChoiceStream>(choices(), echo_ ? prompt_ : "", write_output);
  return [&result, shown](engine::Delta delta) {
    RunChoice& choice = result.choices[static_cast<size_t>(delta.choice)];
    choice.text += delta.text;
    choice.tokens.insert(choice.tokens.end(), delta.tokens.begin(), delta.tokens.end());
    std::ranges::move(delta.log_probabilities, std::back_inserter(choice.log_probabilities));
    std::ranges::move(delta.prompt_log_probabilities,
                      std::back_inserter(result.prompt_log_probabilities));
    if (shown) shown->add(delta.choice, delta.text);
    if (!delta.ending) return;
    choice.ending = *std::move(delta.ending);
    // Where a single one cannot go on, the message that says so is its last line.
    const bool has_failed = choice.ending.reason == engine::FinishReason::failed;
    if (shown && !(has_failed && result.choices.size() == 1)) shown->end(delta.choice);
  };
}

// Ctrl-C ends the texts where they are.
RunResult Run::make_texts(engine::Engine& engine, const engine::Request& request) const {
  RunResult result;
  result.choices.resize(static_cast<size_t>(choices()));
  const double started = monotonic_seconds();
  const int64_t id = engine.submit(request, collect_into(result));
  std::optional<double> prefilled;
  do {
    const engine::EngineStats stats = engine.stats();
    if (!prefilled && stats.prompt_rows + stats.decode_rows >= std::ssize(request.prompt))
      prefilled = monotonic_seconds();
    if (!result.interrupted && interrupt::requested() && stats.finished_requests == 0) {
      engine.cancel(id);
      result.interrupted = true;
    }
  } while (engine.step());
  const double ended = monotonic_seconds();
  const engine::EngineStats stats = engine.stats();
  result.prefill_seconds = prefilled.value_or(ended) - started;
  result.decode_seconds = ended - prefilled.value_or(ended);
  result.made_tokens = stats.generated_tokens;
  result.guessed = speculation_flags_.is_on();
  result.guessed_tokens = stats.guessed_tokens;
  result.accepted_guesses = stats.accepted_guesses;
  return result;
}

int Run::run(const Log& log) {
  check_flags();
  std::optional<chat::grammar::Grammar> grammar = grammar_flags_.compile("run");
  std::optional<format::Checkpoint> draft_file = speculation_flags_.open_draft();
  prompt_ = read_text("run", "prompt", prompt_argument_, prompt_file_, true);

  const engine::Session session = load_session(model_flags_, session_options(), log);
  const engine::Prompt prompt = prepare(session.model->checkpoint, log);
  prompt_ = prompt.text;
  engine::Request request = this->request(session, engine::encode(session.tokenizer(), prompt));
  request.adapters = adapter_flags_.load(*session.model, *session.backend, log);
  if (grammar) request.constraint = constrain(*std::move(grammar), session.tokenizer());
  std::optional<engine::DraftSession> draft;
  if (draft_file) {
    const int64_t positions = positions_of(request, 1, session.options.context);
    draft.emplace(session, *std::move(draft_file), positions * texts_at_once(), log);
  }

  const auto step_model =
      session.make_step_model(positions_of(request, texts_at_once(), session.options.context));
  engine::Engine engine(*step_model, &session.tokenizer(),
                        engine_options(draft ? &*draft : nullptr));
  const RunResult result = make_texts(engine, request);
  for (const RunChoice& choice : result.choices)
    if (choice.ending.reason == engine::FinishReason::failed) bad_input("{}", choice.ending.error);
  const RunReport report(session, request, result);
  if (json_) write_output(to_text(report.document(*model_flags_.path, prompt_), 2) + "\n");
  report.print_statistics(log);
  return result.interrupted ? static_cast<int>(ErrorKind::interrupted) : 0;
}

}  // namespace

std::unique_ptr<Command> make_run() { return std::make_unique<Run>(); }

}  // namespace bittern::cli
