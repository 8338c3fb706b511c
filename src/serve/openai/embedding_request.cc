#include "serve/openai/embedding_request.h"

#include <bit>
#include <limits>

#include "base/base64.h"
#include "serve/openai/error.h"

namespace bittern::serve::openai {
namespace {

std::string little_endian(const std::vector<float>& vector) {
  std::string bytes;
  bytes.reserve(vector.size() * sizeof(float));
  for (const float value : vector) {
    const auto bits = std::bit_cast<uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(bits >> shift & 0xff);
  }
  return bytes;
}

}  // namespace

EmbeddingRequest read_embedding_request(const json::Value& body) {
  Fields fields(body, "");
  EmbeddingRequest request;
  request.model = fields.text("model").value_or("");
  request.inputs = read_prompts(fields, "input");
  request.base64 = fields.choice("encoding_format", {"float", "base64"}) == "base64";
  request.dimensions = fields.integer("dimensions", 1, std::numeric_limits<int32_t>::max());
  fields.ignore("user");
  fields.refuse("truncate_prompt_tokens", "inputs are never cut");
  fields.finish();
  return request;
}

JsonBuilder embedding_response(const EmbeddingRequest& request, const std::string& model,
                               std::span<const std::vector<float>> vectors, int64_t token_count) {
  JsonBuilder data = JsonBuilder::array();
  for (const std::vector<float>& vector : vectors) {
    data.push_back({{"object", "embedding"},
                    {"index", data.size()},
                    {"embedding", request.base64 ? JsonBuilder(base64_encode(little_endian(vector)))
                                                 : JsonBuilder(vector)}});
  }
  return {{"object", "list"},
          {"data", std::move(data)},
          {"model", model},
          {"usage", {{"prompt_tokens", token_count}, {"total_tokens", token_count}}}};
}

}  // namespace bittern::serve::openai
