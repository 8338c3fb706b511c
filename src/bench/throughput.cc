#include "bench/throughput.h"

#include <algorithm>

#include "base/check.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "base/random.h"
#include "bench/standing_context.h"
#include "engine/engine.h"
#include "model/sequence.h"

namespace bittern::bench {
namespace {

constexpr size_t kMostSlices = 100000;

// Sequences in an engine, all at one depth.
class Run {
 public:
  Run(const Subject& subject, const Case& what, const ThroughputOptions& options)
      : model_(subject.model),
        what_(what),
        // A sequence begins with a token that is computed.
        depth_(what.phase == Phase::prefill ? what.depth : std::max<int64_t>(what.depth - 1, 0)),
        context_(make_context(subject, options)),
        engine_(*context_, subject.model.tokenizer.get(), {.max_sequences = what.batch}),
        random_(options.seed) {}

  // A prompt of so many tokens behind the depth, and the first token after it.
  void prefill(int64_t tokens) {
    submit(depth_ + tokens, 1);
    while (engine_.step()) interrupt::check();
  }

  // The sequences stand at the depth, each with a token that decode() computes.
  void start() {
    for (int64_t sequence = 0; sequence < what_.batch; ++sequence)
      submit(depth_ + 1, what_.tokens + 1);
    engine_.step();
    BITTERN_CHECK(engine_.stats().running_sequences == what_.batch, "{} of {} sequences run",
                  engine_.stats().running_sequences, what_.batch);
  }

  // One token of every sequence.
  void decode() {
    interrupt::check();
    const int64_t before = engine_.stats().decode_rows;
    engine_.step();
    BITTERN_CHECK(engine_.stats().decode_rows == before + what_.batch, "{} rows of {} sequences",
                  engine_.stats().decode_rows - before, what_.batch);
  }

  engine::EngineStats stats() const { return engine_.stats(); }

 private:
  std::unique_ptr<StandingContext> make_context(const Subject& subject,
                                                const ThroughputOptions& options) const {
    const bool is_prefill = what_.phase == Phase::prefill;
    const int64_t rows = is_prefill ? std::min(options.max_rows, what_.tokens) : what_.batch;
    // The page behind the last, which the scheduler wants to have in hand.
    const int64_t pages = model::PagePool::pages_for(what_.positions()) + 1;
    auto model = engine::make_step_model(subject.model, subject.backend, subject.threads,
                                         {.kv_type = subject.kv_type,
                                          .page_count = what_.batch * pages,
                                          .max_rows = rows,
                                          .max_logit_rows = what_.batch});
    // All sequences begin in one step.
    const int64_t step_rows = is_prefill ? rows : what_.batch * (depth_ + 1);
    return std::make_unique<StandingContext>(std::move(model), depth_, step_rows);
  }

  void submit(int64_t prompt_tokens, int64_t max_tokens) {
    engine::Request request;
    for (int64_t token = 0; token < prompt_tokens; ++token) request.prompt.push_back(any_token());
    request.max_tokens = max_tokens;
    request.ignore_end_of_generation = true;
    request.reuse_prefix = false;
    engine_.submit(std::move(request), [](const engine::Delta&) {});
  }

  int32_t any_token() {
    return static_cast<int32_t>(random_.below(static_cast<uint64_t>(model_.config.vocab_size)));
  }

