// One call of forward(): the operations of a layer in the order of the paper, over the buffers of a
// workspace. Private to the forward.
#pragma once

#include <initializer_list>
#include <span>

#include "model/bind.h"
#include "model/forward.h"
#include "model/workspace.h"

namespace bittern::model {

class Step {
 public:
  Step(const Model& model, backend::Backend& backend, backend::KvStore& store,
       std::span<const BatchRow> rows, Workspace& workspace, Taps* taps,
       std::span<const backend::HeadCut> cuts = {})
      : model_(model),
        config_(model.config),
        backend_(backend),
        store_(store),
        rows_(rows),
        buffers_(*workspace.buffers_),
        taps_(taps),
        cuts_(cuts),
        count_(static_cast<int64_t>(rows.size())) {}

  // See forward_layers(); `hidden` may be null where the range is the whole model.
  void run(LayerRange layers, float* hidden, float* logits);

 private:
  void place_rows();
  void embed();
  void layer(int64_t index, bool is_last);
  void head(float* logits);

  // step_attention.cc: the branch's result is left in `projected`.
  void attention(int64_t index);
  backend::HeadTurn turn(int64_t index, const Norm& norm, int64_t head_count, float* x) const;

  // step_ffn.cc: from `input` to `projected`.
  void ffn(int64_t index);
  void activate(bool gated, int64_t count, int64_t width, const Norm& norm,
                const backend::Linear& reader);
  void experts(int64_t index);
  void expert(int64_t index, int64_t item);

  // The branch whose result stands in `projected`, or none; and the one that reads norm(x) next,
  // which is left in `input`, or none.
  struct EndedBranch {
    const Norm* post_norm = nullptr;
  };
  struct NextBranch {
    const Norm* norm = nullptr;
    backend::Codes codes = backend::Codes::none;
  };
  void join(const EndedBranch& ended, const NextBranch& next);
  NextBranch before_attention(int64_t index) const;
  NextBranch before_ffn(int64_t index) const;

  backend::RowNorm row_norm(const Norm& norm) const;
  void norm_rows(const Norm& norm, const float* from, int64_t count, int64_t width, float* to);
  void norm_in_place(const Norm& norm, backend::Activations& x, backend::Codes codes);

  // Linear layers of one input; null weights are passed over.
  struct Product {
    const backend::Linear* weights = nullptr;
    float* out = nullptr;
    std::string_view pattern;  // of its name
  };
  static constexpr size_t kMostProducts = 3;
  void linears(std::initializer_list<Product> products, backend::Activations& input, int64_t layer,
               int64_t item = -1);
  // step_adapters.cc: what the rows' adapters add to such products, none of an expert.
  void group_by_adapter();
  void add_adapters(std::initializer_list<Product> products, const backend::Activations& input);
  // The codes to make where `input` is written, if these weights read it as it is.
  backend::Codes codes_for(const backend::Linear& weights) const;
  // `input` as weights want it that are rotated.
  backend::Activations& rotate_input(backend::Activations& input);
  void tap_input(std::string_view pattern, int64_t layer, int64_t item,
                 const backend::Activations& input);
  void tap_layer(int64_t layer);

  std::span<const backend::RowPlace> places() const {
    return {buffers_.places.data(), rows_.size()};
  }
  const Layer& layer_at(int64_t index) const { return model_.layers[static_cast<size_t>(index)]; }
  const LayerConfig& traits(int64_t index) const {
    return config_.layers[static_cast<size_t>(index)];
  }

  const Model& model_;
  const Config& config_;
  backend::Backend& backend_;
  backend::KvStore& store_;
  std::span<const BatchRow> rows_;
  Workspace::Buffers& buffers_;
  Taps* taps_;
  std::span<const backend::HeadCut> cuts_;
  int64_t count_;
};

}  // namespace bittern::model
