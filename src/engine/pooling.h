// How the hidden states of a text become one vector, and what a model's files say about it:
// sentence-transformers' modules.json and pooling config beside the weights, or GGUF pooling_type.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "format/checkpoint.h"
#include "model/config.h"

namespace bittern::engine {

enum class Pooling : uint8_t {
  mean,  // of all positions
  cls,   // the first position
  last   // the last position
};
std::string_view pooling_name(Pooling pooling);
std::optional<Pooling> pooling_from_name(std::string_view name);
std::span<const std::string_view> pooling_names();

// What the files say; nothing where they are silent.
struct EmbeddingDefaults {
  std::optional<Pooling> pooling;     // an encoder whose files are silent: mean
  std::optional<int64_t> max_tokens;  // of a text (sentence_bert_config.json)
};

// Throws Error{unsupported} for a pipeline that holds more than a transformer, one pooling of the
// three kinds and a normalisation; Error{bad_input} for files that cannot be read.
EmbeddingDefaults embedding_defaults(const format::Checkpoint& checkpoint,
                                     const model::Config& config);

// Tokens of one text where nobody says more: what the files say, else the model's context, of a
// causal model at most 8192.
int64_t embedding_tokens(const EmbeddingDefaults& defaults, const model::Config& config);

}  // namespace bittern::engine
