// How the attention of a step is cut into work. Items are tiles of a few rows of one sequence times
// query heads that share a key/value head; their chunks of 256 positions stand in one line, and
// each part takes a run of about equal cost. An item of one row (decoding) is cut between any two
// chunks, so that one long sequence with few heads still keeps every thread busy; an item of more
// rows is never cut, as there are many of them. Nothing here touches what is computed: a chunk's
// result depends on its rows alone, and chunks join in order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "backend/backend.h"

namespace bittern::backend {

// Query vectors that one pass over keys and values serves at most: of several rows, of one.
inline constexpr int64_t kTileQueries = 48;
inline constexpr int64_t kRowQueries = 16;

struct PositionRange {
  int64_t begin = 0, end = 0;

  bool empty() const { return begin >= end; }
  PositionRange operator&(const PositionRange& other) const {
    return {std::max(begin, other.begin), std::min(end, other.end)};
  }
  bool operator==(const PositionRange&) const = default;
};

// The positions that a row sees.
PositionRange seen_by(const RowPlace& row, const AttendShape& shape);

// The part of `seen` from `begin` on that lies in one chunk.
inline PositionRange chunk_from(const PositionRange& seen, int64_t begin) {
  return {begin, std::min((begin / kAttentionChunk + 1) * kAttentionChunk, seen.end)};
}

struct AttendItem {
  int64_t row = 0, row_count = 0;  // rows of the step, of one sequence
  int64_t kv_head = 0;             // and the query heads on it:
  int64_t head = 0, head_count = 0;
  PositionRange seen;       // by any of the rows
  int64_t cost_before = 0;  // of the items before this one

  int64_t queries() const { return row_count * head_count; }
  // Multiply-adds, and the keys and values once, in units of a query's.
  int64_t position_cost() const { return queries() + 4; }
  int64_t cost() const { return (seen.end - seen.begin) * position_cost(); }
};

class AttendPlan {
 public:
  AttendPlan(std::span<const RowPlace> rows, const AttendShape& shape, int64_t kv_head_count,
             int parts);

  // The first item, and the one behind another; row_count 0 behind the last.
  AttendItem first() const { return tile_at(0, 0); }
  AttendItem next(const AttendItem& item) const;

  // The part that computes the chunk of `item` that begins at `position`.
  int part_of(const AttendItem& item, int64_t position) const;
  int first_part(const AttendItem& item) const { return part_of(item, item.seen.begin); }
  int last_part(const AttendItem& item) const;

 private:
  AttendItem tile_at(int64_t row, int64_t cost_before) const;
  int64_t heads_from(const AttendItem& item, int64_t head) const;

  std::span<const RowPlace> rows_;
  const AttendShape& shape_;
  int64_t kv_head_count_;
  int64_t group_;  // query heads on a key/value head
  int parts_;
  int64_t tile_rows_;  // at most
  int64_t cost_ = 0;
};

}  // namespace bittern::backend
