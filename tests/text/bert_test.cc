// BERT's stages do many characters at once; the same stages one by one say what must come out. What
// `tokenizers` makes of them is in vocab_stages_test.cc.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "text/normalizer.h"
#include "text/pre_tokenizer.h"

namespace bittern::text {
namespace {

// Letters, punctuation, whitespace, controls and marks, ASCII and not, in runs of any length.
std::string random_text(std::mt19937& random) {
  static const std::vector<std::string> kParts = {"a",
                                                  "Q",
                                                  "7",
                                                  " ",
                                                  "\t",
                                                  "\n",
                                                  ".",
                                                  "#",
                                                  "_",
                                                  std::string(1, '\0'),
                                                  "\x01",
                                                  "\x7f",
                                                  "\xc3\xa9",
                                                  "\xc3\x89",
                                                  "\xcc\x81",
                                                  "\xc2\xa0",
                                                  "\xc2\xab",
                                                  "\xe2\x80\x94",
                                                  "\xe3\x80\x82",
                                                  "\xe4\xb8\x96",
                                                  "\xe3\x80\x80",
                                                  "\xef\xbf\xbd",
                                                  "\xe2\x80\x8b",
                                                  "\xf0\x9f\x98\x80",
                                                  "\xc4\xb0",
                                                  "\xe1\xba\x9b\xcc\xa3"};
  std::string text;
  const size_t most = random() % 8 == 0 ? 100 : 8;
  for (size_t i = random() % 12 + 1; i > 0; --i) {
    const bool any = random() % 2 == 0;
    const std::string& part = kParts[random() % kParts.size()];
    for (size_t j = random() % most + 1; j > 0; --j)
      text += any ? kParts[random() % kParts.size()] : part;
  }
  return text;
}

VocabSpec with_normalizers(std::vector<NormalizerStep> steps) {
  VocabSpec spec;
  spec.normalizers = std::move(steps);
  return spec;
}

NormalizerStep bert(const BertOptions& options) {
  NormalizerStep step{.kind = NormalizerKind::bert};
  step.bert = options;
  return step;
}

TEST(Bert, NormalisesAsItsStepsDo) {
  const Normalizer at_once(with_normalizers({bert({})}));
  const Normalizer one_by_one(with_normalizers({
      bert({.chinese_chars = false, .strip_accents = false, .lowercase = false}),
      bert({.clean_text = false, .strip_accents = false, .lowercase = false}),
      {.kind = NormalizerKind::nfd},
      bert({.clean_text = false, .chinese_chars = false, .lowercase = false}),
      {.kind = NormalizerKind::lowercase},
  }));
  const uint32_t seed = 20261121;
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  size_t moved = 0;
  for (int round = 0; round < 5000; ++round) {
    const std::string text = random_text(random);
    std::string got = text, wanted = text;
    bool got_origin = true, wanted_origin = true;
    at_once.apply(got, got_origin);
    one_by_one.apply(wanted, wanted_origin);
    ASSERT_EQ(got, wanted) << text;
    ASSERT_EQ(got_origin, wanted_origin) << text;
    moved += got_origin ? 0 : 1;
  }
  EXPECT_GT(moved, 100u);
}

// Only the first character of the whole text moves the origin, not that of a run.
TEST(Bert, OriginMovesWithTheFirstCharacter) {
  const Normalizer normalizer(with_normalizers({bert({})}));
  const auto stays = [&](std::string text) {
    bool at_origin = true;
    normalizer.apply(text, at_origin);
    return at_origin;
  };
  for (const char* text : {"x", "x\x01", "\xc3\xa9\x01x", "\xc3\xa9\x01 a longer run",
                           "x\xef\xbf\xbd", "\xe4\xb8\x96\x01", " "})
    EXPECT_TRUE(stays(text)) << text;
  for (const char* text : {"\x01", "\x01x", "\xef\xbf\xbdx", "\xcc\x81x", "\xef\xbf\xbd\x01"})
    EXPECT_FALSE(stays(text)) << text;
}

std::vector<Pieces::Piece> pieces_of(std::vector<PreTokenizerStep> steps, std::string_view text,
                                     bool at_origin) {
  VocabSpec spec;
  spec.pre_tokenizers = std::move(steps);
  return PreTokenizer(spec).apply(text, at_origin).list;
}

TEST(Bert, CutsAsTwoStagesDo) {
  const PreTokenizerStep digits{.kind = PreTokenizerKind::digits};
  const PreTokenizerStep at_once{.kind = PreTokenizerKind::bert};
  const PreTokenizerStep spaces{.kind = PreTokenizerKind::whitespace_split};
  const PreTokenizerStep punctuation{.kind = PreTokenizerKind::punctuation,
                                     .behavior = SplitBehavior::isolated};
  const uint32_t seed = 20261122;
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 5000; ++round) {
    const std::string text = random_text(random);
    const bool at_origin = round % 2 == 0;
    // Behind another stage there are several pieces to cut.
    const auto got = pieces_of({digits, at_once}, text, at_origin);
    const auto wanted = pieces_of({digits, spaces, punctuation}, text, at_origin);
    ASSERT_EQ(got.size(), wanted.size()) << text;
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(got[i].begin, wanted[i].begin) << text;
      ASSERT_EQ(got[i].end, wanted[i].end) << text;
      ASSERT_EQ(got[i].at_origin, wanted[i].at_origin) << text;
    }
  }
}

}  // namespace
}  // namespace bittern::text
