// Guesses by a smaller model of the same vocabulary: it reads the text and goes on with its
// likeliest tokens, for as long as they are likely enough to pay for themselves.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "engine/drafter.h"
#include "engine/kv_pages.h"
#include "engine/step_model.h"

namespace bittern::engine {

// The small model and its pages, which the texts of an engine share.
class DraftModel {
 public:
  // `model` must outlive it and have the same token ids as the model that it guesses for.
  explicit DraftModel(StepModel& model, std::function<double()> clock = monotonic_seconds);

  // Drafters refer to it. Used on the engine's thread only.
  std::unique_ptr<Drafter> make_drafter();

 private:
  friend class ModelDrafter;
  StepModel& model_;
  std::function<double()> clock_;
  StepLimits limits_;
  KvPages pages_;
  double guess_seconds_ = 0.0;  // of one guess, learned
};

}  // namespace bittern::engine
