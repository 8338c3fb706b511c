#include "engine/text_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "base/random.h"

namespace bittern::engine {
namespace {

using Tokens = std::vector<int32_t>;

Tokens following(const TextPool& pool, const Tokens& text, int64_t most = 100) {
  const auto found = pool.find(text, most).following;
  return {found.begin(), found.end()};
}

TEST(TextPool, FindsTheLastPlaceOfAnEnd) {
  TextPool pool(100);
  pool.add(Tokens{1, 2, 3, 4, 5, 6});
  pool.add(Tokens{0, 1, 2, 3, 4, 7, 8});
  EXPECT_EQ(following(pool, {1, 2, 3, 4}), (Tokens{7, 8}));
  EXPECT_EQ(following(pool, {1, 2, 3, 4}, 1), (Tokens{7}));
  EXPECT_EQ(following(pool, {2, 3, 4, 5}), (Tokens{6}));
  EXPECT_EQ(pool.find(Tokens{9, 1, 2, 3, 4}, 1).length, 4);
  EXPECT_EQ(pool.find(Tokens{0, 1, 2, 3, 4}, 1).length, 5);
}

TEST(TextPool, FewerTokensThanARunAreNoPlace) {
  TextPool pool(100);
  pool.add(Tokens{1, 2, 3, 4, 5});
  EXPECT_EQ(pool.find(Tokens{2, 3, 4}, 9).length, 0);
  EXPECT_EQ(pool.find(Tokens{8, 2, 3, 4}, 9).length, 0);
  EXPECT_EQ(pool.find(Tokens{}, 9).length, 0);
}

TEST(TextPool, TextsDoNotRunIntoEachOther) {
  TextPool pool(100);
  pool.add(Tokens{1, 2, 3, 4});
  pool.add(Tokens{5, 6, 7, 8});
  EXPECT_TRUE(following(pool, {1, 2, 3, 4}).empty());
  EXPECT_EQ(pool.find(Tokens{3, 4, 5, 6}, 9).length, 0);
}

// Whatever it says stood in one of the texts, and what stood in one of the last is found.
TEST(TextPool, HoldsTheLastTextsAndNothingElse) {
  random::Sequence draw(11);
  for (int run = 0; run < 40; ++run) {
    const auto capacity = static_cast<int64_t>(40 + draw.below(200));
    TextPool pool(capacity);
    std::deque<Tokens> texts;
    for (int round = 0; round < 200; ++round) {
      Tokens text(draw.below(static_cast<uint64_t>(capacity) * 3 / 2));
      for (int32_t& token : text) token = static_cast<int32_t>(draw.below(6));
      pool.add(text);
      texts.push_front(text);
      const Tokens& asked = texts[draw.below(texts.size())];
      if (asked.size() < 6) continue;
      const Tokens begin(asked.begin(), asked.begin() + 5);
      const TextPool::Match match = pool.find(begin, 3);
      if (match.length == 0) continue;
      Tokens whole(begin.end() - std::min<int64_t>(match.length, 5), begin.end());
      whole.insert(whole.end(), match.following.begin(), match.following.end());
      const bool stood = std::ranges::any_of(
          texts, [&](const Tokens& other) { return !std::ranges::search(other, whole).empty(); });
      ASSERT_TRUE(stood) << "run " << run << ", round " << round;
    }
    // The last text, or its end where it is longer than the ring.
    if (texts.front().size() < 5) continue;
    const Tokens end(texts.front().end() - 4, texts.front().end());
    EXPECT_GE(pool.find(end, 1).length, 4) << "run " << run;
  }
}

TEST(TextPools, TenantsHaveTheirOwnAndTheOldestGoes) {
  TextPools pools(100, 2);
  const auto first = pools.of("first");
  EXPECT_EQ(pools.of("first"), first);
  EXPECT_NE(pools.of("second"), first);
  EXPECT_EQ(pools.of("first"), first);
  pools.of("third");
  EXPECT_EQ(pools.of("first"), first);
  EXPECT_NE(pools.of("second"), first);
}

}  // namespace
}  // namespace bittern::engine