  const model::Model& model_;
  Case what_;
  int64_t depth_;  // positions that are not computed
  std::unique_ptr<StandingContext> context_;
  engine::Engine engine_;
  random::Sequence random_;
};

// The work of a slice, averaged over a repetition; `refined` as in work_of_head().
StepWork work_of_slice(const Subject& subject, const Case& what, int64_t max_rows,
                       std::optional<double> refined) {
  const model::Model& model = subject.model;
  const backend::KvType kv_type = subject.kv_type;
  StepWork work = work_of_head(model, static_cast<double>(what.batch), refined);
  std::vector<int64_t> positions;
  if (what.phase == Phase::decode) {
    // Linear in the position, so the middle of the text stands for all of it.
    positions.assign(static_cast<size_t>(what.batch), what.depth + (what.tokens - 1) / 2);
    work += work_of_body(model, kv_type, positions);
    return work;
  }
  for (int64_t first = 0; first < what.tokens; first += max_rows) {
    const int64_t count = std::min(max_rows, what.tokens - first);
    positions.clear();
    for (int64_t row = 0; row < count; ++row) positions.push_back(what.depth + first + row);
    work += work_of_body(model, kv_type, positions);
  }
  return work;
}

}  // namespace

std::string_view phase_name(Phase phase) { return phase == Phase::prefill ? "prefill" : "decode"; }

double Result::bytes_per_second() const {
  const Spread seconds = spread_of(slice_seconds);
  return seconds.median > 0.0 ? work.bytes / seconds.median : 0.0;
}

double Result::operations_per_second() const {
  const Spread seconds = spread_of(slice_seconds);
  return seconds.median > 0.0 ? work.operations() / seconds.median : 0.0;
}

Result measure_case(const Subject& subject, const Case& what, const ThroughputOptions& options,
                    const std::function<void(int64_t)>& advanced) {
  BITTERN_CHECK(what.tokens > 0 && what.batch > 0 && what.depth >= 0 &&
                    what.positions() <= subject.model.context,
                "{} tokens at depth {}, batch {}, context {}", what.tokens, what.depth, what.batch,
                subject.model.context);
  BITTERN_CHECK(what.phase == Phase::decode || what.batch == 1, "prefill of {}", what.batch);
  const bool is_prefill = what.phase == Phase::prefill;
  Run run(subject, what, options);
  Result result{.what = what, .tokens_per_second = {}, .slice_seconds = {}, .work = {}};
  // Not timed: pages are touched, those of all rows of a step, and clocks rise. Sequences that
  // decode do so by their first step.
  if (is_prefill) run.prefill(std::min(what.tokens, options.max_rows));

  const int64_t slices = is_prefill ? 1 : what.tokens;
  const auto slice_tokens = static_cast<double>(is_prefill ? what.tokens : what.batch);
  const backend::HeadCounts before = subject.backend.head_counts();
  const double started = monotonic_seconds();
  std::vector<double> rates;
  double model_seconds = 0.0, other_seconds = 0.0;
  for (; result.repetitions < options.repetitions; ++result.repetitions) {
    if (result.repetitions > 0 && monotonic_seconds() - started > options.seconds) break;
    if (!is_prefill) run.start();
    const engine::EngineStats start = run.stats();
    for (int64_t slice = 0; slice < slices && rates.size() < kMostSlices; ++slice) {
      const double begin = monotonic_seconds();
      if (is_prefill) {
        run.prefill(what.tokens);
      } else {
        run.decode();
      }
      const double seconds = std::max(monotonic_seconds() - begin, 1e-9);
      result.slice_seconds.push_back(seconds);
      rates.push_back(slice_tokens / seconds);
      if (advanced) advanced(static_cast<int64_t>(slice_tokens));
    }
    model_seconds += run.stats().model_seconds - start.model_seconds;
    other_seconds += run.stats().other_seconds - start.other_seconds;
  }
  result.tokens_per_second = spread_of(rates);
  result.engine_share = other_seconds / std::max(model_seconds + other_seconds, 1e-9);
  const backend::HeadCounts after = subject.backend.head_counts();
  if (const int64_t rows = after.coarse_rows - before.coarse_rows; rows > 0) {
    result.refined_rows =
        static_cast<double>(after.weight_rows - before.weight_rows) / static_cast<double>(rows);
  }
  std::optional<double> refined;
  if (result.refined_rows) refined = *result.refined_rows * static_cast<double>(what.batch);
  result.work = work_of_slice(subject, what, options.max_rows, refined);
  return result;
}

}  // namespace bittern::bench
