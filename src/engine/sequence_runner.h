// One sequence of one model: its key/value pages, the step buffers and its logits. The plainest
// caller of model::forward; `run`, `eval` and `bench` use it, the scheduler of many sequences has
// its own.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "model/adapter.h"
#include "model/forward.h"
#include "model/model.h"
#include "model/sequence.h"

namespace bittern::engine {

struct RunnerOptions {
  int64_t context = 0;  // positions; at most model.context
  backend::KvType kv_type = backend::KvType::f16;
  int64_t max_rows = 512;                       // tokens in one step
  int64_t max_logit_rows = 1;                   // rows of one step whose logits are wanted
  const model::AdapterSet* adapters = nullptr;  // of the model, must outlive the runner
};

class SequenceRunner {
 public:
  // Takes all memory here. `model` and `backend` must outlive it.
  SequenceRunner(const model::Model& model, backend::Backend& backend,
                 const RunnerOptions& options);

  // Appends 1 to max_rows tokens in one step and returns the logits of the last `wanted` of them,
  // [wanted, vocab_size], valid until the next step. With `cuts`, one for each, only those that
  // they name (model::forward). Allocates nothing.
  const float* step(std::span<const int32_t> tokens, int64_t wanted,
                    std::span<const backend::HeadCut> cuts = {});

  // Forgets everything: the next token has position 0.
  void reset();

  int64_t length() const { return state_.length; }
  int64_t context() const { return context_; }
  int64_t max_rows() const { return workspace_.max_rows(); }

 private:
  const model::Model& model_;
  backend::Backend& backend_;
  int64_t context_;
  const model::AdapterSet* adapters_;
  std::unique_ptr<backend::KvStore> store_;
  model::SequenceState state_;
  model::Workspace workspace_;
  std::vector<model::BatchRow> rows_;
  std::vector<float> logits_;
};

}  // namespace bittern::engine
