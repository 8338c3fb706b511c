// A model whose sequences stand at a depth from the start: their first positions hold keys and
// values that were put there directly, so that a depth of thousands costs nothing to reach and is
// read from memory like a real one. All else is the model's.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/step_model.h"

namespace bittern::bench {

class StandingContext final : public engine::StepModel {
 public:
  // Rows at positions below `depth` are not computed; a step may have any number of them, and so
  // takes up to `max_rows` rows. Their logits must not be wanted. Every page is filled here, with
  // what the model made of one page of arbitrary tokens.
  StandingContext(std::unique_ptr<engine::StepModel> model, int64_t depth, int64_t max_rows);

  engine::StepLimits limits() const override;
  const float* run(std::span<const model::BatchRow> rows,
                   std::span<const backend::HeadCut> cuts) override;
  void copy_page(int32_t from, int32_t to) override { model_->copy_page(from, to); }
  int64_t page_bytes() const override { return model_->page_bytes(); }
  void export_page(int32_t page, std::byte* out) const override { model_->export_page(page, out); }
  void import_page(int32_t page, const std::byte* in) override { model_->import_page(page, in); }
  void parallel(int64_t task_count, const std::function<void(int64_t task)>& body) override {
    model_->parallel(task_count, body);
  }

 private:
  void fill_pages();

  std::unique_ptr<engine::StepModel> model_;
  int64_t depth_, max_rows_;
  std::vector<model::BatchRow> rows_;  // those that are computed
};

}  // namespace bittern::bench
