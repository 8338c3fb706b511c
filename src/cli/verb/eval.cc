// bittern eval: measures a model on a text. One task so far: perplexity (eval/perplexity.h).
#include "eval/perplexity.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/json_write.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/input_text.h"
#include "cli/model_flags.h"
#include "cli/output.h"

namespace bittern::cli {
namespace {

// llama.cpp's default chunk.
constexpr int64_t kDefaultContext = 512;
constexpr int64_t kLeastContext = 4;
constexpr int64_t kChunksMax = int64_t{1} << 30;
// Rows whose logits are kept at once: 64 MB at a vocabulary of 128 k.
constexpr int64_t kLogitRows = 128;

// Runs chunks through one sequence that is emptied for each.
class ChunkRunner {
 public:
  explicit ChunkRunner(const engine::Session& session)
      : vocab_size_(session.model->config.vocab_size),
        runner_(session.make_runner(session.options.context)) {}

  void operator()(std::span<const int32_t> tokens, int64_t first_position,
                  const eval::ScorePosition& score) {
    runner_.reset();
    while (!tokens.empty()) {
      interrupt::check();
      const std::span<const int32_t> part =
          tokens.first(std::min<size_t>(tokens.size(), kLogitRows));
      const int64_t end = runner_.length() + static_cast<int64_t>(part.size());
      const int64_t wanted =
          std::clamp<int64_t>(end - first_position, 0, static_cast<int64_t>(part.size()));
      const float* logits = runner_.step(part, wanted);
      for (int64_t row = 0; row < wanted; ++row)
        score(end - wanted + row, logits + row * vocab_size_);
      tokens = tokens.subspan(part.size());
    }
  }

 private:
  int64_t vocab_size_;
  engine::SequenceRunner runner_;
};

class Eval final : public Command {
 public:
  void declare(Flags& flags) override {
    model_flags_.declare_path(flags);
    flags.argument("TASK", &task_, true, "perplexity");
    flags.argument("FILE", &file_, true, "The text, - for standard input.");
    model_flags_.declare_context(flags);
    model_flags_.declare_activations(flags);
    flags.integer({"--chunks", "N", "Measure the first N chunks only; all by default."}, &chunks_,
                  1, kChunksMax);
    model_flags_.declare_threads(flags);
    model_flags_.declare_cache(flags);
    flags.toggle({"--json", "", "One JSON document."}, &json_);
    flags.note(
        "perplexity follows llama.cpp's protocol: chunks of --context tokens (default "
        "512), each read from an empty sequence, the second half scored. --verbose prints "
        "the value after every chunk.");
  }

  int run(const Log& log) override {
    if (*task_ != "perplexity")
      fail(ErrorKind::usage, "eval: task perplexity expected, got \"{}\"", printable(*task_));
    const int64_t context = model_flags_.context.value_or(kDefaultContext);
    if (context < kLeastContext)
      fail(ErrorKind::usage, "eval: --context: at least {} expected, got {}", kLeastContext,
           context);
    const std::string text = read_text("eval", "text", std::nullopt, file_, false);
    const engine::Session session = load_session(
        model_flags_, {.context = context, .max_rows = kLogitRows, .max_logit_rows = kLogitRows},
        log);
    measure(session, text, log);
    return 0;
  }

 private:
  void measure(const engine::Session& session, std::string_view text, const Log& log) {
    const text::Tokenizer& tokenizer = session.tokenizer();
    const text::VocabSpec& vocab = tokenizer.spec();
    if (vocab.add_eos)
      fail(ErrorKind::unsupported,
           "{}: perplexity of a model whose tokenizer ends every text with EOS",
           session.model->config.file);
    eval::PerplexityOptions options{
        .context = session.options.context, .chunk_limit = chunks_, .first_token = std::nullopt};
    if (vocab.add_bos && vocab.bos >= 0) options.first_token = vocab.bos;

    // As llama.cpp does, names of special tokens in the text are plain text.
    const std::vector<int32_t> tokens = tokenizer.encode(text, {.parse_special = false});
    const int64_t total = eval::chunk_count(static_cast<int64_t>(tokens.size()), options);
    log.detail("{} tokens, {} chunks of {}", tokens.size(), total, options.context);
    ChunkRunner runner(session);
    const double started = monotonic_seconds();
    eval::Perplexity result;
    {
      // With --verbose the running values are the progress.
      Progress progress("perplexity", total * options.context, Progress::Unit::items, "tokens",
                        log.level() != Log::Level::normal);
      result = eval::measure_perplexity(
          tokens, session.model->config.vocab_size, options, std::ref(runner),
          [&](const eval::Perplexity& so_far, int64_t chunk_count) {
            log.detail("chunk {} of {}: {:.4f} +- {:.4f}", so_far.chunks, chunk_count,
                       so_far.perplexity, so_far.error);
            progress.advance(options.context);
          });
    }
    const double seconds = monotonic_seconds() - started;
    print(session, result, seconds);
  }

  void print(const engine::Session& session, const eval::Perplexity& result, double seconds) const {
    if (!json_) {
      write_output(fmt::format("perplexity {:.4f} +- {:.4f} ({} tokens of {} chunks of {})\n",
                               result.perplexity, result.error, result.scored_tokens, result.chunks,
                               session.options.context));
      return;
    }
    write_output(to_text(JsonBuilder{{"model", *model_flags_.path},
                                     {"task", "perplexity"},
                                     {"file", *file_},
                                     {"perplexity", result.perplexity},
                                     {"error", result.error},
                                     {"mean_nll", result.mean_nll},
                                     {"scored_tokens", result.scored_tokens},
                                     {"chunks", result.chunks},
                                     {"context", session.options.context},
                                     {"kv_type", kv_type_name(session.options.kv_type)},
                                     {"seconds", seconds},
                                     {"backend", session.backend->description()},
                                     {"kernels", session.kernels()}},
                         2) +
                 "\n");
  }

  ModelFlags model_flags_;
  std::optional<std::string> task_, file_;
  std::optional<int64_t> chunks_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_eval() { return std::make_unique<Eval>(); }

}  // namespace bittern::cli
