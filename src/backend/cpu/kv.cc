// The key/value store: pages of 64 positions per layer and head, so that a head's keys of a page
// are one run of vectors.
//
// Error of what is stored, per element, against the f32 vector:
//   f32   none
//   f16   half a unit in the last place of binary16: 2^-11 relative, 2^-25 absolute below 2^-14;
//         beyond 65504 infinity
//   int8  absmax / 254 of the (token, head) vector, plus 2^-22 of it from the two roundings

#include <algorithm>
#include <limits>

#include "backend/cpu/device.h"
#include "base/check.h"
#include "base/checked_math.h"

namespace bittern::backend {
namespace {

int64_t element_bytes(KvType type) {
  switch (type) {
    case KvType::f32:
      return 4;
    case KvType::f16:
      return 2;
    case KvType::int8:
      return 1;
  }
  return 4;
}

constexpr int64_t kTooMany = std::numeric_limits<int64_t>::max();

// Vectors of keys (as many of values) in the whole store; kTooMany where that overflows.
int64_t vector_count(const KvShape& shape) {
  const int64_t dimensions[] = {shape.layer_count, shape.page_count, shape.kv_head_count,
                                kPageTokens};
  return checked_product(dimensions).value_or(kTooMany);
}

}  // namespace

int64_t kv_bytes(const KvShape& shape) {
  const int64_t scale_bytes = shape.type == KvType::int8 ? int64_t{sizeof(float)} : 0;
  const auto elements = checked_multiply(shape.head_dim, element_bytes(shape.type));
  const auto per_vector = elements ? checked_add(*elements, scale_bytes) : std::nullopt;
  const auto one_side =
      per_vector ? checked_multiply(*per_vector, vector_count(shape)) : std::nullopt;
  return one_side ? checked_multiply(*one_side, 2).value_or(kTooMany) : kTooMany;
}

std::unique_ptr<KvStore> CpuBackend::make_kv_store(const KvShape& shape) {
  BITTERN_CHECK(shape.layer_count >= 0 && shape.kv_head_count > 0 && shape.head_dim > 0 &&
                    shape.page_count >= 0,
                "{} layers, {} heads of {}, {} pages", shape.layer_count, shape.kv_head_count,
                shape.head_dim, shape.page_count);
  auto store = std::make_unique<CpuKvStore>();
  store->shape = shape;
  check_available(kv_bytes(shape), "KV cache");
  const int64_t vectors = vector_count(shape);
  const int64_t side = vectors * shape.head_dim * element_bytes(shape.type);
  store->keys = Region(side, "KV cache");
  store->values = Region(side, "KV cache");
  if (shape.type == KvType::int8) {
    store->key_scales = Region(vectors * 4, "KV cache");
    store->value_scales = Region(vectors * 4, "KV cache");
  }
  scratch_.grow(pool_.thread_count(), attention_scratch(shape.head_dim));
  return store;
}

void CpuBackend::store_kv(KvStore& store, int64_t layer, std::span<const RowPlace> rows,
                          const float* keys, const float* values) {
  auto& own = static_cast<CpuKvStore&>(store);
  const int64_t width = own.shape.head_dim;
  const int64_t heads = own.shape.kv_head_count;
  const KvType type = own.shape.type;
  const auto put = [&](const Region& vectors, const Region& scales, int64_t vector,
                       const float* from) {
    std::byte* to = vectors.data() + vector * width * element_bytes(type);
    switch (type) {
      case KvType::f32:
        std::copy_n(from, width, reinterpret_cast<float*>(to));
        break;
      case KvType::f16:
        table_.encode_f16(from, width, reinterpret_cast<uint16_t*>(to));
        break;
      case KvType::int8:
        table_.encode_i8(from, width, reinterpret_cast<int8_t*>(to),
                         reinterpret_cast<float*>(scales.data()) + vector);
        break;
    }
  };
  const auto count = static_cast<int64_t>(rows.size());
  for (const RowPlace& place : rows) {
    const int64_t page = place.pages[place.position / kPageTokens];
    BITTERN_CHECK(page >= 0 && page < own.shape.page_count, "page {} of {}", page,
                  own.shape.page_count);
  }
  run(count * heads * width * 4, count, [&](int64_t row, int) {
    const RowPlace& place = rows[static_cast<size_t>(row)];
    const int64_t page = place.pages[place.position / kPageTokens];
    for (int64_t head = 0; head < heads; ++head) {
      const int64_t vector = own.first_vector(layer, page, head) + place.position % kPageTokens;
      const int64_t from = (row * heads + head) * width;
      put(own.keys, own.key_scales, vector, keys + from);
      put(own.values, own.value_scales, vector, values + from);
    }
  });
}

}  // namespace bittern::backend
