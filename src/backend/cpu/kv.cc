// The key/value store: for each layer, page and key/value head a panel of keys and panels of values
// (kv_layout.h). Elements that pad a head are never written.
//
// Error of what is stored, per element, against the f32 vector:
//   f32   none
//   f16   half a unit in the last place of binary16: 2^-11 relative, 2^-25 absolute below 2^-14;
//         beyond 65504 infinity
//   int8  absmax / 254 of the (token, head) vector, plus 2^-22 of it from the two roundings
//
// Attention over int8 also rounds each query (absmax / 254 likewise) and the weights of a chunk
// (2^-16 of the largest weight times scale): kernel/attention.h.

#include <algorithm>
#include <cstring>
#include <limits>

#include "backend/cpu/device.h"
#include "backend/cpu/kv_layout.h"
#include "base/check.h"
#include "base/checked_math.h"

namespace bittern::backend {
namespace {

constexpr int64_t kTooMany = std::numeric_limits<int64_t>::max();

// Pages of all heads and layers; kTooMany where that overflows.
int64_t slot_count(const KvShape& shape) {
  const int64_t dimensions[] = {shape.layer_count, shape.page_count, shape.kv_head_count};
  return checked_product(dimensions).value_or(kTooMany);
}

// What an element that is stored costs, in multiply-adds of a linear layer.
constexpr int64_t kStoreWork = 10;

// A key is a column of its panel, kRow elements of it a row.
template <int64_t kRow, typename T>
void put_key(const T* key, int64_t count, int64_t offset, std::byte* page) {
  T* to = reinterpret_cast<T*>(page) + offset * kRow;
  const int64_t whole = count / kRow * kRow;
  for (int64_t i = 0; i < whole; i += kRow, to += kPageTokens * kRow)
    std::memcpy(to, key + i, kRow * sizeof(T));
  for (int64_t i = whole; i < count; ++i) *to++ = key[i];
}

// A value is a row of each of its panels, or every kStep-th element of one.
template <int64_t kStep, typename T>
void put_value(const T* value, const KvLayout& layout, int64_t offset, std::byte* page) {
  for (int64_t column = 0; column < layout.head_dim; column += kernel::kPanelColumns) {
    const int64_t columns = layout.panel_columns(column);
    T* row = reinterpret_cast<T*>(page + layout.panel_bytes_before(column)) +
             offset / kStep * kStep * columns + offset % kStep;
    const int64_t count = std::min(columns, layout.head_dim - column);
    for (int64_t i = 0; i < count; ++i) row[i * kStep] = value[column + i];
  }
}

// Codes of keys are stored as bytes from 0 on.
void raise(int8_t* codes, int64_t count) {
  constexpr int64_t kStep = sizeof(uint64_t);
  int64_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    uint64_t eight = 0;
    std::memcpy(&eight, codes + i, kStep);
    eight ^= 0x8080808080808080;
    std::memcpy(codes + i, &eight, kStep);
  }
  for (; i < count; ++i) codes[i] = static_cast<int8_t>(codes[i] ^ -128);
}

}  // namespace

int64_t kv_bytes(const KvShape& shape) {
  const auto head =
      checked_multiply(shape.head_dim, 2 * kPageTokens * 4 * 2);  // more than it takes
  if (!head) return kTooMany;
  const KvLayout layout(shape);
  const int64_t each = layout.key_bytes() + layout.value_bytes();
  return checked_multiply(each, slot_count(shape)).value_or(kTooMany);
}

std::unique_ptr<KvStore> CpuBackend::make_kv_store(const KvShape& shape) {
  BITTERN_CHECK(shape.layer_count >= 0 && shape.kv_head_count > 0 && shape.head_dim > 0 &&
                    shape.page_count >= 0,
                "{} layers, {} heads of {}, {} pages", shape.layer_count, shape.kv_head_count,
                shape.head_dim, shape.page_count);
  auto store = std::make_unique<CpuKvStore>();
  store->shape = shape;
  check_available(kv_bytes(shape), "KV cache");
  const KvLayout layout(shape);
  const int64_t slots = slot_count(shape);
  store->keys = Region(slots * layout.key_bytes(), "KV cache");
  store->values = Region(slots * layout.value_bytes(), "KV cache");
  grow_attention(shape);
  return store;
}

