// Texts as vectors: the hidden states of a model's last layer, pooled and brought to length 1.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "engine/pooling.h"
#include "model/forward.h"
#include "model/model.h"
#include "text/tokenizer.h"

namespace bittern::engine {

struct EmbedderOptions {
  Pooling pooling = Pooling::mean;
  int64_t max_tokens = 0;  // of one text; at most model.context
  backend::KvType kv_type = backend::KvType::f32;
};

class Embedder {
 public:
  // Takes all memory here. `model` and `backend` must outlive it.
  Embedder(const model::Model& model, backend::Backend& backend, const EmbedderOptions& options);

  // The vector [hidden_size] of 1 to max_tokens tokens: its squares sum to 1, or it is 0 where the
  // pooled state is. Pooling and length in double, so only the forward decides the bits.
  std::vector<float> embed(std::span<const int32_t> tokens);

  int64_t max_tokens() const { return max_tokens_; }

 private:
  // One step; adds its hidden states to `sum` as the pooling wants.
  void step(std::span<const int32_t> tokens, int64_t first, bool is_last);

  const model::Model& model_;
  backend::Backend& backend_;
  Pooling pooling_;
  int64_t max_tokens_;
  std::unique_ptr<backend::KvStore> store_;
  model::SequenceState state_;
  model::Workspace workspace_;
  std::vector<model::BatchRow> rows_;
  std::vector<float> hidden_;  // [rows of a step, hidden_size]
  std::vector<double> pooled_;
};

// The ids of a text (`ids`, more than `limit`) cut to `limit`, with what the tokenizer adds before
// and behind it.
std::vector<int32_t> truncated(const text::Tokenizer& tokenizer, std::string_view text,
                               std::span<const int32_t> ids, int64_t limit);

// The cosine of two vectors of length 1.
double similarity(std::span<const float> a, std::span<const float> b);

}  // namespace bittern::engine
