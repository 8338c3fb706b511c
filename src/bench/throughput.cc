#include "bench/throughput.h"

#include <algorithm>

#include "base/check.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "base/random.h"
#include "model/forward.h"
#include "model/sequence.h"

namespace bittern::bench {
namespace {

constexpr int64_t kFillRows = 64;      // positions stored at once
constexpr int64_t kWarmUpTokens = 16;  // of a prefill
constexpr size_t kMostSlices = 100000;

class Run {
 public:
  Run(const model::Model& model, backend::Backend& backend, backend::KvType kv_type,
      const Case& what, const ThroughputOptions& options)
      : model_(model),
        backend_(backend),
        what_(what),
        step_rows_(what.phase == Phase::prefill ? std::min(options.max_rows, what.tokens)
                                                : what.batch),
        sequences_(static_cast<size_t>(what.batch)),
        store_(backend.make_kv_store(
            {.layer_count = model.config.layer_count,
             .kv_head_count = model.config.kv_head_count,
             .head_dim = model.config.head_dim,
             .type = kv_type,
             .page_count = what.batch * model::PagePool::pages_for(what.positions())})),
        workspace_(model, step_rows_),
        rows_(static_cast<size_t>(step_rows_)),
        logits_(static_cast<size_t>(what.batch * model.config.vocab_size)),
        // What whoever takes the likeliest token needs.
        cuts_(static_cast<size_t>(what.batch),
              {.top = 1, .outputs = model.config.vocab_size, .always = {}}),
        random_(options.seed) {
    model::PagePool pool(store_->shape.page_count);
    for (model::SequenceState& sequence : sequences_) {
      BITTERN_CHECK(pool.reserve(sequence, what.positions()), "{} pages for {} positions",
                    store_->shape.page_count, what.positions());
    }
    store_context();
  }

  void rewind() {
    for (model::SequenceState& sequence : sequences_) sequence.length = what_.depth;
  }

  // One prompt, the last row's logits wanted.
  void prefill(int64_t tokens) {
    model::SequenceState& sequence = sequences_.front();
    while (tokens > 0) {
      interrupt::check();
      const int64_t count = std::min(tokens, step_rows_);
      for (int64_t row = 0; row < count; ++row) {
        rows_[static_cast<size_t>(row)] = {.token = any_token(),
                                           .position = static_cast<int32_t>(sequence.length + row),
                                           .sequence = &sequence,
                                           .wants_logits = tokens == count && row == count - 1};
      }
      forward(count);
      tokens -= count;
    }
  }

  // One token of every sequence.
  void decode() {
    interrupt::check();
    for (size_t row = 0; row < sequences_.size(); ++row) {
      rows_[row] = {.token = any_token(),
                    .position = static_cast<int32_t>(sequences_[row].length),
                    .sequence = &sequences_[row],
                    .wants_logits = true};
    }
    forward(what_.batch);
  }

 private:
  int32_t any_token() {
    return static_cast<int32_t>(random_.below(static_cast<uint64_t>(model_.config.vocab_size)));
  }

  void forward(int64_t count) {
    model::forward(model_, backend_, *store_, std::span(rows_).first(static_cast<size_t>(count)),
                   workspace_, logits_.data(), nullptr, cuts_);
  }

  // `depth` positions of every sequence and layer. The same few random rows serve all of them:
  // they lie at different places in memory, and that is what counts.
  void store_context() {
    const int64_t width = model_.config.key_width();
    std::vector<float> values(static_cast<size_t>(2 * kFillRows * width));
    for (float& value : values) value = static_cast<float>(random_.uniform() * 2.0 - 1.0);
    std::vector<backend::RowPlace> places(static_cast<size_t>(kFillRows));
    for (const model::SequenceState& sequence : sequences_) {
      for (int64_t first = 0; first < what_.depth; first += kFillRows) {
        const int64_t count = std::min(kFillRows, what_.depth - first);
        for (int64_t row = 0; row < count; ++row) {
          places[static_cast<size_t>(row)] = {
              .pages = sequence.pages.data(), .position = first + row, .length = what_.depth};
        }
        for (int64_t layer = 0; layer < model_.config.layer_count; ++layer) {
          backend_.store_kv(*store_, layer, std::span(places).first(static_cast<size_t>(count)),
                            values.data(), values.data() + kFillRows * width);
        }
      }
    }
    rewind();
  }

  const model::Model& model_;
  backend::Backend& backend_;
  Case what_;
  int64_t step_rows_;
  std::vector<model::SequenceState> sequences_;
  std::unique_ptr<backend::KvStore> store_;
  model::Workspace workspace_;
  std::vector<model::BatchRow> rows_;
  std::vector<float> logits_;
  std::vector<backend::HeadCut> cuts_;
  random::Sequence random_;
};

// The work of a slice, averaged over a repetition; `refined` as in work_of_head().
StepWork work_of_slice(const model::Model& model, backend::KvType kv_type, const Case& what,
                       int64_t max_rows, std::optional<double> refined) {
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

Result measure_case(const model::Model& model, backend::Backend& backend, backend::KvType kv_type,
                    const Case& what, const ThroughputOptions& options,
                    const std::function<void(int64_t)>& advanced) {
  BITTERN_CHECK(
      what.tokens > 0 && what.batch > 0 && what.depth >= 0 && what.positions() <= model.context,
      "{} tokens at depth {}, batch {}, context {}", what.tokens, what.depth, what.batch,
      model.context);
  BITTERN_CHECK(what.phase == Phase::decode || what.batch == 1, "prefill of {}", what.batch);
  Run run(model, backend, kv_type, what, options);
  Result result{.what = what, .tokens_per_second = {}, .slice_seconds = {}, .work = {}};

  // Not timed: pages are touched, clocks rise.
  if (what.phase == Phase::prefill) {
    run.prefill(std::min(what.tokens, kWarmUpTokens));
  } else {
    run.decode();
  }

  const int64_t slices = what.phase == Phase::prefill ? 1 : what.tokens;
  const double slice_tokens =
      static_cast<double>(what.phase == Phase::prefill ? what.tokens : what.batch);
  const backend::HeadCounts before = backend.head_counts();
  const double started = monotonic_seconds();
  std::vector<double> rates;
  for (; result.repetitions < options.repetitions; ++result.repetitions) {
    if (result.repetitions > 0 && monotonic_seconds() - started > options.seconds) break;
    run.rewind();
    for (int64_t slice = 0; slice < slices && rates.size() < kMostSlices; ++slice) {
      const double begin = monotonic_seconds();
      if (what.phase == Phase::prefill) {
        run.prefill(what.tokens);
      } else {
        run.decode();
      }
      const double seconds = std::max(monotonic_seconds() - begin, 1e-9);
      result.slice_seconds.push_back(seconds);
      rates.push_back(slice_tokens / seconds);
      if (advanced) advanced(static_cast<int64_t>(slice_tokens));
    }
  }
  result.tokens_per_second = spread_of(rates);
  const backend::HeadCounts after = backend.head_counts();
  if (const int64_t rows = after.coarse_rows - before.coarse_rows; rows > 0) {
    result.refined_rows =
        static_cast<double>(after.weight_rows - before.weight_rows) / static_cast<double>(rows);
  }
  std::optional<double> refined;
  if (result.refined_rows) refined = *result.refined_rows * static_cast<double>(what.batch);
  result.work = work_of_slice(model, kv_type, what, options.max_rows, refined);
  return result;
}

}  // namespace bittern::bench
