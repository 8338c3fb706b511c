// Texts as vectors.
#include <algorithm>

#include "api/buffers.h"
#include "api/instance.h"
#include "api/sized_struct.h"
#include "api/status.h"
#include "engine/embedder.h"

namespace api = bittern::api;
namespace engine = bittern::engine;
using bittern::ErrorKind;
using bittern::fail;

namespace {

constexpr size_t kEmbedOptionsFirstSize =
    offsetof(bittern_embed_options, truncate) + sizeof(bittern_embed_options::truncate);

bittern_embed_options default_embed_options() {
  bittern_embed_options options = {};
  options.size = sizeof options;
  return options;
}

engine::Pooling pooling_of(const api::Instance& instance, int32_t pooling) {
  switch (pooling) {
    case BITTERN_POOLING_MODEL:
      if (const auto stated = instance.embedding_defaults().pooling) return *stated;
      fail(ErrorKind::usage,
           "pooling: {} predicts text and its files name none; MEAN, CLS or LAST takes its states "
           "all the same",
           bittern::printable(instance.path()));
    case BITTERN_POOLING_MEAN:
      return engine::Pooling::mean;
    case BITTERN_POOLING_CLS:
      return engine::Pooling::cls;
    case BITTERN_POOLING_LAST:
      return engine::Pooling::last;
    default:
      fail(ErrorKind::usage, "pooling: 0 to {} expected, got {}", int{BITTERN_POOLING_LAST},
           pooling);
  }
}

std::vector<int32_t> tokens_of(const api::Instance& instance, std::string_view text,
                               bool truncate) {
  const bittern::text::Tokenizer& tokenizer = instance.tokenizer();
  std::vector<int32_t> ids = tokenizer.encode(text);
  int64_t limit = instance.session().options.context;
  if (instance.can_generate())
    limit = std::min(
        limit, engine::embedding_tokens(instance.embedding_defaults(), instance.model().config));
  if (ids.empty()) fail(ErrorKind::usage, "text: has no tokens");
  if (std::ssize(ids) <= limit) return ids;
  if (!truncate)
    fail(ErrorKind::usage, "text: {} tokens, at most {} expected (`truncate` cuts it)", ids.size(),
         limit);
  return engine::truncated(tokenizer, text, ids, limit);
}

}  // namespace

int32_t bittern_embed_options_init(bittern_embed_options* options, size_t size) {
  return api::guarded([&] {
    api::give_defaults(options, size, kEmbedOptionsFirstSize, default_embed_options());
    return BITTERN_OK;
  });
}

int32_t bittern_embed(bittern_model* model, const char* text, size_t bytes,
                      const bittern_embed_options* options, float* vector, size_t capacity,
                      size_t* count) {
  return api::guarded([&]() -> int32_t {
    api::require(model, "model");
    api::require(count, "count");
    const bittern_embed_options given =
        api::taken(options, kEmbedOptionsFirstSize, default_embed_options());
    api::Instance& instance = *model->instance;
    const engine::Pooling pooling = pooling_of(instance, given.pooling);
    const auto width = static_cast<size_t>(instance.model().config.hidden_size);
    *count = width;
    if (!api::takes_result(width, capacity, vector)) return BITTERN_OK;
    const std::vector<int32_t> ids =
        tokens_of(instance, api::text_of(text, bytes, "text"), given.truncate != 0);
    std::vector<float> result;
    instance.run([&] { result = instance.embed(ids, pooling); });
    return api::give_array(std::span<const float>(result), vector, capacity, count);
  });
}
