// Stop strings at every way of cutting a text into pieces, against a plain search of the whole.
#include "engine/stop_matcher.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace bittern::engine {
namespace {

struct Seen {
  std::string text;
  std::optional<std::string> stop;
  bool operator==(const Seen&) const = default;
};

// The stop string that ends first, the longest of those; the text before it.
Seen search(const std::string& text, const std::vector<std::string>& stops) {
  for (size_t end = 0; end <= text.size(); ++end) {
    const std::string* best = nullptr;
    for (const std::string& stop : stops)
      if (text.substr(0, end).ends_with(stop) && (best == nullptr || stop.size() > best->size()))
        best = &stop;
    if (best != nullptr) return {text.substr(0, end - best->size()), *best};
  }
  return {text, std::nullopt};
}

Seen stream(const std::vector<std::string>& pieces, const std::vector<std::string>& stops,
            std::vector<std::string>* shown_after = nullptr) {
  StopMatcher matcher(stops);
  Seen seen;
  for (const std::string& piece : pieces) {
    seen.text += matcher.push(piece);
    if (shown_after != nullptr) shown_after->push_back(seen.text);
  }
  seen.text += matcher.finish();
  seen.stop = matcher.matched();
  return seen;
}

struct Case {
  std::string text;
  std::vector<std::string> stops;
};
const Case kCases[] = {
    {"a quiet text", {}},
    {"nothing of it", {"stop"}},
    {"go on and stop here", {"stop"}},
    {"ssststostop", {"stop"}},
    {"ends in sto", {"stop"}},
    {"abcd", {"abcd", "bc"}},
    {"xabcd", {"abcd", "cd", "d"}},
    {"aaaaab", {"aab"}},
    {"abababac", {"ababac"}},
    {"one\n\ntwo", {"\n\n"}},
    {"stop", {"stop", "op"}},
    {"", {"stop"}},
    {"caf\xc3\xa9 fin", {"\xc3\xa9"}},
};

TEST(StopMatcher, EveryCutInTwoAndThreeGivesTheSame) {
  for (const auto& [text, stops] : kCases) {
    const Seen expected = search(text, stops);
    for (size_t first = 0; first <= text.size(); ++first) {
      for (size_t second = first; second <= text.size(); ++second) {
        EXPECT_EQ(
            stream({text.substr(0, first), text.substr(first, second - first), text.substr(second)},
                   stops),
            expected)
            << text << " cut at " << first << ", " << second;
      }
    }
    std::vector<std::string> letters;
    for (const char letter : text) letters.emplace_back(1, letter);
    EXPECT_EQ(stream(letters, stops), expected) << text;
  }
}

TEST(StopMatcher, RandomTextsOverTwoLetters) {
  constexpr uint64_t kSeed = 5;
  RecordProperty("seed", static_cast<int>(kSeed));
  random::Sequence random(kSeed);
  const auto word = [&](size_t longest) {
    std::string text;
    for (size_t length = random.below(longest + 1); length > 0; --length)
      text += random.below(2) == 0 ? 'a' : 'b';
    return text;
  };
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::string> stops;
    for (size_t count = random.below(4); count > 0; --count) stops.push_back(word(4) + "a");
    std::vector<std::string> pieces;
    std::string text;
    for (size_t count = random.below(8); count > 0; --count) text += pieces.emplace_back(word(5));
    ASSERT_EQ(stream(pieces, stops), search(text, stops)) << text << " round " << round;
  }
}

TEST(StopMatcher, HoldsBackNoMoreThanItMust) {
  std::vector<std::string> shown;
  stream({"he", "l", "lo <", "end", " of", " <end>", "x"}, {"<end>"}, &shown);
  EXPECT_EQ(shown, (std::vector<std::string>{"he", "hel", "hello ", "hello ", "hello <end of",
                                             "hello <end of ", "hello <end of "}));
}

}  // namespace
}  // namespace bittern::engine
