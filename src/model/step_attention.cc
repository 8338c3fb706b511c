// projected = W_o subnorm(attend(rope(norm(W_q n)), rope(norm(W_k n)), W_v n)), n = `input`.
#include <cmath>

#include "model/step.h"

namespace bittern::model {

using backend::Activations;

void Step::attention(int64_t index) {
  const Layer& layer = layer_at(index);
  linears({{layer.query.get(), buffers_.query, kGgufNames.query},
           {layer.key.get(), buffers_.key, kGgufNames.key},
           {layer.value.get(), buffers_.value, kGgufNames.value}},
          buffers_.input, index);
  const backend::HeadTurn turns[] = {
      turn(index, layer.query_norm, config_.head_count, buffers_.query),
      turn(index, layer.key_norm, config_.kv_head_count, buffers_.key)};
  backend_.turn_heads(places(), turns);
  backend_.store_kv(store_, index, places(), buffers_.key, buffers_.value);

  Activations& attended = buffers_.attended;
  attended.start(count_, config_.query_width());
  const backend::AttendShape shape = {
      .layer = index,
      .head_count = config_.head_count,
      .scale = config_.attention_scale > 0.0
                   ? static_cast<float>(config_.attention_scale)
                   : 1.0f / std::sqrt(static_cast<float>(config_.head_dim)),
      .window = traits(index).window,
      .softcap = static_cast<float>(config_.attention_softcap),
      .mask = config_.mask};
  backend_.attend(store_, shape, places(), buffers_.query, attended.values);
  norm_in_place(layer.attention_sub_norm, attended, codes_for(*layer.output));
  linears({{layer.output.get(), buffers_.projected, kGgufNames.output}}, attended, index);
}

// The norm on heads where the family has one, then the angles of the layer where it rotates.
backend::HeadTurn Step::turn(int64_t index, const Norm& norm, int64_t head_count, float* x) const {
  backend::HeadTurn turn{.x = x, .head_count = head_count, .head_dim = config_.head_dim};
  if (config_.head_norm != HeadNorm::none) turn.norm = row_norm(norm);
  turn.own_weights = config_.head_norm == HeadNorm::own;
  turn.norm_width =
      config_.head_norm == HeadNorm::full ? head_count * config_.head_dim : config_.head_dim;
  if (!traits(index).rotary) return turn;
  const bool has_own = traits(index).window > 0 && config_.window_rope.has_value();
  turn.rope = has_own ? &model_.window_rope : &model_.rope;
  return turn;
}

}  // namespace bittern::model
