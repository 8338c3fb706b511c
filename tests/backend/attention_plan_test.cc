// The division of attention's work: every chunk of every row and head belongs to exactly one part,
// parts follow one another, and their work is about equal.
#include "backend/cpu/attention_plan.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <vector>

namespace bittern::backend {
namespace {

struct Case {
  const char* name;
  std::vector<RowPlace> rows;
  int64_t heads, kv_heads;
  int64_t window = 0;
};

std::vector<RowPlace> consecutive(const int32_t* pages, int64_t first, int64_t count) {
  std::vector<RowPlace> rows;
  for (int64_t i = 0; i < count; ++i)
    rows.push_back({.pages = pages, .position = first + i, .length = 0});
  return rows;
}

const int32_t kPagesA[1] = {}, kPagesB[1] = {};

std::vector<Case> cases() {
  std::vector<Case> all = {{"one row", consecutive(kPagesA, 4100, 1), 20, 5},
                           {"one row, one head", consecutive(kPagesA, 4100, 1), 1, 1},
                           {"first row", consecutive(kPagesA, 0, 1), 32, 8},
                           {"prompt", consecutive(kPagesA, 0, 512), 20, 5},
                           {"prompt behind others", consecutive(kPagesA, 1000, 77), 32, 8},
                           {"window", consecutive(kPagesA, 1000, 77), 32, 8, 300},
                           {"narrow window", consecutive(kPagesA, 250, 40), 8, 2, 3},
                           {"many heads on one", consecutive(kPagesA, 600, 5), 71, 1}};
  Case mixed = {"two sequences", consecutive(kPagesA, 700, 1), 12, 3};
  for (const RowPlace& row : consecutive(kPagesB, 90, 30)) mixed.rows.push_back(row);
  mixed.rows.push_back({.pages = kPagesA, .position = 701, .length = 0});
  all.push_back(mixed);
  return all;
}

TEST(AttendPlan, EveryChunkOnceInOrder) {
  for (const Case& item : cases()) {
    for (const int parts : {1, 2, 3, 8, 16, 64}) {
      SCOPED_TRACE(testing::Message() << item.name << ", " << parts << " parts");
      const AttendShape shape = {.layer = 0, .head_count = item.heads, .window = item.window};
      const AttendPlan plan(item.rows, shape, item.kv_heads, parts);
      std::map<std::pair<int64_t, int64_t>, int> covered;  // row, head
      std::vector<int64_t> work(static_cast<size_t>(parts));
      int before = 0;
      int64_t largest = 0, total = 0;
      for (AttendItem at = plan.first(); at.row_count > 0; at = plan.next(at)) {
        ASSERT_LE(at.queries(), kTileQueries);
        ASSERT_TRUE(at.row_count == 1 || plan.first_part(at) == plan.last_part(at));
        ASSERT_TRUE(at.row_count > 1 || at.head_count <= kRowQueries);
        ASSERT_EQ(at.head / (item.heads / item.kv_heads), at.kv_head);
        for (int64_t row = at.row; row < at.row + at.row_count; ++row) {
          for (int64_t head = at.head; head < at.head + at.head_count; ++head)
            ++covered[{row, head}];
          ASSERT_EQ(seen_by(item.rows[static_cast<size_t>(row)], shape) & at.seen,
                    seen_by(item.rows[static_cast<size_t>(row)], shape));
          ASSERT_EQ(item.rows[static_cast<size_t>(row)].pages,
                    item.rows[static_cast<size_t>(at.row)].pages);
        }
        int64_t position = at.seen.begin;
        for (PositionRange chunk = chunk_from(at.seen, at.seen.begin); !chunk.empty();
             chunk = chunk_from(at.seen, chunk.end)) {
          ASSERT_EQ(chunk.begin, position);
          position = chunk.end;
          ASSERT_EQ(chunk.begin / kAttentionChunk, (chunk.end - 1) / kAttentionChunk);
          const int part = plan.part_of(at, chunk.begin);
          ASSERT_GE(part, before);
          ASSERT_LT(part, parts);
          before = part;
          const int64_t cost = (chunk.end - chunk.begin) * at.position_cost();
          work[static_cast<size_t>(part)] += cost;
          total += cost;
          largest = std::max(largest, at.row_count > 1 ? at.cost() : cost);
        }
        ASSERT_EQ(position, at.seen.end);
        ASSERT_EQ(
            plan.part_of(at, (at.seen.end - 1) / kAttentionChunk * kAttentionChunk < at.seen.begin
                                 ? at.seen.begin
                                 : (at.seen.end - 1) / kAttentionChunk * kAttentionChunk),
            plan.last_part(at));
      }
      ASSERT_EQ(static_cast<int64_t>(covered.size()),
                static_cast<int64_t>(item.rows.size()) * item.heads);
      for (const auto& [place, times] : covered) ASSERT_EQ(times, 1) << place.first;
      for (const int64_t of_part : work) ASSERT_LE(of_part, total / parts + largest + 1);
    }
  }
}

}  // namespace
}  // namespace bittern::backend
