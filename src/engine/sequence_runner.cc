#include "engine/sequence_runner.h"

#include "base/check.h"
#include "base/error.h"

namespace bittern::engine {
namespace {

backend::KvShape kv_shape(const model::Config& config, const RunnerOptions& options) {
  return {.layer_count = config.layer_count,
          .kv_head_count = config.kv_head_count,
          .head_dim = config.head_dim,
          .type = options.kv_type,
          .page_count = model::PagePool::pages_for(options.context)};
}

}  // namespace

SequenceRunner::SequenceRunner(const model::Model& model, backend::Backend& backend,
                               const RunnerOptions& options)
    : model_(model),
      backend_(backend),
      context_(options.context),
      adapters_(options.adapters),
      store_(backend.make_kv_store(kv_shape(model.config, options))),
      workspace_(model, options.max_rows),
      rows_(static_cast<size_t>(options.max_rows)),
      logits_(static_cast<size_t>(options.max_logit_rows * model.config.vocab_size)) {
  if (model.head == nullptr) {
    fail(ErrorKind::unsupported, "{}: expected a model that predicts text, got an encoder ({})",
         printable(model.config.file), model.arch->name);
  }
  BITTERN_CHECK(options.context > 0 && options.context <= model.context,
                "context {} of a model planned for {}", options.context, model.context);
  model::PagePool pool(store_->shape.page_count);
  BITTERN_CHECK(pool.reserve(state_, context_), "{} pages for {} positions",
                store_->shape.page_count, context_);
}

const float* SequenceRunner::step(std::span<const int32_t> tokens, int64_t wanted,
                                  std::span<const backend::HeadCut> cuts) {
  const auto count = static_cast<int64_t>(tokens.size());
  BITTERN_CHECK(count > 0 && count <= max_rows() && state_.length + count <= context_,
                "{} tokens after {} of {}", count, state_.length, context_);
  BITTERN_CHECK(wanted >= 0 && wanted <= count &&
                    wanted * model_.config.vocab_size <= static_cast<int64_t>(logits_.size()),
                "{} rows of logits wanted of {} tokens", wanted, count);
  BITTERN_CHECK(cuts.empty() || static_cast<int64_t>(cuts.size()) == wanted, "{} cuts of {} rows",
                cuts.size(), wanted);
  for (int64_t row = 0; row < count; ++row) {
    rows_[static_cast<size_t>(row)] = {.token = tokens[static_cast<size_t>(row)],
                                       .position = static_cast<int32_t>(state_.length + row),
                                       .sequence = &state_,
                                       .wants_logits = row >= count - wanted,
                                       .adapters = adapters_};
  }
  const int64_t length = state_.length + count;
  model::forward(model_, backend_, *store_, std::span(rows_).first(tokens.size()), workspace_,
                 logits_.data(), nullptr, cuts);
  state_.length = length;
  return logits_.data();
}

void SequenceRunner::reset() { state_.length = 0; }

}  // namespace bittern::engine
