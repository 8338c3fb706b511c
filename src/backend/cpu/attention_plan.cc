#include "backend/cpu/attention_plan.h"

namespace bittern::backend {

PositionRange seen_by(const RowPlace& row, const AttendShape& shape) {
  if (shape.mask == Mask::bidirectional) return {0, row.length};
  const int64_t end = row.position + 1;
  return {shape.window > 0 ? std::max<int64_t>(0, end - shape.window) : 0, end};
}

AttendPlan::AttendPlan(std::span<const RowPlace> rows, const AttendShape& shape,
                       int64_t kv_head_count, int parts)
    : rows_(rows),
      shape_(shape),
      kv_head_count_(kv_head_count),
      group_(shape.head_count / kv_head_count),
      parts_(parts) {
  // Large tiles, but two for each part where there are rows enough.
  const int64_t each = static_cast<int64_t>(rows.size()) * kv_head_count / (2 * parts);
  tile_rows_ = std::max<int64_t>(1, std::min(kTileQueries / group_, each));
  for (AttendItem item = first(); item.row_count > 0; item = next(item)) cost_ += item.cost();
}

// Rows of a tile follow one another in their sequence, so they see nearly the same positions.
AttendItem AttendPlan::tile_at(int64_t row, int64_t cost_before) const {
  AttendItem item;
  item.row = row;
  item.cost_before = cost_before;
  const auto rows = static_cast<int64_t>(rows_.size());
  if (row == rows) return item;
  const RowPlace* place = rows_.data() + row;
  item.seen = seen_by(*place, shape_);
  item.row_count = 1;
  for (; item.row_count < tile_rows_ && row + item.row_count < rows; ++item.row_count, ++place) {
    if (place[1].pages != place->pages || place[1].position != place->position + 1) break;
    const PositionRange seen = seen_by(place[1], shape_);
    item.seen = {std::min(item.seen.begin, seen.begin), std::max(item.seen.end, seen.end)};
  }
  item.head_count = heads_from(item, 0);
  return item;
}

// Heads of a group from `head` of it on.
int64_t AttendPlan::heads_from(const AttendItem& item, int64_t head) const {
  return std::min(group_ - head, item.row_count > 1 ? kTileQueries : kRowQueries);
}

AttendItem AttendPlan::next(const AttendItem& item) const {
  AttendItem behind = item;
  behind.cost_before += item.cost();
  behind.head += item.head_count;
  behind.kv_head = behind.head / group_;
  if (behind.kv_head == kv_head_count_)
    return tile_at(item.row + item.row_count, behind.cost_before);
  behind.head_count = heads_from(item, behind.head % group_);
  return behind;
}

int AttendPlan::part_of(const AttendItem& item, int64_t position) const {
  int64_t before = item.cost_before;
  if (item.row_count == 1) before += (position - item.seen.begin) * item.position_cost();
  return static_cast<int>(before * parts_ / cost_);
}

int AttendPlan::last_part(const AttendItem& item) const {
  const int64_t last_chunk = (item.seen.end - 1) / kAttentionChunk * kAttentionChunk;
  return part_of(item, std::max(last_chunk, item.seen.begin));
}

}  // namespace bittern::backend
