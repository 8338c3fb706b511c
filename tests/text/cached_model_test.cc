// A text cut into remembered parts gives what the model gives for the whole, for random
// vocabularies with and without what makes cutting unsafe.
#include "text/cached_model.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <set>
#include <span>
#include <string>

#include "text/character_bpe.h"
#include "text/marked_text.h"
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

std::string marked(std::string_view text) {
  std::string out;
  append_marked(text, out);
  return out;
}

std::string unmarked(std::string_view text) {
  std::string out;
  append_unmarked(text, out);
  return out;
}

// As they would read in the text.
std::vector<std::string> parts_of(const SafeCuts& cuts, std::string_view text) {
  const std::string whole = marked(text);
  std::vector<std::string> parts;
  std::array<std::string_view, SafeCuts::kBlock + 1> some;
  for (std::string_view rest = whole; !rest.empty();) {
    const size_t count = cuts.cut(rest, some);
    EXPECT_GT(count, 0u);
    for (const std::string_view part : std::span(some).first(count)) {
      EXPECT_TRUE(rest.starts_with(part) && !part.empty());
      EXPECT_EQ(rest.data(), part.data());
      parts.push_back(unmarked(part));
      rest.remove_prefix(part.size());
    }
  }
  return parts;
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
      Ids wanted, got, of_marked;
      plain.encode(text, scratch, wanted);
      cached.encode({text, {{0, text.size(), true}}}, scratch, got);
      ASSERT_EQ(got, wanted) << vocabulary << ' ' << text;
      cached.encode_marked(marked(text), scratch, of_marked);
      ASSERT_EQ(of_marked, wanted) << vocabulary << ' ' << text;
      cut += parts_of(cuts, text).size() > 1 ? 1 : 0;
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

std::vector<std::string> parts_of(const VocabSpec& spec, std::string_view text) {
  return parts_of(SafeCuts(spec), text);
}

using Parts = std::vector<std::string>;

TEST(SafeCuts, BetweenWords) {
  const std::string text =
      "\xe2\x96\x81\xe2\x96\x81"
      "ab\xe2\x96\x81"
      "ab";
  EXPECT_EQ(parts_of(words(), text), (Parts{text.substr(0, 8), text.substr(8)}));
  EXPECT_EQ(parts_of(words(), "ba"), (Parts{"b", "a"}));  // nothing joins b and a
  EXPECT_EQ(parts_of(words(), "ab"), Parts{"ab"});
  EXPECT_EQ(parts_of(words(), "bz"), Parts{"bz"});  // z may be unknown
  EXPECT_EQ(parts_of(words(), "b\xc3\xa9"), Parts{"b\xc3\xa9"});
}

// Parts that are shorter and longer than what is looked at at once.
TEST(SafeCuts, AnyNumberAndLength) {
  for (size_t size = 1; size < 300; ++size) {
    EXPECT_EQ(parts_of(words(), std::string(size, 'b')).size(), size);
    EXPECT_EQ(parts_of(words(), std::string(size, 'z')), Parts{std::string(size, 'z')});
    const std::string both = std::string(size, 'z') + std::string(size, 'b');
    EXPECT_EQ(parts_of(words(), both).size(), size) << size;  // zz...zb, b, b, ...
  }
}

// Where no character is unknown, there are cuts beside those that are not ASCII as well.
TEST(SafeCuts, BesideOtherCharacters) {
  VocabSpec spec = words();
  spec.byte_fallback = true;
  for (int byte = 0; byte < 256; ++byte)
    add_token(spec, fmt::format("<0x{:02X}>", byte), TokenKind::byte);
  const std::string text =
      "\xc3\xa9\xe2\x96\x80\xe2\x96\x81"
      "ab\xf0\x9f\x98\x80z";
  EXPECT_EQ(parts_of(spec, text), (Parts{"\xc3\xa9", "\xe2\x96\x80",
                                         "\xe2\x96\x81"
                                         "ab",
                                         "\xf0\x9f\x98\x80", "z"}));
  spec.merges.emplace_back("b", "\xc3\xa9");
  EXPECT_EQ(parts_of(spec, text), (Parts{"\xc3\xa9", "\xe2\x96\x80",
                                         "\xe2\x96\x81"
                                         "ab\xf0\x9f\x98\x80",
                                         "z"}));
  spec.merges.emplace_back("\xc3\xa9", "\xc3\xa9");
  spec.merges.emplace_back("\xc3\xa9", "\xe2\x96\x81");
  EXPECT_EQ(parts_of(spec, text), (Parts{text.substr(0, 14), "z"}));
  spec.kinds.back() =
      TokenKind::control;  // no text becomes <0xFF>, so what is not ASCII may be unknown
  EXPECT_EQ(parts_of(spec, text), Parts{text});
}

TEST(SafeCuts, NoneWithoutAProof) {
  const std::string text =
      "ab\xe2\x96\x81"
      "ab";
  EXPECT_TRUE(SafeCuts(words()).any());
  EXPECT_EQ(parts_of(words(), text).size(), 2u);
  const auto expect_whole = [&](void (*change)(VocabSpec&)) {
    VocabSpec spec = words();
    change(spec);
    EXPECT_EQ(parts_of(spec, text), Parts{text});
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

}  // namespace
}  // namespace bittern::text
