// Constraints by their text: what is the same is shared, what is not is not, and few are kept.
#include "engine/constraint_cache.h"

#include <gtest/gtest.h>

#include <thread>

#include "engine/fake_tokenizer.h"
#include "throws.h"

namespace bittern::engine {
namespace {

using Words = std::vector<std::string>;

const FakeTokenizer kTokenizer;

// Ids that may begin a text.
std::vector<int32_t> first_tokens(const ConstraintCache::Shared& constraint) {
  chat::grammar::Matcher matcher(constraint);
  std::vector<uint64_t> words(constraint->trie().mask_words());
  matcher.mask(words);
  std::vector<int32_t> ids;
  for (int32_t id = 0; id < kTokenizer.vocab_size(); ++id)
    if (words[static_cast<size_t>(id / 64)] >> id % 64 & 1) ids.push_back(id);
  return ids;
}

TEST(ConstraintCache, EachKindAllowsWhatItSays) {
  ConstraintCache constraints(kTokenizer);
  EXPECT_EQ(first_tokens(constraints.regex("(a|stop)c*")), (std::vector<int32_t>{1, 4}));
  EXPECT_EQ(first_tokens(constraints.choice(Words{"bc", "x"})), (std::vector<int32_t>{2, 9}));
  EXPECT_EQ(first_tokens(constraints.gbnf("root ::= \"c\" [a-b]*")), (std::vector<int32_t>{3}));
  // This vocabulary has no digit, bracket or quote.
  EXPECT_TRUE(first_tokens(constraints.json_schema("{\"type\": \"integer\"}")).empty());
  EXPECT_TRUE(first_tokens(constraints.json_object()).empty());
}

TEST(ConstraintCache, TheSameTextIsTheSameConstraintOfItsKind) {
  ConstraintCache constraints(kTokenizer);
  const auto first = constraints.regex("abc");
  EXPECT_EQ(constraints.regex("abc"), first);
  EXPECT_NE(constraints.regex("abc?"), first);
  EXPECT_NE(constraints.choice(Words{"abc"}), first);
  EXPECT_NE(constraints.choice(Words{"a", "bc"}), constraints.choice(Words{"ab", "c"}));
  EXPECT_EQ(constraints.choice(Words{"a", "bc"}), constraints.choice(Words{"a", "bc"}));
  EXPECT_EQ(constraints.json_object(), constraints.json_object());
  EXPECT_EQ(constraints.json_schema("{}"), constraints.json_schema("{}"));
  EXPECT_EQ(constraints.gbnf("root ::= \"a\""), constraints.gbnf("root ::= \"a\""));
  EXPECT_EQ(&constraints.json_object()->trie(), &first->trie());
}

TEST(ConstraintCache, TheLongestUnusedIsForgottenAndStillWorks) {
  ConstraintCache constraints(kTokenizer, {.most_constraints = 2});
  const auto first = constraints.regex("a");
  const auto second = constraints.regex("b");
  (void)constraints.regex("a");
  (void)constraints.regex("c");
  EXPECT_EQ(constraints.regex("a"), first);
  EXPECT_NE(constraints.regex("b"), second);
  EXPECT_EQ(first_tokens(second), (std::vector<int32_t>{2}));
}

TEST(ConstraintCache, WhatCannotBeCompiledIsSaidEachTime) {
  ConstraintCache constraints(kTokenizer);
  for (int time = 0; time < 2; ++time) {
    const auto thrown = test::thrown_by([&] { constraints.regex("a("); });
    ASSERT_TRUE(thrown);
    EXPECT_EQ(thrown->kind, ErrorKind::bad_input);
  }
}

TEST(ConstraintCache, ThreadsThatAskAtOnceGetOne) {
  ConstraintCache constraints(kTokenizer);
  std::vector<ConstraintCache::Shared> got(6);
  std::vector<std::thread> threads;
  for (auto& one : got)
    threads.emplace_back([&] { one = constraints.json_schema("{\"type\": \"string\"}"); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& one : got) EXPECT_EQ(one, got.front());
}

}  // namespace
}  // namespace bittern::engine
