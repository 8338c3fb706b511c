// bittern bench: tokens per second of prefill and decode, one sequence. Each repetition begins
// with an empty sequence; the median counts, and the spread says how quiet the machine was.
#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/json_write.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/random.h"
#include "cli/command.h"
#include "cli/model_session.h"
#include "cli/output.h"

namespace bittern::cli {
namespace {

constexpr int64_t kPromptTokens = 512;
constexpr int64_t kTextTokens = 128;
constexpr int64_t kRepetitions = 5;
constexpr int64_t kTokensMax = int64_t{1} << 30;
constexpr int64_t kRepetitionsMax = 10000;
constexpr uint64_t kSeed = 1;

// Tokens per second, one value per repetition.
struct Rates {
  int64_t tokens = 0;
  std::vector<double> runs;

  double median() const {
    std::vector<double> sorted = runs;
    std::sort(sorted.begin(), sorted.end());
    const size_t half = sorted.size() / 2;
    return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }
  double least() const { return *std::min_element(runs.begin(), runs.end()); }
  double most() const { return *std::max_element(runs.begin(), runs.end()); }
};

JsonBuilder rates_json(const Rates& rates) {
  return {{"tokens", rates.tokens},
          {"median", rates.median()},
          {"least", rates.least()},
          {"most", rates.most()},
          {"runs", rates.runs}};
}

class Bench final : public Command {
 public:
  void declare(Flags& flags) override {
    model_flags_.declare_path(flags);
    flags.integer({"--prompt-tokens", "N", "Tokens of the prompt; default 512."}, &prompt_tokens_,
                  1, kTokensMax);
    flags.integer({"--text-tokens", "N", "Tokens made after it; default 128."}, &text_tokens_, 1,
                  kTokensMax);
    flags.integer({"--repetitions", "N", "Default 5."}, &repetitions_, 1, kRepetitionsMax);
    model_flags_.declare_context(flags);
    model_flags_.declare_threads(flags);
    flags.toggle({"--json", "", "One JSON document."}, &json_);
    flags.note(
        "Tokens per second of one sequence, median and spread of the repetitions. The "
        "tokens are arbitrary; the time does not depend on them.");
  }

  int run(const Log& log) override {
    int64_t prompt = prompt_tokens_.value_or(kPromptTokens);
    int64_t text = text_tokens_.value_or(kTextTokens);
    const Session session =
        load_session(model_flags_, {.context = model_flags_.context.value_or(0)}, log);
    if (prompt + text > session.shape.context) {
      if (prompt_tokens_ || text_tokens_)
        fail(ErrorKind::usage, "bench: {} tokens of prompt and text, the context has {}",
             prompt + text, session.shape.context);
      prompt = std::max<int64_t>(
          1, session.shape.context * kPromptTokens / (kPromptTokens + kTextTokens));
      text = session.shape.context - prompt;
      log.info("{} + {} tokens, as the context has {}", prompt, text, session.shape.context);
      if (text < 1) fail(ErrorKind::usage, "bench: --context: at least 2 expected");
    }
    measure(session, prompt, text, log);
    print(session);
    return 0;
  }

 private:
  void measure(const Session& session, int64_t prompt, int64_t text, const Log& log) {
    prefill_.tokens = prompt;
    decode_.tokens = text;
    const auto vocab_size = static_cast<uint64_t>(session.model->config.vocab_size);
    random::Sequence random(kSeed);
    std::vector<int32_t> tokens(static_cast<size_t>(prompt + text));
    for (int32_t& token : tokens) token = static_cast<int32_t>(random.below(vocab_size));

    engine::SequenceRunner runner = session.make_runner(prompt + text);
    const int64_t repetitions = repetitions_.value_or(kRepetitions);
    Progress progress("bench", repetitions * (prompt + text), Progress::Unit::items, "tokens",
                      log.level() == Log::Level::quiet);
    for (int64_t repetition = 0; repetition < repetitions; ++repetition) {
      runner.reset();
      std::span<const int32_t> rest(tokens);
      prefill_.runs.push_back(
          rate(runner, rest.first(prefill_.tokens), runner.max_rows(), progress));
      decode_.runs.push_back(rate(runner, rest.last(decode_.tokens), 1, progress));
      log.detail("repetition {}: prefill {:.1f}, decode {:.1f} tokens/s", repetition + 1,
                 prefill_.runs.back(), decode_.runs.back());
    }
  }

  // Tokens per second of feeding `tokens` in steps of `step`, the last logits wanted each time.
  static double rate(engine::SequenceRunner& runner, std::span<const int32_t> tokens, int64_t step,
                     Progress& progress) {
    const auto count = static_cast<double>(tokens.size());
    const double started = monotonic_seconds();
    while (!tokens.empty()) {
      interrupt::check();
      const size_t part = std::min(tokens.size(), static_cast<size_t>(step));
      runner.step(tokens.first(part), 1);
      tokens = tokens.subspan(part);
      progress.advance(static_cast<int64_t>(part));
    }
    return count / std::max(monotonic_seconds() - started, 1e-9);
  }

  void print(const Session& session) const {
    if (json_) {
      write_output(to_text(JsonBuilder{{"model", *model_flags_.path},
                                       {"backend", session.backend->description()},
                                       {"kernels", session.kernels()},
                                       {"threads", session.threads->thread_count()},
                                       {"kv_type", kv_type_name(session.kv_type)},
                                       {"prefill", rates_json(prefill_)},
                                       {"decode", rates_json(decode_)},
                                       {"load_seconds", session.load_seconds},
                                       {"peak_memory_bytes", memory::peak_resident_bytes()}},
                           2) +
                   "\n");
      return;
    }
    const auto line = [](std::string_view name, const Rates& rates) {
      return fmt::format("{:<8}{:>10.1f} tokens/s  ({} tokens, {} runs, {:.1f} to {:.1f})\n", name,
                         rates.median(), rates.tokens, rates.runs.size(), rates.least(),
                         rates.most());
    };
    write_output(line("prefill", prefill_) + line("decode", decode_) +
                 fmt::format("{}; {}; KV {}\n", session.backend->description(),
                             fmt::join(session.kernels(), ", "), kv_type_name(session.kv_type)));
  }

  ModelFlags model_flags_;
  std::optional<int64_t> prompt_tokens_, text_tokens_, repetitions_;
  bool json_ = false;
  Rates prefill_, decode_;
};

}  // namespace

std::unique_ptr<Command> make_bench() { return std::make_unique<Bench>(); }

}  // namespace bittern::cli
