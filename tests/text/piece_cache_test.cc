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

// The ids that the tests give a piece: a function of its bytes, mostly few.
Ids ids_of(std::string_view piece) {
  uint32_t state = 2166136261u;
  for (const char c : piece) state = (state ^ static_cast<unsigned char>(c)) * 16777619u;
  Ids ids(state % 8 == 0 ? state / 8 % (PieceCache::kMaxIds + 3) : state % 5);
  for (int32_t& id : ids) {
    state = state * 1664525u + 1013904223u;
    id = static_cast<int32_t>(state % PieceCache::kEndOfIds);
  }
  return ids;
}

std::string random_piece(std::mt19937& random) {
  // Few different bytes, so that pieces differ in length and in single places.
  const size_t most = random() % 4 == 0 ? PieceCache::kMaxBytes + 2 : 18;
  std::string piece(random() % most + 1, '\0');
  for (char& c : piece) c = static_cast<char>(random() % 8 == 0 ? random() : random() % 3);
  return piece;
}

TEST(PieceCache, FindsWhatWasInserted) {
  PieceCache cache(16);
  Ids out = {7};
  EXPECT_FALSE(cache.find("hello", out));
  cache.insert("hello", Ids{1, 0, PieceCache::kEndOfIds - 1});
  EXPECT_TRUE(cache.find("hello", out));
  EXPECT_EQ(out, (Ids{7, 1, 0, PieceCache::kEndOfIds - 1}));
  EXPECT_FALSE(cache.find("hellp", out));
  EXPECT_FALSE(cache.find(std::string_view("hello\0", 6), out));
}

TEST(PieceCache, APieceWithoutIds) {
  PieceCache cache(16);
  Ids out;
  cache.insert("x", {});
  EXPECT_TRUE(cache.find("x", out));
  EXPECT_TRUE(out.empty());
}

TEST(PieceCache, EveryLengthAndNumberOfIds) {
  PieceCache cache;
  for (size_t bytes = 0; bytes <= PieceCache::kMaxBytes + 1; ++bytes) {
    for (size_t count = 0; count <= PieceCache::kMaxIds + 1; ++count) {
      std::string piece(bytes, 'a');
      if (bytes > 0) piece.back() = static_cast<char>(count);
      Ids ids(count), out;
      for (size_t i = 0; i < count; ++i) ids[i] = static_cast<int32_t>(1000 * count + i);
      cache.insert(piece, ids);
      const bool kept = bytes > 0 && bytes <= PieceCache::kMaxBytes && count <= PieceCache::kMaxIds;
      ASSERT_EQ(cache.find(piece, out), kept) << bytes << ' ' << count;
      ASSERT_EQ(out, kept ? ids : Ids()) << bytes << ' ' << count;
    }
  }
}

TEST(PieceCache, IdsThatDoNotFitAreNotKept) {
  PieceCache cache(16);
  Ids out;
  cache.insert("a", Ids{PieceCache::kEndOfIds});
  cache.insert("b", Ids{1, -1});
  EXPECT_FALSE(cache.find("a", out));
  EXPECT_FALSE(cache.find("b", out));
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
      Ids out;
      if (cache.find(piece, out)) {
        ++hits;
        ASSERT_EQ(out, ids_of(piece));
      } else {
        ASSERT_TRUE(out.empty());
        cache.insert(piece, ids_of(piece));
      }
    }
    EXPECT_GT(hits, 0u) << entries;
  }
}

// A cache that is not full keeps everything: four places are enough where most sets are empty.
TEST(PieceCache, KeepsWhatThereIsRoomFor) {
  PieceCache cache(4096);
  for (int32_t i = 0; i < 1024; ++i) cache.insert(fmt::format("{}", i), Ids{i});
  int found = 0;
  for (int32_t i = 0; i < 1024; ++i) {
    Ids out;
    found += cache.find(fmt::format("{}", i), out) ? 1 : 0;
  }
  EXPECT_GT(found, 1020);
}

// Pieces of one text, some of them again and again: as many as come at once, to its very end.
TEST(PieceCache, EncodesPiecesInOrder) {
  const uint32_t seed = 20261122;
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  PieceCache cache(256);
  size_t asked = 0, total = 0;
  for (int round = 0; round < 2000; ++round) {
    const size_t count = random() % (PieceCache::kPiecesAtOnce + 1);
    std::vector<std::string> parts(count);
    size_t size = 0;
    for (std::string& part : parts) {
      part = random() % 4 == 0 ? random_piece(random) : std::string(1 + random() % 30, 'b');
      size += part.size();
    }
    // Behind the pieces there is nothing that may be read.
    std::vector<char> text(size);
    std::vector<std::string_view> pieces;
    Ids wanted = {5, 6};
    for (size_t at = 0; const std::string& part : parts) {
      part.copy(text.data() + at, part.size());
      pieces.emplace_back(text.data() + at, part.size());
      at += part.size();
      const Ids ids = ids_of(part);
      wanted.insert(wanted.end(), ids.begin(), ids.end());
    }
    Ids got = {5, 6};
    cache.encode(pieces, text.data() + size, got, [&](std::string_view piece, Ids& out) {
      const Ids ids = ids_of(piece);
      out.insert(out.end(), ids.begin(), ids.end());
      ++asked;
    });
    ASSERT_EQ(got, wanted) << round;
    total += count;
  }
  EXPECT_GT(asked, 0u);
  EXPECT_LT(asked, total / 2);
}

// Writers that replace each other's entries all the time, in few places.
TEST(PieceCache, Threads) {
  PieceCache cache(8);
  std::atomic<size_t> hits = 0, wrong = 0;
  const auto work = [&](uint32_t seed) {
    std::mt19937 random(seed);
    for (int round = 0; round < 30'000; ++round) {
      const std::string piece = fmt::format("{:0{}}", random() % 40, random() % 20 + 2);
      Ids out;
      if (cache.find(piece, out)) {
        ++hits;
        if (out != ids_of(piece)) ++wrong;
      } else {
        cache.insert(piece, ids_of(piece));
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
