// The decoder: x += attention(norm(x)); x += ffn(norm(x)), then norm and head. Traits that a
// family lacks are absent data (an empty norm, a null gate), so there is no branch on its name.
//
// Workspace layout: one arena, every buffer 64-byte aligned; R = max_rows, H = hidden_size,
// A = head_count * head_dim, K = kv_head_count * head_dim, F = ffn_size (all rows of f32):
//   hidden [R,H]  projected [R,H]  input [R,H]+codes  query [R,A]  key [R,K]  value [R,K]
//   attended [R,A]+codes  gate [R,F]  up [R,F]  activated [R,F]+codes
#include "model/forward.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "model/bind.h"

namespace bittern::model {

using backend::Activations;
using backend::RowPlace;

namespace {

constexpr int64_t kAlignment = 64;

// Hands out aligned parts of one block; with a null block it only counts.
class Arena {
 public:
  explicit Arena(std::byte* block) : block_(block) {}
  int64_t used() const { return used_; }

  template <typename T>
  T* take(int64_t count) {
    const int64_t start = used_;
    const int64_t bytes = count * static_cast<int64_t>(sizeof(T));
    used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    return block_ == nullptr ? nullptr : reinterpret_cast<T*>(block_ + start);
  }
  Activations take_activations(int64_t rows, int64_t width) {
    Activations activations;
    activations.values = take<float>(rows * width);
    activations.width = width;
    activations.codes = take<int8_t>(rows * backend::padded_width(width));
    activations.inverse_scales = take<float>(rows);
    activations.sums = take<int32_t>(rows);
    return activations;
  }

 private:
  std::byte* block_;
  int64_t used_ = 0;
};

}  // namespace

struct Workspace::Buffers {
  int64_t max_rows = 0;
  float *hidden = nullptr, *projected = nullptr;
  float *query = nullptr, *key = nullptr, *value = nullptr;
  float *gate = nullptr, *up = nullptr;
  Activations input, attended, activated;
  std::vector<RowPlace> places;
  std::vector<int32_t> tokens;
  std::vector<std::byte> block;

  // Lays the buffers out over `start` (null: only counts); returns the bytes they take.
  int64_t lay_out(const Config& config, int64_t rows, std::byte* start) {
    Arena arena(start);
    const int64_t query_width = config.head_count * config.head_dim;
    const int64_t key_width = config.kv_head_count * config.head_dim;
    hidden = arena.take<float>(rows * config.hidden_size);
    projected = arena.take<float>(rows * config.hidden_size);
    input = arena.take_activations(rows, config.hidden_size);
    query = arena.take<float>(rows * query_width);
    key = arena.take<float>(rows * key_width);
    value = arena.take<float>(rows * key_width);
    attended = arena.take_activations(rows, query_width);
    gate = arena.take<float>(rows * config.ffn_size);
    up = arena.take<float>(rows * config.ffn_size);
    activated = arena.take_activations(rows, config.ffn_size);
    return arena.used();
  }
};

int64_t Workspace::bytes(const Config& config, int64_t max_rows) {
  return Buffers().lay_out(config, max_rows, nullptr) + kAlignment;
}

Workspace::Workspace(const Model& model, int64_t max_rows) : buffers_(std::make_unique<Buffers>()) {
  Buffers& buffers = *buffers_;
  buffers.max_rows = max_rows;
  buffers.places.resize(static_cast<size_t>(max_rows));
  buffers.tokens.resize(static_cast<size_t>(max_rows));
  buffers.block.resize(static_cast<size_t>(bytes(model.config, max_rows)));
  void* start = buffers.block.data();
  size_t space = buffers.block.size();
  start = std::align(kAlignment, space - kAlignment, start, space);
  buffers.lay_out(model.config, max_rows, static_cast<std::byte*>(start));
}

Workspace::~Workspace() = default;

int64_t Workspace::max_rows() const { return buffers_->max_rows; }

// One call of forward().
class Step {
 public:
  Step(const Model& model, backend::Backend& backend, backend::KvStore& store,
       std::span<const BatchRow> rows, Workspace& workspace, Taps* taps)
      : model_(model),
        config_(model.config),
        backend_(backend),
        store_(store),
        rows_(rows),
        buffers_(*workspace.buffers_),
        taps_(taps),
        count_(static_cast<int64_t>(rows.size())) {}

  void run(float* logits) {
    place_rows();
    embed();
    for (int64_t layer = 0; layer < config_.layer_count; ++layer) {
      attention(layer);
      ffn(layer);
      tap_layer(layer);
    }
    head(logits);
    for (const BatchRow& row : rows_)
      row.sequence->length = std::max(row.sequence->length, int64_t{row.position} + 1);
  }

 private:
  void place_rows() {
    BITTERN_CHECK(count_ <= buffers_.max_rows, "{} rows, {} planned", count_, buffers_.max_rows);
    for (int64_t index = 0; index < count_; ++index) {
      const BatchRow& row = rows_[static_cast<size_t>(index)];
      BITTERN_CHECK(row.token >= 0 && row.token < config_.vocab_size, "token {} of {}", row.token,
                    config_.vocab_size);
      BITTERN_CHECK(row.position >= 0 && row.position < model_.context, "position {} of {}",
                    row.position, model_.context);
      const std::vector<int32_t>& pages = row.sequence->pages;
      BITTERN_CHECK(row.position / backend::kPageTokens < static_cast<int64_t>(pages.size()),
                    "position {} with {} pages", row.position, pages.size());
      buffers_.places[static_cast<size_t>(index)] = {pages.data(), row.position};
      buffers_.tokens[static_cast<size_t>(index)] = row.token;
    }
  }

