// What comes out of the cache is what went in for the same bytes, whatever else was put in, and by
// however many threads.
#include "text/piece_cache.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>

namespace bittern::text {
namespace {

using Ids = std::vector<int32_t>;

// The ids that the tests give a piece: a function of its bytes, of 0 to 10 ids.
Ids ids_of(std::string_view piece) {
  uint32_t state = 2166136261u;
  for (const char c : piece) state = (state ^ static_cast<unsigned char>(c)) * 16777619u;
  Ids ids(state % 11);
  for (int32_t& id : ids) id = static_cast<int32_t>((state = state * 1664525u + 1013904223u) >> 1);
  return ids;
}

std::string random_piece(std::mt19937& random) {
  // Few different bytes, so that pieces differ in length and in single places.
  std::string piece(random() % 27, '\0');
  for (char& c : piece) c = static_cast<char>(random() % 8 == 0 ? random() : random() % 3);
  return piece;
}

TEST(PieceCache, FindsWhatWasInserted) {
  PieceCache cache(16);
  const auto key = PieceCache::key_of("hello");
  Ids out = {7};
  EXPECT_FALSE(cache.find(key, out));
  cache.insert(key, Ids{1, -1, 1 << 30});
  EXPECT_TRUE(cache.find(key, out));
  EXPECT_EQ(out, (Ids{7, 1, -1, 1 << 30}));
  EXPECT_FALSE(cache.find(PieceCache::key_of("hellp"), out));
  EXPECT_FALSE(cache.find(PieceCache::key_of(std::string_view("hello\0", 6)), out));
}

TEST(PieceCache, APieceWithoutIds) {
  PieceCache cache(16);
  Ids out;
  cache.insert(PieceCache::key_of("x"), {});
  EXPECT_TRUE(cache.find(PieceCache::key_of("x"), out));
  EXPECT_TRUE(out.empty());
}

TEST(PieceCache, TooLongIsNotKept) {
  PieceCache cache(16);
  Ids out;
  const std::string fits(PieceCache::kMaxBytes, 'a'), longer(PieceCache::kMaxBytes + 1, 'a');
  for (const std::string& piece : {fits, longer, std::string()}) {
    cache.insert(PieceCache::key_of(piece), Ids{1});
    EXPECT_EQ(cache.find(PieceCache::key_of(piece), out), piece == fits) << piece.size();
  }
  cache.insert(PieceCache::key_of("most"), Ids(PieceCache::kMaxIds, 3));
  cache.insert(PieceCache::key_of("more"), Ids(PieceCache::kMaxIds + 1, 3));
  EXPECT_TRUE(cache.find(PieceCache::key_of("most"), out));
  EXPECT_FALSE(cache.find(PieceCache::key_of("more"), out));
}

// The key does not depend on what may be read behind the piece.
TEST(PieceCache, KeyOfAPieceInsideOfAText) {
  const std::string text = "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz";
  for (size_t length = 0; length <= PieceCache::kMaxBytes + 1; ++length) {
    const std::string_view piece = std::string_view(text).substr(3, length);
    const auto alone = PieceCache::key_of(piece);
    const auto inside = PieceCache::key_of(piece, text.size() - 3);
    EXPECT_EQ(alone.bytes, inside.bytes);
    EXPECT_EQ(alone.usable(), length >= 1 && length <= PieceCache::kMaxBytes);
    if (!alone.usable()) continue;
    EXPECT_EQ(alone.words, inside.words);
    EXPECT_EQ(alone.hash, inside.hash);
  }
}

TEST(PieceCache, NeverAnswersForAnotherPiece) {
  const uint32_t seed = 20261121;
  SCOPED_TRACE(fmt::format("seed {}", seed));
  for (const size_t entries : {1, 2, 64, 4096}) {
    std::mt19937 random(seed);
    PieceCache cache(entries);
    size_t hits = 0;
    for (int round = 0; round < 20'000; ++round) {
      const std::string piece = random_piece(random);
      const auto key = PieceCache::key_of(piece);
      Ids out;
      if (cache.find(key, out)) {
        ++hits;
        ASSERT_EQ(out, ids_of(piece));
      } else {
        ASSERT_TRUE(out.empty());
        cache.insert(key, ids_of(piece));
      }
    }
    EXPECT_GT(hits, 0u) << entries;
  }
}

// Writers that replace each other's entries all the time, in few places.
TEST(PieceCache, Threads) {
  PieceCache cache(8);
  std::atomic<size_t> hits = 0, wrong = 0;
  const auto work = [&](uint32_t seed) {
    std::mt19937 random(seed);
    for (int round = 0; round < 30'000; ++round) {
      const std::string piece = fmt::format("{:0{}}", random() % 40, random() % 20 + 2);
      const auto key = PieceCache::key_of(piece);
      Ids out;
      if (cache.find(key, out)) {
        ++hits;
        if (out != ids_of(piece)) ++wrong;
      } else {
        cache.insert(key, ids_of(piece));
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (uint32_t seed = 1; seed <= 4; ++seed) threads.emplace_back(work, seed);
  }
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(hits, 0u);
}

}  // namespace
}  // namespace bittern::text
