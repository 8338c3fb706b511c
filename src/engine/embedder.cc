#include "engine/embedder.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace bittern::engine {
namespace {

// Tokens of one step of a causal model; an encoder needs its whole text in one.
constexpr int64_t kStepTokens = 512;

int64_t step_tokens(const model::Config& config, int64_t max_tokens) {
  return config.mask == backend::Mask::bidirectional ? max_tokens
                                                     : std::min(max_tokens, kStepTokens);
}

}  // namespace

Embedder::Embedder(const model::Model& model, backend::Backend& backend,
                   const EmbedderOptions& options)
    : model_(model),
      backend_(backend),
      pooling_(options.pooling),
      max_tokens_(options.max_tokens),
      store_(backend.make_kv_store({.layer_count = model.config.layer_count,
                                    .kv_head_count = model.config.kv_head_count,
                                    .head_dim = model.config.head_dim,
                                    .type = options.kv_type,
                                    .page_count = model::PagePool::pages_for(max_tokens_)})),
      workspace_(model, step_tokens(model.config, max_tokens_)),
      rows_(static_cast<size_t>(workspace_.max_rows())),
      hidden_(static_cast<size_t>(workspace_.max_rows() * model.config.hidden_size)),
      pooled_(static_cast<size_t>(model.config.hidden_size)) {
  BITTERN_CHECK(max_tokens_ > 0 && max_tokens_ <= model.context,
                "{} tokens of a model planned for "
                "{}",
                max_tokens_, model.context);
  model::PagePool pool(store_->shape.page_count);
  BITTERN_CHECK(pool.reserve(state_, max_tokens_), "{} pages for {} positions",
                store_->shape.page_count, max_tokens_);
}

void Embedder::step(std::span<const int32_t> tokens, int64_t first, bool is_last) {
  const auto count = static_cast<int64_t>(tokens.size());
  for (int64_t row = 0; row < count; ++row) {
    rows_[static_cast<size_t>(row)] = {.token = tokens[static_cast<size_t>(row)],
                                       .position = static_cast<int32_t>(first + row),
                                       .sequence = &state_,
                                       .wants_logits = false};
  }
  model::forward_layers(model_, backend_, *store_, std::span(rows_).first(tokens.size()),
                        workspace_, {0, model_.config.layer_count}, hidden_.data());
  const int64_t width = model_.config.hidden_size;
  const auto take = [&](int64_t row) {
    for (int64_t i = 0; i < width; ++i)
      pooled_[static_cast<size_t>(i)] += double{hidden_[static_cast<size_t>(row * width + i)]};
  };
  switch (pooling_) {
    case Pooling::mean:
      for (int64_t row = 0; row < count; ++row) take(row);
      break;
    case Pooling::cls:
      if (first == 0) take(0);
      break;
    case Pooling::last:
      if (is_last) take(count - 1);
      break;
  }
}

std::vector<float> Embedder::embed(std::span<const int32_t> tokens) {
  const auto count = static_cast<int64_t>(tokens.size());
  BITTERN_CHECK(count > 0 && count <= max_tokens_, "{} tokens of at most {}", count, max_tokens_);
  state_.length = 0;
  std::fill(pooled_.begin(), pooled_.end(), 0.0);
  const int64_t size = workspace_.max_rows();
  for (int64_t first = 0; first < count; first += size) {
    const int64_t part = std::min(size, count - first);
    step(tokens.subspan(static_cast<size_t>(first), static_cast<size_t>(part)), first,
         first + part == count);
  }
  // The mean's divisor falls out of the length.
  double squares = 0.0;
  for (const double value : pooled_) squares += value * value;
  const double length = std::sqrt(squares);
  std::vector<float> result;
  for (const double value : pooled_)
    result.push_back(static_cast<float>(length > 0.0 ? value / length : 0.0));
  return result;
}

std::vector<int32_t> truncated(const text::Tokenizer& tokenizer, std::string_view text,
                               std::span<const int32_t> ids, int64_t limit) {
  const std::vector<int32_t> plain = tokenizer.encode(text, {.add_special = false});
  const auto found = std::search(ids.begin(), ids.end(), plain.begin(), plain.end());
  const auto added = static_cast<int64_t>(ids.size() - plain.size());
  const int64_t kept = limit - added;
  if (found == ids.end() || kept < 0) return {ids.begin(), ids.begin() + limit};
  std::vector<int32_t> cut(ids.begin(), found + kept);
  cut.insert(cut.end(), found + static_cast<int64_t>(plain.size()), ids.end());
  return cut;
}

double similarity(std::span<const float> a, std::span<const float> b) {
  double sum = 0.0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) sum += double{a[i]} * double{b[i]};
  return sum;
}

}  // namespace bittern::engine
