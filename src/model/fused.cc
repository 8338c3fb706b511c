// Row orders as plain lists: the packer follows them once, at load.
#include "model/fused.h"

#include <numeric>

namespace bittern::model {

std::vector<int32_t> row_range(int64_t first, int64_t count) {
  std::vector<int32_t> rows(static_cast<size_t>(count));
  std::iota(rows.begin(), rows.end(), static_cast<int32_t>(first));
  return rows;
}

std::vector<int32_t> fused_rows(FusedLayout layout, QkvPart part, int64_t head_count,
                                int64_t kv_head_count, int64_t head_dim) {
  const int64_t heads = part == QkvPart::query ? head_count : kv_head_count;
  // In units of heads: where the part starts in a group, and how many heads a group holds.
  const int64_t group_count = layout == FusedLayout::concatenated ? 1 : kv_head_count;
  const int64_t queries = head_count / group_count;
  const int64_t keys = kv_head_count / group_count;
  const int64_t start = part == QkvPart::query ? 0
                        : part == QkvPart::key ? queries
                                               : queries + keys;
  const int64_t stride = queries + 2 * keys;
  const int64_t per_group = heads / group_count;
  std::vector<int32_t> rows;
  rows.reserve(static_cast<size_t>(heads * head_dim));
  for (int64_t head = 0; head < heads; ++head) {
    const int64_t at = head / per_group * stride + start + head % per_group;
    for (int64_t i = 0; i < head_dim; ++i) rows.push_back(static_cast<int32_t>(at * head_dim + i));
  }
  return rows;
}

std::vector<int32_t> deinterleaved_rows(int64_t head_count, int64_t head_dim) {
  std::vector<int32_t> order;
  order.reserve(static_cast<size_t>(head_count * head_dim));
  for (int64_t head = 0; head < head_count; ++head) {
    for (int64_t part = 0; part < 2; ++part) {
      for (int64_t pair = 0; pair < head_dim / 2; ++pair)
        order.push_back(static_cast<int32_t>(head * head_dim + 2 * pair + part));
    }
  }
  return order;
}

std::vector<int32_t> inverse(const std::vector<int32_t>& order) {
  std::vector<int32_t> back(order.size());
  for (size_t row = 0; row < order.size(); ++row)
    back[static_cast<size_t>(order[row])] = static_cast<int32_t>(row);
  return back;
}

std::vector<int32_t> compose(const std::vector<int32_t>& rows, const std::vector<int32_t>& order) {
  if (rows.empty()) return order;
  if (order.empty()) return rows;
  std::vector<int32_t> result;
  result.reserve(order.size());
  for (const int32_t row : order) result.push_back(rows[static_cast<size_t>(row)]);
  return result;
}

}  // namespace bittern::model
