// A bound model: architecture, configuration, weights in device layouts, tokenizer, and the
// defaults its files give for generation.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "format/checkpoint.h"
#include "model/arch.h"
#include "model/config.h"
#include "model/plan.h"
#include "text/tokenizer.h"

namespace bittern::model {

// generation_config.json or general.sampling.*; only what the file states.
struct GenerationDefaults {
  std::optional<double> temperature, top_p, min_p, repetition_penalty;
  std::optional<int64_t> top_k, max_tokens;
  std::optional<bool> do_sample;
};

struct Layer {
  std::vector<float> attention_norm, ffn_norm;          // input norms
  std::vector<float> query_norm, key_norm;              // per head; empty where absent
  std::vector<float> attention_sub_norm, ffn_sub_norm;  // SubLN; empty where absent
  std::unique_ptr<backend::Linear> query, key, value, output;
  std::unique_ptr<backend::Linear> gate, up, down;  // gate null: not gated
};

// Called after each layer is bound and packed, with its index: progress. May throw to give up.
using LayerBound = std::function<void(int64_t layer)>;

struct LoadOptions {
  // What the memory plan counts; `plan.context` 0 means the model's maximum, and the rotary
  // table covers it.
  PlanOptions plan;
  LayerBound layer_bound = nullptr;
};

class Model {
 public:
  // Binds every tensor the architecture names. Throws Error{bad_input} naming tensor, expected
  // and got; Error{unsupported} for an architecture that is not in the table (listing those that
  // are); Error{resources} where the plan exceeds the memory that is left. Takes the checkpoint:
  // the mapped bytes serve the weights that are not repacked.
  static std::unique_ptr<Model> load(format::Checkpoint checkpoint, backend::Backend& backend,
                                     const LoadOptions& options = {});

  const ArchSpec* arch = nullptr;
  Config config;
  int64_t context = 0;  // planned positions
  format::Checkpoint checkpoint;
  // Views made at bind (packed linears with their logical shape and scale); addresses are stable,
  // as the packed linears may keep them.
  std::deque<TensorView> views;
  const TensorView* embedding = nullptr;
  std::vector<Layer> layers;
  std::vector<float> output_norm;
  std::unique_ptr<backend::Linear> head;
  backend::RopeTable rope;
  std::unique_ptr<text::Tokenizer> tokenizer;  // null where the files carry none that is supported
  std::string no_tokenizer_reason;             // why, for messages
  GenerationDefaults generation;
  std::vector<std::string> unused_tensors;  // in the file, named by nothing

  // Memory the weights hold of their own, mapped bytes aside.
  int64_t resident_weight_bytes() const;
};

}  // namespace bittern::model
