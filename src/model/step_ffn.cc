// projected = W_down subnorm(act(W_gate n) * W_up n), n = `input`; with experts the sum of what the
// chosen ones give, weighted by their shares. A row adds its experts in ascending order, whatever
// rows stand beside it, so that its bits depend on itself alone.
#include <algorithm>
#include <cstring>

#include "model/step.h"

namespace bittern::model {

using backend::Activations;

void Step::ffn(int64_t index) {
  if (traits(index).experts) return experts(index);
  const Layer& layer = layer_at(index);
  Activations& input = buffers_.input;
  Activations& activated = buffers_.activated;
  linear(*layer.up, input, buffers_.up, kGgufNames.up, index);
  if (layer.gate != nullptr) linear(*layer.gate, input, buffers_.gate, kGgufNames.gate, index);
  activate(layer.gate != nullptr, count_, config_.ffn_size);
  norm_in_place(layer.ffn_sub_norm, activated);
  linear(*layer.down, activated, buffers_.projected, kGgufNames.down, index);
}

// activated [count, width] = act(gate) * up, or act(up).
void Step::activate(bool gated, int64_t count, int64_t width) {
  Activations& activated = buffers_.activated;
  activated.count = count;
  activated.width = width;
  activated.written();
  backend_.gate(config_.activation, gated ? buffers_.gate : buffers_.up,
                gated ? buffers_.up : nullptr, count * width, activated.values);
}

void Step::experts(int64_t index) {
  const ExpertConfig& experts = config_.experts;
  linear(*layer_at(index).router, buffers_.input, buffers_.gate, kGgufNames.router, index);
  backend_.route(
      {.expert_count = experts.count, .chosen = experts.chosen, .renormalise = experts.renormalise},
      buffers_.gate, count_, buffers_.chosen, buffers_.shares);
  std::fill_n(buffers_.projected, count_ * config_.hidden_size, 0.0f);
  for (int64_t item = 0; item < experts.count; ++item) expert(index, item);
}

// Runs one expert over the rows that chose it.
void Step::expert(int64_t index, int64_t item) {
  const Expert& expert = layer_at(index).experts[static_cast<size_t>(item)];
  const int64_t width = config_.hidden_size;
  Activations& gathered = buffers_.gathered;
  gathered.count = 0;
  gathered.written();
  for (int64_t slot = 0; slot < count_ * config_.experts.chosen; ++slot) {
    if (buffers_.chosen[slot] != item) continue;
    const int64_t row = slot / config_.experts.chosen;
    std::memcpy(gathered.values + gathered.count * width, buffers_.input.values + row * width,
                static_cast<size_t>(width) * sizeof(float));
    buffers_.expert_rows[static_cast<size_t>(gathered.count)] = static_cast<int32_t>(row);
    buffers_.expert_shares[static_cast<size_t>(gathered.count)] = buffers_.shares[slot];
    ++gathered.count;
  }
  if (gathered.count == 0) return;
  linear(*expert.up, gathered, buffers_.up, kGgufNames.expert_up, index, item);
  linear(*expert.gate, gathered, buffers_.gate, kGgufNames.expert_gate, index, item);
  activate(true, gathered.count, config_.experts.ffn_size);
  linear(*expert.down, buffers_.activated, buffers_.expert_out, kGgufNames.expert_down, index,
         item);
  for (int64_t i = 0; i < gathered.count; ++i) {
    const auto at = static_cast<size_t>(i);
    backend_.add_scaled(buffers_.projected + buffers_.expert_rows[at] * width,
                        buffers_.expert_out + i * width, buffers_.expert_shares[at], width);
  }
}

}  // namespace bittern::model
