// POST /v1/embeddings: texts to vectors of length 1.
// Source: OpenAI API 2.3.0 (CreateEmbeddingRequest). The official Python client asks for base64
// unless told otherwise: little-endian float32.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json_write.h"
#include "serve/openai/completion_request.h"

namespace bittern::serve::openai {

struct EmbeddingRequest {
  std::string model;
  std::vector<PromptField> inputs;
  bool base64 = false;
  std::optional<int64_t> dimensions;
};

// Throws FieldError.
EmbeddingRequest read_embedding_request(const json::Value& body);

// `model`: what the answer says it is from.
JsonBuilder embedding_response(const EmbeddingRequest& request, const std::string& model,
                               std::span<const std::vector<float>> vectors, int64_t token_count);

}  // namespace bittern::serve::openai
