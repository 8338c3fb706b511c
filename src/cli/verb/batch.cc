// bittern batch: a file of requests in OpenAI's batch format, answered many at a time. What is done
// is kept in a journal beside the output, so that the same command goes on where it was stopped;
// the output appears when all is done, in the order of the input (docs/batch.md).
#include <filesystem>
#include <random>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/json_write.h"
#include "base/progress.h"
#include "cli/batch_answerer.h"
#include "cli/command.h"
#include "cli/output.h"
#include "serve/batch/batch_input.h"
#include "serve/batch/batch_runner.h"
#include "serve/batch/journal.h"

namespace bittern::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kParallelMax = 1024;
constexpr int64_t kMaxTokensMax = int64_t{1} << 30;

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
  uint64_t decide_seed() const;
  void answer_all(const serve::BatchInput& input, serve::Journal& journal,
                  serve::BatchRunner& runner, const Log& log) const;
  void report(const serve::Journal& journal, const serve::BatchRunner& runner,
              const BatchAnswerer& loaded, const Counts& counts, const Log& log) const;

  fs::path output() const { return *output_; }
  fs::path errors() const;
  fs::path partial() const { return output().string() + ".partial"; }

  BatchFlags flags_;
  std::optional<std::string> input_, output_, errors_;
  bool overwrite_ = false, json_ = false;
};

void Batch::declare(Flags& flags) {
  flags_.model.declare_path(flags);
  flags.argument("IN.jsonl", &input_, true, "The requests, one a line, in OpenAI's batch format.");
  flags.argument("OUT.jsonl", &output_, true, "Where the answers go, one a line.");
  flags.text({"--errors", "FILE",
              "Where refused requests go; OUT.errors.jsonl by default. Not made without any."},
             &errors_);
  flags.toggle(
      {"--overwrite", "",
       "Replace an output that is there, once the new one is whole; forget its journal where "
       "that is of another input or other settings."},
      &overwrite_);
  flags.integer({"--parallel", "N", "Texts that are made at once; 16 by default."},
                &flags_.parallel, 1, kParallelMax);
  flags.integer({"-n,--max-tokens", "N",
                 "Tokens of an answer at most where a request does not say; by default 16 for "
                 "/v1/completions, as OpenAI has it, and until it ends for chats."},
                &flags_.max_tokens, 0, kMaxTokensMax);
  flags_.sampling.declare(flags);
  flags_.adapters.declare(flags);
  flags_.speculation.declare(flags);
  flags_.model.declare_context(flags);
  flags_.model.declare_activations(flags);
  flags_.model.declare_threads(flags);
  flags_.model.declare_cache(flags);
  flags_.model.declare_head(flags);
  flags.text({"--chat-template", "FILE", "A Jinja template in place of the model's own."},
             &flags_.template_file);
  flags.choice({"--pooling", "HOW",
                "For /v1/embeddings: mean, cls or last; what the model's files say by default."},
               &flags_.pooling, {"mean", "cls", "last"});
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
  for (const fs::path& path : {output(), errors()}) {
    if (const fs::path folder = fs::absolute(path).parent_path(); !fs::is_directory(folder))
      fail(ErrorKind::usage, "batch: {}: there is no folder {}", path.string(), folder.string());
    if (fs::is_directory(path))
      fail(ErrorKind::usage, "batch: {}: a file expected, got a folder", path.string());
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

// The flag's; else the one of the run that is to be continued; else a new one.
uint64_t Batch::decide_seed() const {
  if (flags_.sampling.seed && *flags_.sampling.seed >= 0)
    return static_cast<uint64_t>(*flags_.sampling.seed);
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
  flags_.speculation.check("batch");
  check_paths();
  const serve::BatchInput input = read_input(log);
  const BatchAnswerer loaded = load_batch_answerer(flags_, decide_seed(), log);
  // An output that is there stays until the new one is whole (Journal::finish).
  if (overwrite_ && !serve::Journal::belongs_to(partial(), input, loaded.settings))
    fs::remove(partial());
  serve::Journal journal(partial(), input, loaded.settings);
  if (journal.done_count() > 0 || journal.cut_bytes() > 0)
    log.info("going on: {} of {} requests are done", journal.done_count(), input.size());
  if (journal.cut_bytes() > 0)
    log.detail("{} bytes of an unfinished line cut", journal.cut_bytes());

  const Counts before{.requests = input.size(), .before = journal.done_count()};
  serve::BatchRunner runner(loaded.model(), 2 * flags_.texts_at_once(),
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
  report(journal, runner, loaded, counts, log);
  return journal.error_count() > 0 ? static_cast<int>(ErrorKind::answer_no) : 0;
}

void Batch::report(const serve::Journal& journal, const serve::BatchRunner& runner,
                   const BatchAnswerer& loaded, const Counts& counts, const Log& log) const {
  const serve::BatchTokens& tokens = runner.tokens();
  const double rate =
      counts.seconds > 0.0 ? static_cast<double>(tokens.generated) / counts.seconds : 0.0;
  log.info("requests {} answered{}{}", counts.requests - journal.error_count(),
           journal.error_count() > 0 ? fmt::format(", {} refused", journal.error_count()) : "",
           counts.before > 0 ? fmt::format("; {} of all before this run", counts.before) : "");
  log.info("tokens   {} of prompts ({} of them known), {} generated in {}, {:.1f} tokens/s",
           tokens.prompt, tokens.cached, tokens.generated, format_duration(counts.seconds), rate);
  const engine::EngineStats stats = loaded.engine ? loaded.engine->stats() : engine::EngineStats();
  if (flags_.speculation.is_on())
    log.info("guesses  {} of {} right", stats.accepted_guesses, stats.guessed_tokens);
  log.info("output   {}", output().string());
  if (journal.error_count() > 0) log.info("errors   {}", errors().string());
  if (!json_) return;
  JsonBuilder values = JsonBuilder::object();
  for (const auto& [name, value] : loaded.settings) values[name] = value;
  const JsonBuilder document = {
      {"model", *flags_.model.path},
      {"output", output().string()},
      {"errors", journal.error_count() > 0 ? JsonBuilder(errors().string()) : JsonBuilder(nullptr)},
      {"requests", counts.requests},
      {"answered", counts.requests - journal.error_count()},
      {"refused", journal.error_count()},
      {"done_before", counts.before},
      {"prompt_tokens", tokens.prompt},
      {"cached_tokens", tokens.cached},
      {"generated_tokens", tokens.generated},
      {"guessed_tokens", stats.guessed_tokens},
      {"accepted_guesses", stats.accepted_guesses},
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
