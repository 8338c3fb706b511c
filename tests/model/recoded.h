// A model whose matrices are encoded anew in a number format, and how far int8 activations move its
// logits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "codec/codec.h"
#include "model/model.h"

namespace bittern::test {

// The layers of a model that are kept, and its matrices in `codec` as far as their columns are
// whole blocks of it; the others stay as they are. Ternary layers become plain weights.
std::unique_ptr<model::Model> bind_recoded(const std::filesystem::path& path, codec::Id codec,
                                           int64_t layer_limit, backend::Backend& backend);

// Logits of all positions, [ids, vocab_size]; f32 keys and values.
std::vector<float> all_logits(const model::Model& model, backend::Backend& backend,
                              std::span<const int32_t> ids);

// Of int8 activations against f32 ones, over the range (largest - smallest) of the latter's logits.
struct ActivationError {
  double greatest = 0.0, rms = 0.0;
  double coded_share = 0.0;  // of the weights that meet int8 activations
};
ActivationError activation_error(const std::filesystem::path& path, codec::Id codec,
                                 int64_t layer_limit, std::span<const int32_t> ids, int threads);

}  // namespace bittern::test
