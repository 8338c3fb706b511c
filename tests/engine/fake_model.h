// A model without weights for the engine's tests. Its next token is a hash of every token of the
// sequence so far, read from what its pages hold: a page that is lost, overwritten, shared with a
// writer or taken from the wrong sequence changes what comes out. Time is virtual: a step takes
// what a line says, so runs repeat.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "engine/step_model.h"

namespace bittern::engine {

class FakeModel final : public StepModel {
 public:
  explicit FakeModel(const StepLimits& limits);

  StepLimits limits() const override { return limits_; }
  bool takes(const model::AdapterSet&) const override { return true; }
  // Logits that the cuts say are not needed are -infinity.
  const float* run(std::span<const model::BatchRow> rows,
                   std::span<const backend::HeadCut> cuts) override;
  void copy_page(int32_t from, int32_t to) override;
  int64_t page_bytes() const override { return backend::kPageTokens * 4; }
  void export_page(int32_t page, std::byte* out) const override;
  void import_page(int32_t page, const std::byte* in) override;
  void parallel(int64_t task_count, const std::function<void(int64_t task)>& body) override {
    for (int64_t task = 0; task < task_count; ++task) body(task);
  }

  // Row of logits after `tokens`, as run() makes it.
  void logits_after(std::span<const int32_t> tokens, float* logits,
                    const model::AdapterSet* adapters = nullptr) const;

  double now = 0.0;  // seconds
  double step_seconds = 0.020, row_seconds = 0.001;
  // What every step computed, for tests that look at the plan.
  std::function<void(std::span<const model::BatchRow>)> observe;

 private:
  void fill_logits(uint64_t hash, float* logits) const;
  void leave_out(const backend::HeadCut& cut, float* logits) const;

  StepLimits limits_;
  std::vector<int32_t> held_;  // [page, kPageTokens], tokens and what was added to the model
  std::vector<float> logits_;
};

}  // namespace bittern::engine
