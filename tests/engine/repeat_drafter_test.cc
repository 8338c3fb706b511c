#include "engine/repeat_drafter.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "engine/request.h"
#include "engine/suffix_automaton.h"

namespace bittern::engine {
namespace {

using Tokens = std::vector<int32_t>;

// The longest proper suffix that also ends earlier, by looking everywhere.
int64_t longest_by_search(const Tokens& text) {
  for (int64_t length = std::ssize(text) - 1; length > 0; --length) {
    for (int64_t end = length; end < std::ssize(text); ++end) {
      if (std::equal(text.end() - length, text.end(), text.begin() + end - length)) return length;
    }
  }
  return 0;
}

TEST(SuffixAutomaton, FindsTheLongestRepeat) {
  random::Sequence draw(5);
  for (int run = 0; run < 60; ++run) {
    const uint64_t alphabet = 1 + draw.below(5);
    SuffixAutomaton automaton;
    Tokens text;
    for (int place = 0; place < 80; ++place) {
      // Sometimes a piece again, as real texts do.
      if (text.size() > 20 && draw.below(15) == 0) {
        const size_t from = draw.below(text.size() - 10);
        for (size_t index = 0; index < 8; ++index) {
          text.push_back(text[from + index]);
          automaton.append(text.back());
        }
      }
      text.push_back(static_cast<int32_t>(draw.below(alphabet)));
      automaton.append(text.back());
      const SuffixAutomaton::Repeat repeat = automaton.longest_repeat();
      ASSERT_EQ(repeat.length, longest_by_search(text)) << "run " << run;
      if (repeat.length == 0) continue;
      ASSERT_LT(repeat.end, std::ssize(text));
      ASSERT_TRUE(std::equal(text.end() - repeat.length, text.end(),
                             text.begin() + repeat.end - repeat.length));
    }
  }
}

TEST(SuffixAutomaton, OfSeveralPlacesTheLast) {
  SuffixAutomaton automaton;
  for (const int32_t token : {1, 2, 7, 1, 2, 8, 1, 2}) automaton.append(token);
  EXPECT_EQ(automaton.longest_repeat().length, 2);
  EXPECT_EQ(automaton.longest_repeat().end, 5);
}

TEST(RepeatDrafter, CopiesWhatFollowedTheLongestRepeat) {
  RepeatDrafter drafter;
  EXPECT_EQ(drafter.guess(Tokens{4, 5, 6, 7, 8, 4, 5}, {4}).tokens, (Tokens{6, 7, 8, 4}));
}

TEST(RepeatDrafter, APeriodGoesOn) {
  RepeatDrafter drafter;
  EXPECT_EQ(drafter.guess(Tokens{9, 1, 2, 1, 2}, {5}).tokens, (Tokens{1, 2, 1, 2, 1}));
}

TEST(RepeatDrafter, HasNoIdeaOfANewToken) {
  RepeatDrafter drafter;
  EXPECT_TRUE(drafter.guess(Tokens{1, 2, 3}, {4}).tokens.empty());
  EXPECT_TRUE(drafter.guess(Tokens{1, 2, 3, 4}, {4}).tokens.empty());
}

TEST(RepeatDrafter, LearnsHowRightItIsWhetherOrNotGuessesAreComputed) {
  RepeatDrafter right, wrong;
  Tokens same = {1, 2}, other = {1, 2};
  random::Sequence draw(9);
  double first_right = 0.0, last_right = 0.0, last_wrong = 0.0;
  for (int turn = 0; turn < 60; ++turn) {
    same.push_back(1 + turn % 2);
    other.push_back(static_cast<int32_t>(draw.below(4)));
    const double now_right = right.guess(same, {4}).probability;
    const double now_wrong = wrong.guess(other, {4}).probability;
    if (turn == 20) first_right = now_right;
    last_right = now_right;
    if (now_wrong > 0.0) last_wrong = now_wrong;
  }
  EXPECT_GT(last_right, first_right);
  EXPECT_GT(last_right, 0.95);
  EXPECT_LT(last_wrong, 0.5);
}

TEST(RepeatDrafter, GoesOnAsAnEarlierTextOfTheTenantDid) {
  const MakeDrafter make = repeat_drafters();
  Request mine, other;
  mine.tenant = "mine";
  other.tenant = "other";
  make(mine)->ended(Tokens{1, 2, 3, 4, 5, 6, 7, 8, 9});
  EXPECT_EQ(make(mine)->guess(Tokens{20, 3, 4, 5, 6}, {3}).tokens, (Tokens{7, 8, 9}));
  EXPECT_EQ(make(mine)->guess(Tokens{20, 5, 6, 7, 8}, {3}).tokens, (Tokens{9}));
  EXPECT_TRUE(make(mine)->guess(Tokens{20, 4, 5, 6}, {3}).tokens.empty());
  EXPECT_TRUE(make(other)->guess(Tokens{20, 3, 4, 5, 6}, {3}).tokens.empty());
  // A longer repeat of its own is the better guess.
  EXPECT_EQ(make(mine)->guess(Tokens{2, 3, 4, 5, 6, 30, 2, 3, 4, 5, 6}, {1}).tokens, (Tokens{30}));
}

}  // namespace
}  // namespace bittern::engine
