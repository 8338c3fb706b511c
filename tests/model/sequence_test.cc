// The page pool: what one sequence has nobody else has, nothing is lost, and a run repeats.
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "backend/backend.h"
#include "base/random.h"
#include "model/sequence.h"

namespace bittern::test {
namespace {

using model::PagePool;
using model::SequenceState;

TEST(PagePool, PagesForPositions) {
  EXPECT_EQ(PagePool::pages_for(0), 0);
  EXPECT_EQ(PagePool::pages_for(1), 1);
  EXPECT_EQ(PagePool::pages_for(backend::kPageTokens), 1);
  EXPECT_EQ(PagePool::pages_for(backend::kPageTokens + 1), 2);
}

TEST(PagePool, TakesAllOrNothing) {
  PagePool pool(3);
  SequenceState first, second;
  EXPECT_TRUE(pool.reserve(first, 2 * backend::kPageTokens));
  EXPECT_FALSE(pool.reserve(second, 2 * backend::kPageTokens));
  EXPECT_TRUE(second.pages.empty());
  EXPECT_EQ(pool.free_count(), 1);
  EXPECT_TRUE(pool.reserve(first, 1));  // it has them already
  EXPECT_EQ(first.pages, (std::vector<int32_t>{0, 1}));
  pool.release(first);
  EXPECT_EQ(pool.free_count(), 3);
  EXPECT_TRUE(pool.reserve(second, 1));
  EXPECT_EQ(second.pages, (std::vector<int32_t>{0}));  // the lowest free page
}

TEST(PagePool, TruncateGivesBackWhatIsNotNeeded) {
  PagePool pool(4);
  SequenceState sequence;
  ASSERT_TRUE(pool.reserve(sequence, 4 * backend::kPageTokens));
  sequence.length = 3 * backend::kPageTokens;
  pool.truncate(sequence, backend::kPageTokens + 1);
  EXPECT_EQ(sequence.length, backend::kPageTokens + 1);
  EXPECT_EQ(pool.free_count(), 2);
}

TEST(PagePool, RandomUseNeverSharesNorLosesAPage) {
  constexpr uint64_t kSeed = 7;
  SCOPED_TRACE("seed 7");
  random::Sequence random(kSeed);
  PagePool pool(16);
  std::vector<SequenceState> sequences(5);
  for (int step = 0; step < 2000; ++step) {
    SequenceState& sequence = sequences[random.below(sequences.size())];
    switch (random.below(3)) {
      case 0:
        pool.reserve(sequence, static_cast<int64_t>(random.below(8 * backend::kPageTokens)));
        break;
      case 1:
        pool.release(sequence);
        break;
      default:
        pool.truncate(sequence, static_cast<int64_t>(random.below(4 * backend::kPageTokens)));
    }
    std::set<int32_t> used;
    size_t count = 0;
    for (const SequenceState& each : sequences) {
      used.insert(each.pages.begin(), each.pages.end());
      count += each.pages.size();
    }
    ASSERT_EQ(used.size(), count);
    ASSERT_EQ(static_cast<int64_t>(count) + pool.free_count(), pool.page_count());
  }
}

}  // namespace
}  // namespace bittern::test