template <typename Visit>
void CpuKvStore::each_part(int32_t page, const Visit& visit) const {
  BITTERN_CHECK(page >= 0 && page < shape.page_count, "page {} of {}", page, shape.page_count);
  const KvLayout layout(shape);
  for (int64_t layer = 0; layer < shape.layer_count; ++layer) {
    for (int64_t head = 0; head < shape.kv_head_count; ++head) {
      const int64_t place = slot(layer, page, head);
      visit(keys.data() + place * layout.key_bytes(), static_cast<size_t>(layout.key_bytes()));
      visit(values.data() + place * layout.value_bytes(),
            static_cast<size_t>(layout.value_bytes()));
    }
  }
}

int64_t CpuKvStore::page_bytes() const {
  const KvLayout layout(shape);
  return shape.layer_count * shape.kv_head_count * (layout.key_bytes() + layout.value_bytes());
}

void CpuKvStore::export_page(int32_t page, std::byte* out) const {
  each_part(page, [&](const std::byte* part, size_t bytes) {
    std::memcpy(out, part, bytes);
    out += bytes;
  });
}

void CpuKvStore::import_page(int32_t page, const std::byte* in) {
  each_part(page, [&](std::byte* part, size_t bytes) {
    std::memcpy(part, in, bytes);
    in += bytes;
  });
}

void CpuKvStore::copy_page(int32_t from, int32_t to) {
  std::vector<std::byte> page(static_cast<size_t>(page_bytes()));
  export_page(from, page.data());
  import_page(to, page.data());
}

void CpuBackend::store_kv(KvStore& store, int64_t layer, std::span<const RowPlace> rows,
                          const float* keys, const float* values) {
  const auto& own = static_cast<const CpuKvStore&>(store);
  const KvLayout layout(own.shape);
  const int64_t width = own.shape.head_dim;
  const int64_t heads = own.shape.kv_head_count;
  for (const RowPlace& place : rows) {
    const int64_t page = place.pages[place.position / kPageTokens];
    BITTERN_CHECK(page >= 0 && page < own.shape.page_count, "page {} of {}", page,
                  own.shape.page_count);
  }
  const auto count = static_cast<int64_t>(rows.size());
  run(count * heads * 2 * width * kStoreWork, count, [&](int64_t row, int worker) {
    const RowPlace& place = rows[static_cast<size_t>(row)];
    const int64_t page = place.pages[place.position / kPageTokens];
    const int64_t offset = place.position % kPageTokens;
    for (int64_t head = 0; head < heads; ++head) {
      const int64_t slot = own.slot(layer, page, head);
      const float* key = keys + (row * heads + head) * width;
      const float* value = values + (row * heads + head) * width;
      std::byte* key_page = own.keys.data() + slot * layout.key_bytes();
      std::byte* value_page = own.values.data() + slot * layout.value_bytes();
      switch (layout.type) {
        case KvType::f32:
          put_key<1>(key, width, offset, key_page);
          put_value<1>(value, layout, offset, value_page);
          break;
        case KvType::f16: {
          auto* halves = reinterpret_cast<uint16_t*>(scratch_.of(worker));
          table_.encode_f16(key, width, halves);
          put_key<1>(halves, width, offset, key_page);
          table_.encode_f16(value, width, halves);
          put_value<1>(halves, layout, offset, value_page);
          break;
        }
        case KvType::int8: {
          auto* codes = reinterpret_cast<int8_t*>(scratch_.of(worker));
          auto* scales = reinterpret_cast<float*>(key_page + layout.scale_offset()) + offset;
          table_.encode_i8(key, width, codes, scales);
          raise(codes, width);
          put_key<kernel::kKeyCodeRow>(codes, width, offset, key_page);
          table_.encode_i8(value, width, codes, scales + kPageTokens);
          put_value<kernel::kValueCodeRow>(codes, layout, offset, value_page);
          break;
        }
      }
    }
  });
}

}  // namespace bittern::backend
