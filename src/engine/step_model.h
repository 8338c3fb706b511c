// What the engine needs of a model: rows in, logits out, and pages that remember. Behind an
// interface, so that the simulation of the scheduler puts a model in its place whose next token
// hashes all that its pages hold.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "base/thread_pool.h"
#include "model/adapter.h"
#include "model/forward.h"
#include "model/model.h"

namespace bittern::engine {

struct StepLimits {
  int64_t vocab_size = 0;
  int64_t context = 0;         // positions of one sequence at most
  int64_t page_count = 0;      // of kPageTokens positions, all sequences
  int64_t max_rows = 0;        // tokens of one step
  int64_t max_logit_rows = 0;  // of those, how many may want logits
};

class StepModel {
 public:
  virtual ~StepModel() = default;
  virtual StepLimits limits() const = 0;
  // Whether rows may have these adapters: they are bound to this model.
  virtual bool takes(const model::AdapterSet&) const { return false; }
  // Computes the rows, whose sequences have the pages for them, and returns the logits of those
  // that want them, [wanting rows, vocab_size] in row order, valid until the next call. `cuts`:
  // what of each of those is needed (model::forward); none: all.
  virtual const float* run(std::span<const model::BatchRow> rows,
                           std::span<const backend::HeadCut> cuts) = 0;
  // Page `to` becomes what page `from` is.
  virtual void copy_page(int32_t from, int32_t to) = 0;
  // All that a page holds, to be given back later or to another process.
  virtual int64_t page_bytes() const = 0;
  virtual void export_page(int32_t page, std::byte* out) const = 0;
  virtual void import_page(int32_t page, const std::byte* in) = 0;
  // Calls body(task) for every task; those may run side by side.
  virtual void parallel(int64_t task_count, const std::function<void(int64_t task)>& body) = 0;
};

struct StepModelOptions {
  backend::KvType kv_type = backend::KvType::f16;
  int64_t page_count = 0;
  int64_t max_rows = 512;
  int64_t max_logit_rows = 16;
};

// A loaded model; it, the backend and the pool must outlive the result.
std::unique_ptr<StepModel> make_step_model(const model::Model& model, backend::Backend& backend,
                                           ThreadPool& pool, const StepModelOptions& options);

}  // namespace bittern::engine
