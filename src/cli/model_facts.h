// What `bittern show` knows about a checkpoint, computed without loading weights. A file whose
// architecture Bittern cannot run is still described, with the reason in place of the numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json_write.h"
#include "format/checkpoint.h"
#include "model/config.h"
#include "model/plan.h"

namespace bittern::cli {

// Tensors of one number format together.
struct TypeFacts {
  std::string type;
  int64_t count = 0, elements = 0, bytes = 0;
  double bits_per_weight() const;
};

struct ModelFacts {
  std::vector<std::pair<std::string, JsonBuilder>> metadata;  // in file order, arrays whole
  std::optional<model::Config> config;
  std::string family;            // row of the architecture table
  std::string problem;           // why `config` is absent
  std::string tokenizer;         // "byte-level BPE, 4096 tokens, split gpt-2", or why none
  std::vector<TypeFacts> types;  // the most bytes first
  TypeFacts all;                 // everything
  TypeFacts body;                // without token embedding and head
  std::optional<model::MemoryPlan> plan;
  int64_t context = 0;  // of the plan
};

// The number format as users know it; "HF ternary" for the packed bytes of a Hugging Face linear.
std::string type_name(const format::Checkpoint& checkpoint, const TensorView& tensor);

// `options.context` 0: the model's maximum.
ModelFacts gather_facts(const format::Checkpoint& checkpoint, const model::PlanOptions& options);

}  // namespace bittern::cli
