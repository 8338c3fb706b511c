// A text cut into remembered parts gives what the model gives for the whole, for random
// vocabularies with and without what makes cutting unsafe.
#include "text/cached_model.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "text/character_bpe.h"
#include "text/sentencepiece_bpe.h"

namespace bittern::text {
namespace {

using Ids = std::vector<int32_t>;

constexpr const char* kAlphabet[] = {"a", "b", "\xe2\x96\x81", ".", "\n", "\xc3\xa9", ">"};
constexpr const char* kStrangers[] = {"z", "\xe4\xb8\x96", "!", "\xe2\x96\x80"};

void add_token(VocabSpec& spec, std::string_view text, TokenKind kind = TokenKind::normal) {
  spec.tokens.emplace_back(text);
  spec.kinds.push_back(kind);
}

struct Traits {
  bool unknown = true, bytes = false, fuse = false, newline = true;
};

// Characters, then tokens that join two, whose "▁" comes first but for a few.
VocabSpec random_vocabulary(std::mt19937& random, TokenizerModel model, const Traits& traits) {
  VocabSpec spec;
  spec.source = "test";
  spec.model = model;
  spec.fuse_unknown = traits.fuse;
  spec.byte_fallback = traits.bytes;
  if (traits.unknown) {
    spec.unknown = 0;
    add_token(spec, "<unk>", TokenKind::unknown);
  }
  for (int byte = 0; byte < 256 && traits.bytes; ++byte)
    add_token(spec, fmt::format("<0x{:02X}>", byte), TokenKind::byte);
  const size_t first = spec.tokens.size();
  std::set<std::string> known;
  for (const std::string text : kAlphabet) {
    if (text == "\n" && !traits.newline) continue;
    known.insert(text);
    add_token(spec, text);
  }
  while (spec.merges.size() < 25) {
    const auto pick = [&] { return spec.tokens[first + random() % (spec.tokens.size() - first)]; };
    const std::string left = pick(), right = pick();
    const bool joins_words = right.starts_with("\xe2\x96\x81") && !left.ends_with("\xe2\x96\x81");
    if (left.size() + right.size() > 12 || (joins_words && random() % 8 != 0)) continue;
    if (known.insert(left + right).second) add_token(spec, left + right);
    spec.merges.emplace_back(left, right);
  }
  for (size_t i = 0; i < spec.tokens.size(); ++i)
    spec.scores.push_back(static_cast<double>(random() % 20));
  return spec;
}

std::string random_text(std::mt19937& random) {
  std::string text;
  for (size_t i = random() % 60 + 1; i > 0; --i)
    text += random() % 10 == 0 ? kStrangers[random() % std::size(kStrangers)]
                               : kAlphabet[random() % std::size(kAlphabet)];
  return text;
}

template <typename Model>
void compare(TokenizerModel kind) {
  const uint32_t seed = 20261121;
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  size_t cut = 0;
  for (int vocabulary = 0; vocabulary < 48; ++vocabulary) {
    const Traits traits{vocabulary % 2 == 0, vocabulary % 4 >= 2, vocabulary % 8 >= 4,
                        vocabulary % 16 >= 8};
    const VocabSpec spec = random_vocabulary(random, kind, traits);
    const Model plain(spec);
    const CachedModel cached(std::make_unique<Model>(spec), spec);
    const SafeCuts cuts(spec);
    ModelScratch scratch;
    for (int round = 0; round < 150; ++round) {
      const std::string text = random_text(random);
      Ids wanted, got;
      plain.encode(text, scratch, wanted);
      cached.encode(text, scratch, got);
      ASSERT_EQ(got, wanted) << vocabulary << ' ' << text;
      SafeCuts::Packed packed{};
      cut += cuts.first_part(text, packed) < text.size() ? 1 : 0;
    }
  }
  EXPECT_GT(cut, 1000u);  // or nothing was tried
}

TEST(CachedModel, CharacterBpe) { compare<CharacterBpe>(TokenizerModel::bpe); }
TEST(CachedModel, SentencePieceBpe) {
  compare<SentencePieceBpe>(TokenizerModel::sentencepiece_bpe);
}

// As Llama 2 has it: no merge joins a character to a space behind it.
VocabSpec words() {
  VocabSpec spec;
  spec.model = TokenizerModel::bpe;
  spec.unknown = 0;
  add_token(spec, "<unk>", TokenKind::unknown);
  for (const char* token : {"\xe2\x96\x81", "a", "b", "ab",
                            "\xe2\x96\x81"
                            "ab"})
    add_token(spec, token);
  spec.merges.emplace_back("a", "b");
  spec.merges.emplace_back("\xe2\x96\x81", "ab");
  spec.merges.emplace_back("\xe2\x96\x81", "a");
  spec.merges.emplace_back("\xe2\x96\x81", "\xe2\x96\x81");
  return spec;
}

std::string_view first_part(const VocabSpec& spec, std::string_view text) {
  SafeCuts::Packed packed{};
  return text.substr(0, SafeCuts(spec).first_part(text, packed));
}

TEST(SafeCuts, BetweenWords) {
  const std::string text =
      "\xe2\x96\x81\xe2\x96\x81"
      "ab\xe2\x96\x81"
      "ab";
  EXPECT_EQ(first_part(words(), text), text.substr(0, 8));
  EXPECT_EQ(first_part(words(), "ba"), "b");  // nothing joins b and a
  EXPECT_EQ(first_part(words(), "ab"), "ab");
  EXPECT_EQ(first_part(words(), "bz"), "bz");  // z may be unknown
  EXPECT_EQ(first_part(words(), "b\xc3\xa9"), "b\xc3\xa9");
}

TEST(SafeCuts, NoneWithoutAProof) {
  const std::string text =
      "ab\xe2\x96\x81"
      "ab";
  EXPECT_NE(first_part(words(), text), text);
  const auto expect_whole = [&](void (*change)(VocabSpec&)) {
    VocabSpec spec = words();
    change(spec);
    EXPECT_EQ(first_part(spec, text), text);
  };
  expect_whole([](VocabSpec& s) { s.merges.emplace_back("b", "\xe2\x96\x81"); });
  expect_whole([](VocabSpec& s) {
    s.merges.emplace_back("ab",
                          "\xe2\x96\x81"
                          "ab");
  });
  expect_whole([](VocabSpec& s) { s.merges.emplace_back("<unk>", "a"); });
  expect_whole([](VocabSpec& s) { s.merges.emplace_back("<0x41>", "a"); });
  expect_whole([](VocabSpec& s) { s.ignore_merges = true; });
  expect_whole([](VocabSpec& s) { s.continuing_prefix = "##"; });
  expect_whole([](VocabSpec& s) { s.end_of_word_suffix = "</w>"; });
  expect_whole([](VocabSpec& s) { s.model = TokenizerModel::unigram; });
  expect_whole([](VocabSpec& s) { s.tokens[1] = s.tokens[2]; });  // "▁" may be unknown
}

TEST(SafeCuts, PackedPartsDiffer) {
  const SafeCuts cuts(words());
  std::set<std::string> seen;
  for (const std::string text : {"a", "ab", "\xe2\x96\x81", "\xe2\x96\x81\xe2\x96\x81", " ",
                                 "\xe2\x96\x81"
                                 "a",
                                 "a\xc3\xa9", "z"}) {
    SafeCuts::Packed packed{};
    EXPECT_EQ(cuts.first_part(text, packed), text.size());
    EXPECT_TRUE(packed.fits());
    EXPECT_TRUE(seen.insert(std::string(packed.view())).second) << text;
  }
  SafeCuts::Packed packed{};
  const std::string ab(100, 'z');
  EXPECT_EQ(cuts.first_part(ab, packed), ab.size());
  EXPECT_FALSE(packed.fits());
  EXPECT_TRUE(packed.view().empty());
}

}  // namespace
}  // namespace bittern::text
