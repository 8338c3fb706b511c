// A backend with one operation deliberately wrong: the mutation tests show that a golden test
// notices it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "backend/backend.h"

namespace bittern::test {

// Passes everything to `inner`; a hook, where set, runs first (pack, linear) or instead (norm).
class MutantBackend final : public backend::Backend {
 public:
  explicit MutantBackend(std::unique_ptr<backend::Backend> inner) : inner_(std::move(inner)) {}

  std::function<void(backend::LinearSource&)> before_pack;
  std::function<void(const backend::Linear&, backend::Activations&)> before_linear;
  std::function<void(const float* in, const float* weight, float eps, int64_t width, float* out)>
      norm_row;

  std::string description() const override { return "mutant"; }
  std::unique_ptr<backend::Linear> pack(const backend::LinearSource& source) override {
    backend::LinearSource changed = source;
    if (before_pack) before_pack(changed);
    return inner_->pack(changed);
  }
  std::unique_ptr<backend::KvStore> make_kv_store(const backend::KvShape& shape) override {
    return inner_->make_kv_store(shape);
  }
  void embed(const TensorView& table, std::span<const int32_t> ids, float* out) override {
    inner_->embed(table, ids, out);
  }
  void rms_norm(const float* in, const float* weight, float eps, int64_t count, int64_t width,
                float* out) override {
    if (!norm_row) return inner_->rms_norm(in, weight, eps, count, width, out);
    for (int64_t row = 0; row < count; ++row)
      norm_row(in + row * width, weight, eps, width, out + row * width);
  }
  void layer_norm(const float* in, const float* weight, const float* bias, float eps, int64_t count,
                  int64_t width, float* out) override {
    inner_->layer_norm(in, weight, bias, eps, count, width, out);
  }
  void linears(std::span<const backend::LinearCall> calls, backend::Activations& in) override {
    for (const backend::LinearCall& call : calls) {
      if (before_linear) before_linear(*call.weights, in);
      inner_->linears({&call, 1}, in);
    }
  }
  std::unique_ptr<backend::LowRank> pack_low_rank(const backend::LowRankSource& source) override {
    return inner_->pack_low_rank(source);
  }
  void add_low_rank(std::span<const backend::LowRankCall> calls, const backend::Activations& in,
                    float* inner) override {
    inner_->add_low_rank(calls, in, inner);
  }
  void rope(const backend::RopeTable& table, std::span<const backend::RowPlace> rows,
            int64_t head_count, int64_t head_dim, float* x, int64_t stride) override {
    inner_->rope(table, rows, head_count, head_dim, x, stride);
  }
  void gate(backend::Activation activation, const float* gate, const float* up, int64_t elements,
            float* out) override {
    inner_->gate(activation, gate, up, elements, out);
  }
  void add(float* x, const float* y, int64_t elements) override { inner_->add(x, y, elements); }
  void add_scaled(float* x, const float* y, float factor, int64_t elements) override {
    inner_->add_scaled(x, y, factor, elements);
  }
  void scale(float* x, float factor, int64_t elements) override {
    inner_->scale(x, factor, elements);
  }
  void softcap(float* x, float cap, int64_t elements) override {
    inner_->softcap(x, cap, elements);
  }
  void route(const backend::RouteShape& shape, const float* logits, int64_t count, int32_t* experts,
             float* shares) override {
    inner_->route(shape, logits, count, experts, shares);
  }
  void hadamard(const float* in, const float* signs, int64_t block, bool inverse, int64_t count,
                int64_t width, float* out) override {
    inner_->hadamard(in, signs, block, inverse, count, width, out);
  }
  void store_kv(backend::KvStore& store, int64_t layer, std::span<const backend::RowPlace> rows,
                const float* keys, const float* values) override {
    inner_->store_kv(store, layer, rows, keys, values);
  }
  void attend(const backend::KvStore& store, const backend::AttendShape& shape,
              std::span<const backend::RowPlace> rows, const float* queries, float* out) override {
    inner_->attend(store, shape, rows, queries, out);
  }

 private:
  std::unique_ptr<backend::Backend> inner_;
};

}  // namespace bittern::test
