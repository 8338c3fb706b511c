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
  linears({{layer.up.get(), buffers_.up, kGgufNames.up},
           {layer.gate.get(), buffers_.gate, kGgufNames.gate}},
          buffers_.input, index);
  activate(layer.gate != nullptr, count_, config_.ffn_size, layer.ffn_sub_norm, *layer.down);
  linears({{layer.down.get(), buffers_.projected, kGgufNames.down}}, buffers_.activated, index);
}

// activated [count, width] = norm(act(gate) * up), or norm(act(up)), for `reader`.
void Step::activate(bool gated, int64_t count, int64_t width, const Norm& norm,
                    const backend::Linear& reader) {
  backend_.gate_rows({.activation = config_.activation,
                      .gate = gated ? buffers_.gate : buffers_.up,
                      .up = gated ? buffers_.up : nullptr,
                      .count = count,
                      .width = width,
                      .norm = row_norm(norm),
                      .out = &buffers_.activated,
                      .codes = codes_for(reader)});
}

void Step::experts(int64_t index) {
  const ExpertConfig& experts = config_.experts;
  linears({{layer_at(index).router.get(), buffers_.gate, kGgufNames.router}}, buffers_.input,
          index);
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
  linears({{expert.up.get(), buffers_.up, kGgufNames.expert_up},
           {expert.gate.get(), buffers_.gate, kGgufNames.expert_gate}},
          gathered, index, item);
  activate(true, gathered.count, config_.experts.ffn_size, {}, *expert.down);
  linears({{expert.down.get(), buffers_.expert_out, kGgufNames.expert_down}}, buffers_.activated,
          index, item);
  for (int64_t i = 0; i < gathered.count; ++i) {
    const auto at = static_cast<size_t>(i);
    backend_.add_scaled(buffers_.projected + buffers_.expert_rows[at] * width,
                        buffers_.expert_out + i * width, buffers_.expert_shares[at], width);
  }
}

}  // namespace bittern::model
