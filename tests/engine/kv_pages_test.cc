#include "engine/kv_pages.h"

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "base/random.h"

namespace bittern::engine {
namespace {

using Tokens = std::vector<int32_t>;

// `pages` pages of tokens, those of page i all equal to ids[i].
Tokens text(std::initializer_list<int32_t> ids) {
  Tokens tokens;
  for (const int32_t id : ids) tokens.insert(tokens.end(), backend::kPageTokens, id);
  return tokens;
}

// Takes and publishes a page for each page of tokens that is not found.
std::vector<int32_t> hold(KvPages& pages, std::string_view salt, const Tokens& tokens) {
  std::vector<int32_t> held = pages.find(salt, tokens);
  while (std::ssize(held) * backend::kPageTokens < std::ssize(tokens)) {
    held.push_back(pages.take());
    const auto count = held.size() * static_cast<size_t>(backend::kPageTokens);
    held.back() = pages.publish(salt, held, std::span(tokens).first(count));
  }
  return held;
}

void drop(KvPages& pages, std::vector<int32_t>& held) {
  for (; !held.empty(); held.pop_back()) pages.drop(held.back());
}

// Of the first tokens of `tokens`, how many there are pages for.
int64_t known_tokens(const KvPages& pages, std::string_view salt, const Tokens& tokens) {
  int64_t known = 0;
  pages.visit_published([&](const std::string& of, const Tokens& held, int32_t) {
    if (of == salt && held.size() <= tokens.size() &&
        std::equal(held.begin(), held.end(), tokens.begin()))
      known = std::max(known, std::ssize(held));
  });
  return known;
}

TEST(KvPages, APageIsFreeUntilItIsTakenAndAfterItsLastUser) {
  KvPages pages(3);
  EXPECT_EQ(pages.available(), 3);
  const int32_t page = pages.take();
  EXPECT_EQ(page, 0);
  pages.share(page);
  EXPECT_EQ(pages.used_count(), 1);
  pages.drop(page);
  EXPECT_EQ(pages.used_count(), 1);
  pages.drop(page);
  EXPECT_EQ(pages.available(), 3);
  EXPECT_EQ(pages.kept_count(), 0);
  pages.check();
}

TEST(KvPages, WhatWasPublishedIsFoundByTheSameTokensAndSalt) {
  KvPages pages(8);
  std::vector<int32_t> held = hold(pages, "tenant", text({1, 2, 3}));
  EXPECT_EQ(pages.find("tenant", text({1, 2, 3})), held);
  EXPECT_EQ(pages.users(held[2]), 2);
  EXPECT_EQ(pages.find("tenant", text({1, 2, 9})), (std::vector{held[0], held[1]}));
  EXPECT_EQ(pages.find("tenant", text({2, 3})), std::vector<int32_t>{});
  EXPECT_EQ(pages.find("other", text({1, 2, 3})), std::vector<int32_t>{});
  EXPECT_EQ(pages.find("", text({1, 2, 3})), std::vector<int32_t>{});
  Tokens part = text({1});
  part.pop_back();
  EXPECT_EQ(pages.find("tenant", part), std::vector<int32_t>{});
  EXPECT_EQ(known_tokens(pages, "tenant", text({1, 2, 9})), 2 * backend::kPageTokens);
  pages.check();
}

TEST(KvPages, WhatHasNoUsersIsKeptUntilItsRoomIsWantedTheOldestTailFirst) {
  KvPages pages(4);
  std::vector<int32_t> first = hold(pages, "", text({1, 2}));
  std::vector<int32_t> second = hold(pages, "", text({3, 4}));
  drop(pages, first);
  drop(pages, second);
  EXPECT_EQ(pages.kept_count(), 4);
  EXPECT_EQ(pages.available(), 4);
  (void)pages.take();  // page 2 of the first goes, not the page before it
  EXPECT_EQ(known_tokens(pages, "", text({1, 2})), backend::kPageTokens);
  EXPECT_EQ(known_tokens(pages, "", text({3, 4})), 2 * backend::kPageTokens);
  (void)pages.take();
  EXPECT_EQ(known_tokens(pages, "", text({1, 2})), 0);
  std::vector<int32_t> again = pages.find("", text({3, 4}));
  EXPECT_EQ(again.size(), 2u);
  EXPECT_EQ(pages.available(), 0);
  pages.check();
}

TEST(KvPages, UseRenewsWhatIsKept) {
  KvPages pages(2);
  std::vector<int32_t> first = hold(pages, "", text({1}));
  std::vector<int32_t> second = hold(pages, "", text({2}));
  drop(pages, first);
  drop(pages, second);
  first = pages.find("", text({1}));
  drop(pages, first);
  (void)pages.take();
  EXPECT_EQ(known_tokens(pages, "", text({1})), backend::kPageTokens);
  EXPECT_EQ(known_tokens(pages, "", text({2})), 0);
}

TEST(KvPages, TwoThatComputeTheSameEndWithOnePage) {
  KvPages pages(4);
  const Tokens tokens = text({5});
  const std::vector<int32_t> one = {pages.take()};
  const std::vector<int32_t> two = {pages.take()};
  EXPECT_EQ(pages.publish("", one, tokens), one[0]);
  EXPECT_EQ(pages.publish("", two, tokens), one[0]);
  EXPECT_EQ(pages.users(one[0]), 2);
  EXPECT_EQ(pages.used_count(), 1);
  pages.check();
}

TEST(KvPages, ATenantThatIsForgottenLeavesNothing) {
  KvPages pages(1);
  for (int tenant = 0; tenant < 50; ++tenant) {
    std::vector<int32_t> held = hold(pages, std::to_string(tenant), text({1}));
    drop(pages, held);
    pages.check();
  }
  EXPECT_EQ(known_tokens(pages, "48", text({1})), 0);
  EXPECT_EQ(known_tokens(pages, "49", text({1})), backend::kPageTokens);
}

// Random use; the invariants of check() after every call, and no page with two writers.
TEST(KvPages, RandomUseKeepsItsInvariants) {
  random::Sequence draw(17);
  KvPages pages(12);
  std::vector<std::vector<int32_t>> users;
  for (int turn = 0; turn < 3000; ++turn) {
    if (draw.below(2) == 0 && !users.empty()) {
      std::swap(users.back(), users[draw.below(users.size())]);
      drop(pages, users.back());
      users.pop_back();
    } else if (pages.available() >= 3) {
      const auto id = [&] { return static_cast<int32_t>(draw.below(3)); };
      const std::string salt(1, static_cast<char>('a' + draw.below(2)));
      const Tokens tokens = draw.below(2) == 0 ? text({id(), id()}) : text({id(), id(), id()});
      users.push_back(hold(pages, salt, tokens));
      EXPECT_EQ(users.back().size() * backend::kPageTokens, tokens.size());
    }
    pages.check();
  }
}

}  // namespace
}  // namespace bittern::engine
