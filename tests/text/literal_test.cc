// EncodeOptions::literal: what a user typed inside a rendered template never becomes a special
// token, through every tokeniser and normaliser.
#include <gtest/gtest.h>

#include <algorithm>

#include "text/golden.h"
#include "text/nfc.h"
#include "text/repair.h"
#include "text/tokenizer.h"

namespace bittern::text {
namespace {

// Characters and one special token "<s>"; `normalized` puts it behind the normaliser.
VocabSpec spec_of(TokenizerModel model, bool normalized) {
  VocabSpec spec;
  spec.source = "literal";
  spec.model = model;
  spec.split = "gpt-2";
  for (const char c : std::string("<s>abcdefgh")) spec.tokens.emplace_back(1, c);
  spec.tokens.emplace_back("<s>");
  spec.kinds.assign(spec.tokens.size(), TokenKind::normal);
  spec.kinds.back() = TokenKind::control;
  spec.added.push_back({.id = 11, .content = "<s>", .normalized = normalized});
  if (model != TokenizerModel::byte_level_bpe) {
    NormalizerStep drop;
    drop.kind = NormalizerKind::replace_text;
    drop.pattern = "h";
    spec.normalizers = {drop};
    spec.decoders.push_back({.kind = DecoderKind::fuse});
  }
  return spec;
}

int64_t specials(const Tokenizer& tokenizer, std::string_view text,
                 std::vector<TextRange> literal) {
  return std::ranges::count(tokenizer.encode(text, {.literal = literal}), 11);
}

TEST(Literal, SpecialTokensInsideAreText) {
  for (const TokenizerModel model : {TokenizerModel::byte_level_bpe, TokenizerModel::bpe}) {
    for (const bool normalized : {false, true}) {
      const auto tokenizer = Tokenizer::build(spec_of(model, normalized));
      const std::string text = "<s>hha<s>b<s>";  // "h" is what the normaliser drops
      EXPECT_EQ(specials(*tokenizer, text, {}), 3);
      EXPECT_EQ(specials(*tokenizer, text, {{3, 10}}), 2);
      EXPECT_EQ(specials(*tokenizer, text, {{3, 7}}), 2) << "one byte is enough";
      EXPECT_EQ(specials(*tokenizer, text, {{8, 9}}), 2);
      EXPECT_EQ(specials(*tokenizer, text, {{3, 6}}), 3) << "up to it is not inside";
      EXPECT_EQ(specials(*tokenizer, text, {{9, 10}}), 3);
      EXPECT_EQ(specials(*tokenizer, text, {{0, 1}, {12, 13}}), 1);
      EXPECT_EQ(specials(*tokenizer, text, {{0, 13}}), 0);
    }
  }
}

TEST(Literal, PlainTokensInsideStay) {
  VocabSpec spec = spec_of(TokenizerModel::byte_level_bpe, false);
  spec.added[0].special = false;
  spec.kinds.back() = TokenKind::user_defined;
  EXPECT_EQ(specials(*Tokenizer::build(spec), "a<s>", {{0, 4}}), 1);
}

TEST(Literal, RangesMoveWithRepairedBytes) {
  const std::string text = "\xff<s>\xff\xff<s>";
  const std::vector<TextRange> ranges = {{1, 4}};
  const RepairedText repaired(text, ranges);
  ASSERT_EQ(repaired.ranges().size(), 1u);
  EXPECT_EQ(repaired.text().substr(repaired.ranges()[0].begin, 3), "<s>");
  EXPECT_EQ(repaired.ranges()[0].end - repaired.ranges()[0].begin, 3u);
  const auto tokenizer = Tokenizer::build(spec_of(TokenizerModel::byte_level_bpe, false));
  EXPECT_EQ(specials(*tokenizer, text, {{1, 4}}), 1);
  EXPECT_EQ(specials(*tokenizer, text, {{6, 900}}), 1) << "past the end is cut";
}

TEST(NormalForms, Compatibility) {
  EXPECT_EQ(to_nfkc("\xef\xac\x81 \xe2\x91\xa0 \xef\xbc\xa1"),
            "fi 1 A");  // fi ligature, (1), full-width A
  EXPECT_EQ(to_nfd("\xc3\xa9"), "e\xcc\x81");
  EXPECT_EQ(to_nfkd("\xe1\xba\x9b\xcc\xa3"), "s\xcc\xa3\xcc\x87");  // marks in order
  EXPECT_EQ(to_nfkc("e\xcc\x81"), "\xc3\xa9");
  EXPECT_EQ(to_nfd("\xea\xb0\x81"), "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8");  // Hangul
  EXPECT_EQ(to_nfkd(""), "");
}

}  // namespace
}  // namespace bittern::text
