#include "model/workspace.h"

#include <algorithm>
#include <memory>

namespace bittern::model {
namespace {

using backend::Activations;

constexpr int64_t kAlignment = 64;
constexpr int64_t kInnerProducts = 3;  // query, key and value

// Hands out aligned parts of one block; with a null block it only counts.
class Arena {
 public:
  explicit Arena(std::byte* block) : block_(block) {}
  // The most that was in use at once.
  int64_t most() const { return std::max(most_, used_); }
  int64_t mark() const { return used_; }
  // What was taken since then is no longer in use.
  void rewind(int64_t mark) {
    most_ = most();
    used_ = mark;
  }

  template <typename T>
  T* take(int64_t count) {
    const int64_t start = used_;
    const int64_t bytes = count * static_cast<int64_t>(sizeof(T));
    used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    return block_ == nullptr ? nullptr : reinterpret_cast<T*>(block_ + start);
  }
  Activations take_activations(int64_t rows, int64_t width) {
    float* values = take<float>(rows * width);
    return take_activations(rows, width, values);
  }
  // Over values that lie elsewhere.
  Activations take_activations(int64_t rows, int64_t width, float* values) {
    Activations activations;
    activations.values = values;
    activations.width = width;
    const int64_t blocks = backend::code_blocks(width);
    activations.codes = take<int8_t>(backend::code_bytes(rows, width));
    activations.inverse_scales = take<float>(rows);
    activations.block_scales = take<float>(rows * blocks * backend::kCodeBlockRuns);
    activations.block_sums = take<int32_t>(rows * blocks * backend::kCodeBlockSums);
    activations.block_scaled_sums = take<float>(rows * blocks * backend::kCodeBlockSums);
    activations.block_starts = take<int32_t>(rows * blocks * backend::kCodeBlockSums);
    activations.sums = take<int32_t>(rows);
    return activations;
  }

 private:
  std::byte* block_;
  int64_t used_ = 0, most_ = 0;
};

}  // namespace

int64_t Workspace::Buffers::lay_out(const Config& config, int64_t rows, std::byte* start) {
  Arena arena(start);
  const ExpertConfig& experts = config.experts;
  const int64_t ffn_size = std::max(config.ffn_size, experts.ffn_size);
  hidden = arena.take<float>(rows * config.hidden_size);
  projected = arena.take<float>(rows * config.hidden_size);
  input = arena.take_activations(rows, config.hidden_size);
  if (config.rotated_inputs) {
    const int64_t widest = std::max({config.hidden_size, config.query_width(), ffn_size});
    rotated = arena.take_activations(rows, widest);
  }
  const int64_t branch = arena.mark();
  query = arena.take<float>(rows * config.query_width());
  key = arena.take<float>(rows * config.key_width());
  value = arena.take<float>(rows * config.key_width());
  attended = arena.take_activations(rows, config.query_width());
  arena.rewind(branch);
  gate = arena.take<float>(rows * std::max(ffn_size, experts.count));
  up = arena.take<float>(rows * ffn_size);
  activated = arena.take_activations(rows, ffn_size, gate);
  if (experts.count > 0) {
    shares = arena.take<float>(rows * experts.chosen);
    chosen = arena.take<int32_t>(rows * experts.chosen);
    gathered = arena.take_activations(rows, config.hidden_size);
    expert_out = arena.take<float>(rows * config.hidden_size);
  }
  arena.rewind(arena.most());
  inner = arena.take<float>(rows * kInnerProducts * backend::kLowRankMax);
  return arena.most();
}

int64_t Workspace::bytes(const Config& config, int64_t max_rows) {
  return Buffers().lay_out(config, max_rows, nullptr);
}

Workspace::Workspace(const Model& model, int64_t max_rows) : buffers_(std::make_unique<Buffers>()) {
  Buffers& buffers = *buffers_;
  const auto rows = static_cast<size_t>(max_rows);
  buffers.max_rows = max_rows;
  buffers.places.resize(rows);
  buffers.tokens.resize(rows);
  buffers.positions.resize(rows);
  buffers.expert_rows.resize(rows);
  buffers.expert_shares.resize(rows);
  buffers.groups.reserve(rows * AdapterSet::kMost);
  buffers.group_rows.reserve(rows * AdapterSet::kMost);
  buffers.adapter_calls.reserve(rows * kInnerProducts);
  buffers.block = Region(bytes(model.config, max_rows), "the buffers of a step");
  buffers.lay_out(model.config, max_rows, buffers.block.data());
}

Workspace::~Workspace() = default;

int64_t Workspace::max_rows() const { return buffers_->max_rows; }

}  // namespace bittern::model
