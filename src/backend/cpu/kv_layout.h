// How a page of kPageTokens positions of one key/value head lies in memory: a panel of keys, and
// panels of values for each 64 elements of a head (kernel/attention.h has the pictures). With int8
// the scales of the keys, then those of the values stand behind the keys, where they are read.
#pragma once

#include <algorithm>
#include <cstdint>

#include "backend/backend.h"
#include "kernel/attention.h"

namespace bittern::backend {

static_assert(kPageTokens == kernel::kPanelColumns && kAttentionChunk == kernel::kAttendChunk);

struct KvLayout {
  KvType type = KvType::f16;
  int64_t head_dim = 0;

  explicit KvLayout(const KvShape& shape) : type(shape.type), head_dim(shape.head_dim) {}

  int64_t element_bytes() const {
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
  // Elements of a key, and positions of values, that a row of a panel holds.
  int64_t key_row() const { return type == KvType::int8 ? kernel::kKeyCodeRow : 1; }
  int64_t value_row() const { return type == KvType::int8 ? kernel::kValueCodeRow : 1; }
  // Elements of a key as stored: whole rows of the panel.
  int64_t key_elements() const { return (head_dim + key_row() - 1) / key_row() * key_row(); }
  // Elements of a value as stored: whole vectors of 16.
  int64_t value_elements() const { return (head_dim + 15) / 16 * 16; }
  int64_t key_bytes() const { return scale_offset() + 2 * scale_bytes(); }
  int64_t value_bytes() const { return value_elements() * kPageTokens * element_bytes(); }
  int64_t scale_offset() const { return key_elements() * kPageTokens * element_bytes(); }
  // Scales of keys, and as many of values.
  int64_t scale_bytes() const {
    return type == KvType::int8 ? kPageTokens * static_cast<int64_t>(sizeof(float)) : 0;
  }

  // The panel of values whose first column is element `column` of a head.
  int64_t panel_columns(int64_t column) const {
    return std::min(value_elements() - column, kernel::kPanelColumns);
  }
  int64_t panel_bytes_before(int64_t column) const {
    return column * kPageTokens * element_bytes();
  }
};

}  // namespace bittern::backend
