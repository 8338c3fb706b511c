// How much memory a model will take, computed from its numbers before anything is allocated.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "format/checkpoint.h"
#include "model/config.h"

namespace bittern::model {

struct PlanOptions {
  int64_t context = 0;     // positions of a sequence; 0: the model's maximum
  int64_t positions = 0;   // of all sequences together; 0: those of one
  int64_t max_rows = 512;  // rows of one step
  int64_t logit_rows = 1;  // of those, how many have logits
  backend::KvType kv_type = backend::KvType::f16;
  int threads = 1;                 // that run a step
  bool float_activations = false;  // as the backend's option: weights stay in the file
  bool coarse_head = false;        // the output layer may get a coarse plane
};

// All in bytes.
struct MemoryPlan {
  int64_t file_bytes = 0;       // tensors as they lie in the mapped files (not counted in needed)
  int64_t packed_bytes = 0;     // repacked copies, at most
  int64_t head_bytes = 0;       // coarse plane of the output layer, at most
  int64_t rope_bytes = 0;       // rotary table
  int64_t kv_bytes = 0;         // keys and values
  int64_t workspace_bytes = 0;  // buffers of a step
  int64_t attention_bytes = 0;  // what attention's threads write while they run
  int64_t logits_bytes = 0;     // of the rows of a step that have them
  int64_t needed() const;
};

// The positions a load plans for. Throws Error{usage} where `requested` exceeds what the model
// was made for.
int64_t planned_context(const Config& config, int64_t requested);

MemoryPlan plan_memory(const Config& config, const format::Checkpoint& checkpoint,
                       const PlanOptions& options);

// The plan in words, one line per part.
std::vector<std::string> plan_lines(const MemoryPlan& plan);

// Throws Error{resources} naming needed and available where the plan does not fit.
void require_memory(const MemoryPlan& plan, int64_t available_bytes, const std::string& file);

}  // namespace bittern::model
