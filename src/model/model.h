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

// A norm of Config::norm's kind. The weight holds any +1 of the family.
struct Norm {
  bool present = false;
  std::vector<float> weight, bias;  // bias empty: none
};

struct Expert {
  std::unique_ptr<backend::Linear> gate, up, down;
};

// What a family lacks is absent: norms not present, linears null.
struct Layer {
  Norm attention_norm, ffn_norm;            // before the branches
  Norm attention_post_norm, ffn_post_norm;  // behind them
  Norm query_norm, key_norm;                // as Config::head_norm says
  Norm attention_sub_norm, ffn_sub_norm;    // SubLN: before output and down
  std::unique_ptr<backend::Linear> query, key, value, output;
  std::unique_ptr<backend::Linear> gate, up, down;  // gate null: not gated
  std::unique_ptr<backend::Linear> router;          // with experts: gate, up and down are theirs
  std::vector<Expert> experts;
};

// What inputs of linears that are `rotated` go through (PrismML's prism.hadamard contract):
// Backend::hadamard with these.
struct InputRotation {
  struct Signs {
    int64_t width = 0;
    std::vector<float> values;  // +-1
  };
  int64_t block_size = 0;    // 0: the model has none
  std::vector<Signs> signs;  // of each width; none: all +
  bool embedding = false;    // rows of the embedding are rotated and turned back

  const float* signs_of(int64_t width) const;
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
  const TensorView* position_embedding = nullptr;  // a row for each position; null: none
  std::vector<float> token_type;                   // added to every embedding; empty: none
  Norm embedding_norm;
  InputRotation rotation;
  // Rows of q and k stand as GGUF files of the llama class have them (deinterleaved_rows).
  bool interleaved_heads = false;
  std::vector<Layer> layers;
  Norm output_norm;
  std::unique_ptr<backend::Linear> head;  // null: gives hidden states only
  backend::RopeTable rope, window_rope;   // the second for layers with a window, where they differ
  std::unique_ptr<text::Tokenizer> tokenizer;  // null where the files carry none that is supported
  std::string no_tokenizer_reason;             // why, for messages
  GenerationDefaults generation;
  std::vector<std::string> unused_tensors;  // in the file, named by nothing

  // Every linear layer there is, in order of execution.
  std::vector<const backend::Linear*> linears() const;
  // Memory the weights hold of their own, mapped bytes aside.
  int64_t resident_weight_bytes() const;
  int64_t copied_weight_bytes = 0;  // of it, weights that were turned round at bind
};

}  // namespace bittern::model