  void embed() {
    backend_.embed(*model_.embedding, {buffers_.tokens.data(), rows_.size()}, buffers_.hidden);
    tap_layer(-1);
  }

  // x += W_o subnorm(attend(rope(headnorm(W_q n)), rope(headnorm(W_k n)), W_v n)), n = norm(x)
  void attention(int64_t index) {
    const Layer& layer = model_.layers[static_cast<size_t>(index)];
    const TensorNames& names = *model_.arch->gguf;
    Activations& input = buffers_.input;
    norm(layer.attention_norm, buffers_.hidden, input);
    linear(*layer.query, input, buffers_.query, names.query, index);
    linear(*layer.key, input, buffers_.key, names.key, index);
    linear(*layer.value, input, buffers_.value, names.value, index);
    rotate(layer.query_norm, config_.head_count, buffers_.query);
    rotate(layer.key_norm, config_.kv_head_count, buffers_.key);
    backend_.store_kv(store_, index, places(), buffers_.key, buffers_.value);

    Activations& attended = buffers_.attended;
    attended.count = count_;
    attended.quantised = false;
    const backend::AttendShape shape = {
        .layer = index,
        .head_count = config_.head_count,
        .scale = 1.0f / std::sqrt(static_cast<float>(config_.head_dim)),
        .window = 0};
    backend_.attend(store_, shape, places(), buffers_.query, attended.values);
    sub_norm(layer.attention_sub_norm, attended);
    linear(*layer.output, attended, buffers_.projected, names.output, index);
    add_to_hidden();
  }

  // x += W_down subnorm(act(W_gate n) * W_up n), n = norm(x)
  void ffn(int64_t index) {
    const Layer& layer = model_.layers[static_cast<size_t>(index)];
    const TensorNames& names = *model_.arch->gguf;
    Activations& input = buffers_.input;
    Activations& activated = buffers_.activated;
    norm(layer.ffn_norm, buffers_.hidden, input);
    linear(*layer.up, input, buffers_.up, names.up, index);
    activated.count = count_;
    activated.quantised = false;
    const int64_t elements = count_ * config_.ffn_size;
    if (layer.gate != nullptr) {
      linear(*layer.gate, input, buffers_.gate, names.gate, index);
      backend_.gate(config_.activation, buffers_.gate, buffers_.up, elements, activated.values);
    } else {
      backend_.gate(config_.activation, buffers_.up, nullptr, elements, activated.values);
    }
    sub_norm(layer.ffn_sub_norm, activated);
    linear(*layer.down, activated, buffers_.projected, names.down, index);
    add_to_hidden();
  }

  // Logits of the rows that want them: W_head norm(x).
  void head(float* logits) {
    Activations& input = buffers_.input;
    const int64_t width = config_.hidden_size;
    int64_t wanting = 0;
    for (int64_t index = 0; index < count_; ++index) {
      if (!rows_[static_cast<size_t>(index)].wants_logits) continue;
      std::memcpy(input.values + wanting * width, buffers_.hidden + index * width,
                  static_cast<size_t>(width) * sizeof(float));
      ++wanting;
    }
    if (wanting == 0) return;
    input.count = wanting;
    sub_norm(model_.output_norm, input);
    input.quantised = false;
    backend_.linear(*model_.head, input, logits, config_.vocab_size);
    if (taps_ != nullptr) taps_->linear_input(model_.arch->gguf->head, input);
  }

  void norm(const std::vector<float>& weight, const float* from, Activations& to) {
    backend_.rms_norm(from, weight.data(), eps(), count_, to.width, to.values);
    to.count = count_;
    to.quantised = false;
  }
  // In place; nothing where the family has no such norm.
  void sub_norm(const std::vector<float>& weight, Activations& x) {
    if (weight.empty()) return;
    backend_.rms_norm(x.values, weight.data(), eps(), x.count, x.width, x.values);
  }
  void linear(const backend::Linear& weights, Activations& input, float* out,
              std::string_view pattern, int64_t layer) {
    backend_.linear(weights, input, out, weights.out_size);
    if (taps_ != nullptr) taps_->linear_input(module_name(pattern, layer), input);
  }
  // Per-head norm where the family has one, then the rotary angles.
  void rotate(const std::vector<float>& head_norm, int64_t head_count, float* x) {
    if (!head_norm.empty()) {
      backend_.rms_norm(x, head_norm.data(), eps(), count_ * head_count, config_.head_dim, x);
    }
    backend_.rope(model_.rope, places(), head_count, config_.head_dim, x,
                  head_count * config_.head_dim);
  }
  void add_to_hidden() {
    backend_.add(buffers_.hidden, buffers_.projected, count_ * config_.hidden_size);
  }
  void tap_layer(int64_t layer) {
    if (taps_ != nullptr) taps_->layer_output(layer, buffers_.hidden, count_);
  }

  float eps() const { return static_cast<float>(config_.norm_eps); }
  std::span<const RowPlace> places() const { return {buffers_.places.data(), rows_.size()}; }

  const Model& model_;
  const Config& config_;
  backend::Backend& backend_;
  backend::KvStore& store_;
  std::span<const BatchRow> rows_;
  Workspace::Buffers& buffers_;
  Taps* taps_;
  int64_t count_;
};

void forward(const Model& model, backend::Backend& backend, backend::KvStore& store,
             std::span<const BatchRow> rows, Workspace& workspace, float* logits, Taps* taps) {
  if (rows.empty()) return;
  Step(model, backend, store, rows, workspace, taps).run(logits);
}

}  // namespace bittern::model
