#include "bench/standing_context.h"

#include <algorithm>

#include "model/sequence.h"

namespace bittern::bench {

StandingContext::StandingContext(std::unique_ptr<engine::StepModel> model, int64_t depth,
                                 int64_t max_rows)
    : model_(std::move(model)), depth_(depth), max_rows_(max_rows) {
  rows_.reserve(static_cast<size_t>(model_->limits().max_rows));
  fill_pages();
}

engine::StepLimits StandingContext::limits() const {
  engine::StepLimits limits = model_->limits();
  limits.max_rows = max_rows_;
  return limits;
}

void StandingContext::fill_pages() {
  const engine::StepLimits limits = model_->limits();
  if (depth_ == 0) return;
  const int64_t positions = std::min(backend::kPageTokens, limits.context);
  model::SequenceState state;
  state.pages = {0};
  for (int64_t position = 0; position < positions; ++position) {
    // Neighbours that differ, so that no two keys are the same.
    const auto token = static_cast<int32_t>(position * 97 % limits.vocab_size);
    const model::BatchRow row = {
        .token = token, .position = static_cast<int32_t>(position), .sequence = &state};
    model_->run({&row, 1}, {});
  }
  std::vector<std::byte> page(static_cast<size_t>(model_->page_bytes()));
  model_->export_page(0, page.data());
  for (int32_t id = 1; id < limits.page_count; ++id) model_->import_page(id, page.data());
}

const float* StandingContext::run(std::span<const model::BatchRow> rows,
                                  std::span<const backend::HeadCut> cuts) {
  rows_.clear();
  for (const model::BatchRow& row : rows)
    if (row.position >= depth_ || row.wants_logits) rows_.push_back(row);
  return rows_.empty() ? nullptr : model_->run(rows_, cuts);
}

}  // namespace bittern::bench
