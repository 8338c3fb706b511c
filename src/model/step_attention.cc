// projected = W_o subnorm(attend(rope(norm(W_q n)), rope(norm(W_k n)), W_v n)), n = `input`.
#include <cmath>

#include "model/step.h"

namespace bittern::model {

using backend::Activations;

void Step::attention(int64_t index) {
  const Layer& layer = layer_at(index);
  Activations& input = buffers_.input;
  linear(*layer.query, input, buffers_.query, kGgufNames.query, index);
  linear(*layer.key, input, buffers_.key, kGgufNames.key, index);
  linear(*layer.value, input, buffers_.value, kGgufNames.value, index);
  rotate(index, layer.query_norm, config_.head_count, buffers_.query);
  rotate(index, layer.key_norm, config_.kv_head_count, buffers_.key);
  backend_.store_kv(store_, index, places(), buffers_.key, buffers_.value);

  Activations& attended = buffers_.attended;
  attended.count = count_;
  attended.written();
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
  norm_in_place(layer.attention_sub_norm, attended);
  linear(*layer.output, attended, buffers_.projected, kGgufNames.output, index);
}

// The norm on heads where the family has one, then the angles of the layer where it rotates.
void Step::rotate(int64_t index, const Norm& norm, int64_t head_count, float* x) {
  if (norm.present) normalise_heads(norm, head_count, x);
  if (!traits(index).rotary) return;
  const bool has_own = traits(index).window > 0 && config_.window_rope.has_value();
  backend_.rope(has_own ? model_.window_rope : model_.rope, places(), head_count, config_.head_dim,
                x, head_count * config_.head_dim);
}

void Step::normalise_heads(const Norm& norm, int64_t head_count, float* x) {
  const int64_t dim = config_.head_dim;
  switch (config_.head_norm) {
    case HeadNorm::none:
      return;
    case HeadNorm::shared:
      return norm_rows(norm, x, count_ * head_count, dim, x);
    case HeadNorm::full:
      return norm_rows(norm, x, count_, head_count * dim, x);
    case HeadNorm::own:
      break;
  }
  const auto eps = static_cast<float>(config_.norm_eps);
  for (int64_t row = 0; row < count_; ++row) {
    for (int64_t head = 0; head < head_count; ++head, x += dim) {
      const float* weight = norm.weight.data() + head * dim;
      if (config_.norm == NormKind::rms)
        backend_.rms_norm(x, weight, eps, 1, dim, x);
      else
        backend_.layer_norm(x, weight, nullptr, eps, 1, dim, x);
    }
  }
}

}  // namespace bittern::model
