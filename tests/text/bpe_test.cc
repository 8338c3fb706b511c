// Byte-pair merging against the definition: again and again, the pair of lowest rank, leftmost.
#include "text/bpe.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "base/error.h"
#include "base/utf8.h"
#include "text/byte_alphabet.h"

namespace bittern::text {
namespace {

using Ids = std::vector<int32_t>;

std::string in_alphabet(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) utf8::append(text, alphabet_of_byte(static_cast<unsigned char>(c)));
  return text;
}

void add_token(VocabSpec& spec, std::string_view text) {
  spec.tokens.emplace_back(text);
  spec.kinds.push_back(TokenKind::normal);
}

// Every byte, then `count` merges of random tokens, over few different bytes.
VocabSpec random_vocabulary(std::mt19937& random, int count) {
  VocabSpec spec;
  spec.source = "test";
  for (int byte = 0; byte < 256; ++byte)
    add_token(spec, in_alphabet(std::string(1, static_cast<char>(byte))));
  std::map<std::string, bool> known;
  const auto pick = [&] {
    const size_t made = spec.tokens.size() - 256;
    return made > 0 && random() % 2 == 0 ? spec.tokens[256 + random() % made]
                                         : spec.tokens["ab \xc3"[random() % 4] & 0xff];
  };
  while (static_cast<int>(spec.merges.size()) < count) {
    const std::string left = pick(), right = pick();
    if (left.size() + right.size() > 24) continue;
    if (!known[left + right]) add_token(spec, left + right);
    known[left + right] = true;
    spec.merges.emplace_back(left, right);
  }
  return spec;
}

// The definition, over texts of tokens.
std::vector<std::string> merged(const VocabSpec& spec, std::vector<std::string> symbols) {
  std::map<std::pair<std::string, std::string>, size_t> ranks;
  for (size_t i = 0; i < spec.merges.size(); ++i) {
    ranks[{std::string(spec.merges[i].first), std::string(spec.merges[i].second)}] = i;
  }
  for (;;) {
    size_t best = spec.merges.size(), at = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto it = ranks.find({symbols[i], symbols[i + 1]});
      if (it == ranks.end() || it->second >= best) continue;
      best = it->second;
      at = i;
    }
    if (best == spec.merges.size()) return symbols;
    symbols[at] += symbols[at + 1];
    symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(at) + 1);
  }
}

std::vector<std::string> texts_of(const VocabSpec& spec, const Ids& ids) {
  std::vector<std::string> texts;
  for (const int32_t id : ids) texts.push_back(spec.tokens[static_cast<size_t>(id)]);
  return texts;
}

// Pieces on both sides of the length from which a heap is used.
TEST(Bpe, IsTheDefinition) {
  const uint32_t seed = 20261121;
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  for (int vocabulary = 0; vocabulary < 12; ++vocabulary) {
    const VocabSpec spec = random_vocabulary(random, 20 + vocabulary * 10);
    const TokenTable table(spec);
    const Bpe bpe(spec, table);
    Bpe::Workspace work;
    for (int round = 0; round < 200; ++round) {
      std::string piece(random() % 80 + 1, ' ');
      std::vector<std::string> symbols;
      Ids first;
      for (char& c : piece) {
        c = "ab \xc3"[random() % 4];
        symbols.push_back(in_alphabet(std::string(1, c)));
        first.push_back(static_cast<unsigned char>(c));
      }
      const auto wanted = merged(spec, symbols);
      Ids ids, from_ids = {42};
      bpe.encode_piece(piece, work, ids);
      ASSERT_EQ(texts_of(spec, ids), wanted) << piece;
      bpe.merge(first, work, from_ids);
      from_ids.erase(from_ids.begin());
      ASSERT_EQ(from_ids, ids);
    }
  }
}

TEST(Bpe, MergeOfNothingAndOfOne) {
  std::mt19937 random(1);
  const VocabSpec spec = random_vocabulary(random, 10);
  const TokenTable table(spec);
  const Bpe bpe(spec, table);
  Bpe::Workspace work;
  Ids out;
  bpe.merge({}, work, out);
  EXPECT_TRUE(out.empty());
  bpe.merge(Ids{7}, work, out);
  EXPECT_EQ(out, Ids{7});
}

// With a prefix of all symbols but the first, a merge joins what is behind the prefix.
TEST(Bpe, ContinuingPrefix) {
  VocabSpec spec;
  spec.continuing_prefix = "##";
  for (const char* token : {"a", "##b", "ab", "##bb"}) add_token(spec, token);
  spec.merges.emplace_back("a", "##b");
  const TokenTable table(spec);
  const Bpe bpe(spec, table);
  Bpe::Workspace work;
  Ids out;
  bpe.merge(Ids{0, 1, 1}, work, out);
  EXPECT_EQ(out, (Ids{2, 1}));
}

TEST(Bpe, RefusesMergesOfUnknownTokens) {
  const std::pair<const char*, const char*> cases[] = {
      {"a", "x"}, {"x", "a"}, {"b", "a"}, {"", "a"}};
  for (const auto& [left, right] : cases) {
    VocabSpec spec;
    spec.source = "file";
    for (const char* token : {"a", "b", "ab"}) add_token(spec, token);
    spec.merges.emplace_back("a", "b");
    spec.merges.emplace_back(left, right);
    const TokenTable table(spec);
    try {
      const Bpe bpe(spec, table);
      ADD_FAILURE() << left << ' ' << right;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_input);
      EXPECT_NE(std::string(error.message()).find("merge 1"), std::string::npos);
    }
  }
}

// Two tokens of one text: a merge makes the one of the lower id, whatever was made before.
TEST(Bpe, TheLowestOfEqualTokens) {
  VocabSpec spec;
  for (const char* token : {"a", "b", "c", "bc", "ab", "bc"}) add_token(spec, token);
  spec.merges.emplace_back("a", "b");
  spec.merges.emplace_back("b", "c");
  const TokenTable table(spec);
  const Bpe bpe(spec, table);
  Bpe::Workspace work;
  Ids out;
  bpe.merge(Ids{1, 2}, work, out);
  EXPECT_EQ(out, Ids{3});
}

// O(n log n): a quadratic merge of a megabyte would not return.
TEST(Bpe, LongPiece) {
  std::mt19937 random(3);
  const VocabSpec spec = random_vocabulary(random, 60);
  const TokenTable table(spec);
  const Bpe bpe(spec, table);
  Bpe::Workspace work;
  std::string piece;
  while (piece.size() < 1'000'000) piece += "ab a";
  Ids out;
  bpe.encode_piece(piece, work, out);
  size_t total = 0;
  for (const int32_t id : out) total += table.bytes(id).size();
  EXPECT_EQ(total, piece.size());
}

}  // namespace
}  // namespace bittern::text
