// The model: embeddings, layers, norm and head. Traits that a family lacks are absent data (a norm
// that is not present, a null gate), so there is no branch on its name.
//
//   sequential  x += a(x)            x += f(x)
//   parallel    x += a(x) + f(x)
//   normalised  x = norm(x + a(x))   x = norm(x + f(x))
//
// with a(x) = post_norm(attention(norm(x))) and f(x) = post_norm(ffn(norm(x))). Where a branch ends
// the next one begins: the sum and the norm that the next branch reads are one operation.
#include "model/forward.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "base/float_mode.h"
#include "model/step.h"

namespace bittern::model {

using backend::Activations;

void Step::run(LayerRange layers, float* hidden, float* logits) {
  const DefaultFloatMode mode;
  const auto bytes = static_cast<size_t>(count_ * config_.hidden_size) * sizeof(float);
  const bool ends = layers.end == config_.layer_count;
  place_rows();
  if (layers.first == 0)
    embed();
  else
    std::memcpy(buffers_.hidden, hidden, bytes);
  if (layers.first < layers.end) join({}, before_attention(layers.first));
  for (int64_t index = layers.first; index < layers.end; ++index) {
    layer(index, index + 1 == layers.end);
    tap_layer(index);
  }
  if (hidden != nullptr) {
    std::memcpy(hidden, buffers_.hidden, bytes);
    if (ends && model_.output_norm.present)
      norm_rows(model_.output_norm, hidden, count_, config_.hidden_size, hidden);
  }
  if (ends && model_.head != nullptr) head(logits);
}

void Step::place_rows() {
  BITTERN_CHECK(count_ <= buffers_.max_rows, "{} rows, {} planned", count_, buffers_.max_rows);
  for (int64_t index = 0; index < count_; ++index) {
    const BatchRow& row = rows_[static_cast<size_t>(index)];
    BITTERN_CHECK(row.token >= 0 && row.token < config_.vocab_size, "token {} of {}", row.token,
                  config_.vocab_size);
    BITTERN_CHECK(row.position >= 0 && row.position < model_.context, "position {} of {}",
                  row.position, model_.context);
    BITTERN_CHECK(
        row.position / backend::kPageTokens < static_cast<int64_t>(row.sequence->pages.size()),
        "position {} with {} pages", row.position, row.sequence->pages.size());
    buffers_.tokens[static_cast<size_t>(index)] = row.token;
    buffers_.positions[static_cast<size_t>(index)] = row.position;
    row.sequence->length = std::max(row.sequence->length, int64_t{row.position} + 1);
  }
  for (size_t index = 0; index < rows_.size(); ++index) {
    const BatchRow& row = rows_[index];
    buffers_.places[index] = {row.sequence->pages.data(), row.position, row.sequence->length};
  }
  group_by_adapter();
}

// x = norm(E[token] * scale + type + P[position])
void Step::embed() {
  const int64_t width = config_.hidden_size;
  backend_.embed(*model_.embedding, {buffers_.tokens.data(), rows_.size()}, buffers_.hidden);
  const InputRotation& rotation = model_.rotation;
  if (rotation.embedding) {
    backend_.hadamard(buffers_.hidden, rotation.signs_of(width), rotation.block_size, true, count_,
                      width, buffers_.hidden);
  }
  if (config_.embedding_scale != 1.0) {
    backend_.scale(buffers_.hidden, static_cast<float>(config_.embedding_scale), count_ * width);
  }
  if (!model_.token_type.empty()) {
    for (int64_t row = 0; row < count_; ++row)
      backend_.add(buffers_.hidden + row * width, model_.token_type.data(), width);
  }
  if (model_.position_embedding != nullptr) {
    backend_.embed(*model_.position_embedding, {buffers_.positions.data(), rows_.size()},
                   buffers_.projected);
    backend_.add(buffers_.hidden, buffers_.projected, count_ * width);
  }
  if (model_.embedding_norm.present)
    norm_rows(model_.embedding_norm, buffers_.hidden, count_, width, buffers_.hidden);
  tap_layer(-1);
}

// From `input` = norm(x), which it leaves for the next layer.
void Step::layer(int64_t index, bool is_last) {
  const Layer& layer = layer_at(index);
  attention(index);
  if (config_.residual == Residual::parallel) {
    // Both branches read the same x; one norm may serve both.
    if (!config_.shared_norm) join({}, before_ffn(index));
    join({&layer.attention_post_norm}, {});
  } else {
    join({&layer.attention_post_norm}, before_ffn(index));
  }
  ffn(index);
  join({&layer.ffn_post_norm}, is_last ? NextBranch{} : before_attention(index + 1));
}

Step::NextBranch Step::before_attention(int64_t index) const {
  const Layer& layer = layer_at(index);
  return {&layer.attention_norm, codes_for(*layer.query)};
}

Step::NextBranch Step::before_ffn(int64_t index) const {
  const Layer& layer = layer_at(index);
  return {&layer.ffn_norm, codes_for(traits(index).experts ? *layer.router : *layer.up)};
}

void Step::join(const EndedBranch& ended, const NextBranch& next) {
  backend::RowJoin rows{.x = buffers_.hidden, .count = count_, .width = config_.hidden_size};
  if (ended.post_norm != nullptr) {
    rows.branch = buffers_.projected;
    rows.branch_scale = static_cast<float>(config_.residual_scale);
    const bool norms_sum = config_.residual == Residual::normalised;
    (norms_sum ? rows.sum_norm : rows.branch_norm) = row_norm(*ended.post_norm);
  }
  if (next.norm != nullptr) {
    rows.norm = row_norm(*next.norm);
    rows.out = &buffers_.input;
    rows.codes = next.codes;
  }
  backend_.join_rows(rows);
}

// Logits of the rows that want them: cap(W_head norm(x) * scale).
void Step::head(float* logits) {
  Activations& input = buffers_.input;
  const int64_t width = config_.hidden_size;
  int64_t wanting = 0;
  for (int64_t index = 0; index < count_; ++index) {
    if (!rows_[static_cast<size_t>(index)].wants_logits) continue;
    std::memcpy(input.values + wanting * width, buffers_.hidden + index * width,
                static_cast<size_t>(width) * sizeof(float));
    ++wanting;
  }
  if (wanting == 0 || logits == nullptr) return;
  input.start(wanting, width);
  norm_in_place(model_.output_norm, input, codes_for(*model_.head));
  Activations& rotated = model_.head->rotated ? rotate_input(input) : input;
  backend_.head({.weights = model_.head.get(),
                 .cuts = taps_ == nullptr ? cuts_ : std::span<const backend::HeadCut>{},
                 .scale = static_cast<float>(config_.logit_scale),
                 .softcap = static_cast<float>(config_.logit_softcap),
                 .out = logits,
                 .out_stride = config_.vocab_size},
                rotated);
  if (taps_ != nullptr) taps_->linear_input(kGgufNames.head, rotated);
}

backend::RowNorm Step::row_norm(const Norm& norm) const {
  if (!norm.present) return {};
  using Kind = backend::RowNorm::Kind;
  return {.kind = config_.norm == NormKind::rms ? Kind::rms : Kind::layer,
          .weight = norm.weight.data(),
          .bias = norm.bias.empty() ? nullptr : norm.bias.data(),
          .eps = static_cast<float>(config_.norm_eps)};
}

void Step::norm_rows(const Norm& norm, const float* from, int64_t count, int64_t width, float* to) {
  backend_.normalise(row_norm(norm), from, count, width, to);
}

void Step::norm_in_place(const Norm& norm, Activations& x, backend::Codes codes) {
  backend_.join_rows({.x = x.values,
                      .norm = row_norm(norm),
                      .count = x.count,
                      .width = x.width,
                      .out = &x,
                      .codes = codes});
}

void Step::linears(std::initializer_list<Product> products, Activations& input, int64_t layer,
                   int64_t item) {
  std::array<backend::LinearCall, kMostProducts> calls;
  size_t count = 0;
  const auto run = [&](Activations& in) {
    if (count > 0) backend_.linears({calls.data(), count}, in);
    count = 0;
  };
  for (const bool is_rotated : {false, true}) {
    Activations* in = nullptr;
    for (const Product& product : products) {
      if (product.weights == nullptr || product.weights->rotated != is_rotated) continue;
      if (in == nullptr) in = is_rotated ? &rotate_input(input) : &input;
      calls[count++] = {product.weights, product.out, product.weights->out_size};
      if (taps_ == nullptr) continue;
      run(*in);  // what is observed is what this layer read
      tap_input(product.pattern, layer, item, *in);
    }
    if (in != nullptr) run(*in);
  }
  if (!buffers_.groups.empty() && item < 0) add_adapters(products, input);
}

backend::Codes Step::codes_for(const backend::Linear& weights) const {
  return weights.rotated ? backend::Codes::none : weights.wants;
}

Activations& Step::rotate_input(Activations& input) {
  Activations& rotated = buffers_.rotated;
  rotated.start(input.count, input.width);
  backend_.hadamard(input.values, model_.rotation.signs_of(input.width), model_.rotation.block_size,
                    false, input.count, input.width, rotated.values);
  return rotated;
}

void Step::tap_input(std::string_view pattern, int64_t layer, int64_t item,
                     const Activations& input) {
  std::string name = module_name(pattern, layer);
  if (item >= 0) name = module_name(name, item);
  taps_->linear_input(name, input);
}

void Step::tap_layer(int64_t layer) {
  if (taps_ != nullptr) taps_->layer_output(layer, buffers_.hidden, count_);
}

void forward(const Model& model, backend::Backend& backend, backend::KvStore& store,
             std::span<const BatchRow> rows, Workspace& workspace, float* logits, Taps* taps,
             std::span<const backend::HeadCut> cuts) {
  if (rows.empty()) return;
  Step(model, backend, store, rows, workspace, taps, cuts)
      .run({0, model.config.layer_count}, nullptr, logits);
}

void forward_layers(const Model& model, backend::Backend& backend, backend::KvStore& store,
                    std::span<const BatchRow> rows, Workspace& workspace, LayerRange layers,
                    float* hidden, float* logits, Taps* taps) {
  if (rows.empty()) return;
  BITTERN_CHECK(
      0 <= layers.first && layers.first <= layers.end && layers.end <= model.config.layer_count,
      "layers {} to {} of {}", layers.first, layers.end, model.config.layer_count);
  Step(model, backend, store, rows, workspace, taps).run(layers, hidden, logits);
}

}  // namespace bittern::model
