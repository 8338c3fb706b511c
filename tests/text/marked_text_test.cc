// Marked text is text with other bytes for "▁", and the one step that stands for a vocabulary's
// stages gives what the stages give.
#include "text/marked_text.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer.h"

namespace bittern::text {
namespace {

const std::string kMarkString(kMarkText);

std::string random_text(std::mt19937& random) {
  static const std::vector<std::string> kParts = {
      " ", " ", "a", "B", ".", "\n", kMarkString, "\xc3\xa9", "\xe2\x96\x80", "\xe4\xb8\x96"};
  std::string text;
  for (size_t i = random() % 20 + 1; i > 0; --i) text += kParts[random() % kParts.size()];
  return text;
}

std::string unmarked(std::string_view marked) {
  std::string out;
  append_unmarked(marked, out);
  return out;
}

TEST(MarkedText, ThereAndBack) {
  std::string out = "before";
  append_marked("x" + kMarkString + kMarkString + " \xe2\x96\x80", out);
  EXPECT_EQ(out, "beforex\xff\xff \xe2\x96\x80");
  out.clear();
  append_spaces_marked(" x  " + kMarkString, out);
  EXPECT_EQ(out, "\xffx\xff\xff\xff");
  EXPECT_EQ(unmarked(out), kMarkString + "x" + kMarkString + kMarkString + kMarkString);
  const uint32_t seed = 20261121;
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 1000; ++round) {
    const std::string text = random_text(random);
    out.clear();
    append_marked(text, out);
    EXPECT_EQ(out.find(kMarkText), std::string::npos);
    ASSERT_EQ(unmarked(out), text);
  }
}

NormalizerStep replace(std::string pattern, std::string content) {
  return {.kind = NormalizerKind::replace_text,
          .pattern = std::move(pattern),
          .content = std::move(content)};
}

NormalizerStep prepend(std::string content) {
  return {.kind = NormalizerKind::prepend, .content = std::move(content)};
}

NormalizerStep sentencepiece(bool prefix, bool every_segment) {
  NormalizerStep step{.kind = NormalizerKind::sentencepiece};
  step.sentencepiece = {.add_dummy_prefix = prefix,
                        .prefix_every_segment = every_segment,
                        .remove_extra_whitespaces = false};
  return step;
}

PreTokenizerStep metaspace(Prepend prepend) {
  PreTokenizerStep step{.kind = PreTokenizerKind::metaspace, .pattern = kMarkString};
  step.prepend = prepend;
  step.split = false;
  return step;
}

PreTokenizerStep at_spaces() {
  return {.kind = PreTokenizerKind::split_text,
          .pattern = " ",
          .behavior = SplitBehavior::merged_with_previous};
}

VocabSpec spec_of(std::vector<NormalizerStep> normalizers,
                  std::vector<PreTokenizerStep> pre_tokenizers = {}) {
  VocabSpec spec;
  spec.model = TokenizerModel::bpe;
  spec.tokens = {"<unk>", "<own>"};
  spec.kinds = {TokenKind::unknown, TokenKind::user_defined};
  spec.normalizers = std::move(normalizers);
  spec.pre_tokenizers = std::move(pre_tokenizers);
  return spec;
}

// What the stages make of a text, which is to be one piece.
std::string by_stages(const VocabSpec& spec, std::string text, bool at_origin) {
  Normalizer(spec).apply(text, at_origin);
  const Pieces pieces = PreTokenizer(spec).apply(text, at_origin);
  EXPECT_EQ(pieces.list.size(), 1u);
  return std::string(pieces.view(pieces.list.at(0)));
}

TEST(SpaceMarks, IsWhatTheStagesDo) {
  const std::vector<VocabSpec> specs = {
      spec_of({replace(" ", kMarkString)}),
      spec_of({replace(" ", kMarkString)}, {at_spaces()}),         // Gemma 3
      spec_of({prepend(kMarkString), replace(" ", kMarkString)}),  // Llama 2
      spec_of({replace(" ", kMarkString), prepend(kMarkString)}, {at_spaces(), at_spaces()}),
      spec_of({sentencepiece(false, false)}),
      spec_of({sentencepiece(true, false)}),
      spec_of({sentencepiece(true, true)}),
      spec_of({}, {metaspace(Prepend::never)}),
      spec_of({}, {metaspace(Prepend::first)}),
      spec_of({}, {metaspace(Prepend::always)}),
  };
  const uint32_t seed = 20261121;
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  for (size_t i = 0; i < specs.size(); ++i) {
    const auto marks = space_marks(specs[i]);
    ASSERT_TRUE(marks) << i;
    for (int round = 0; round < 300; ++round) {
      const std::string text = random_text(random);
      const bool at_origin = round % 2 == 0;
      std::string marked;
      marks->append(text, at_origin, marked);
      ASSERT_EQ(unmarked(marked), by_stages(specs[i], text, at_origin)) << i << " '" << text << "'";
    }
  }
}

TEST(SpaceMarks, NothingElse) {
  const auto replacement = replace(" ", kMarkString);
  const std::vector<VocabSpec> specs = {
      spec_of({}),
      spec_of({replace(" ", "_")}),
      spec_of({replace("  ", kMarkString)}),
      spec_of({replacement, replacement}),
      spec_of({prepend(kMarkString)}),
      spec_of({prepend("_"), replacement}),
      spec_of({prepend(kMarkString), prepend(kMarkString), replacement}),
      spec_of({replacement, {.kind = NormalizerKind::nfc}}),
      spec_of({replacement}, {metaspace(Prepend::first)}),
      spec_of({}, {metaspace(Prepend::first), at_spaces()}),
  };
  for (size_t i = 0; i < specs.size(); ++i) EXPECT_FALSE(space_marks(specs[i])) << i;
}

TEST(SpaceMarks, NotWithOtherOptions) {
  const auto expect_none = [](VocabSpec spec, void (*change)(VocabSpec&)) {
    EXPECT_TRUE(space_marks(spec));
    change(spec);
    EXPECT_FALSE(space_marks(spec));
  };
  const VocabSpec pieces = spec_of({sentencepiece(true, false)});
  expect_none(pieces, [](VocabSpec& s) { s.normalizers[0].content = "charsmap"; });
  expect_none(pieces, [](VocabSpec& s) { s.sentencepiece_symbols = true; });
  expect_none(pieces,
              [](VocabSpec& s) { s.normalizers[0].sentencepiece.remove_extra_whitespaces = true; });
  expect_none(pieces,
              [](VocabSpec& s) { s.normalizers[0].sentencepiece.escape_whitespaces = false; });
  expect_none(pieces,
              [](VocabSpec& s) { s.normalizers[0].sentencepiece.whitespace_as_suffix = true; });
  const VocabSpec metaspaces = spec_of({}, {metaspace(Prepend::first)});
  expect_none(metaspaces, [](VocabSpec& s) { s.pre_tokenizers[0].pattern = "_"; });
  expect_none(metaspaces, [](VocabSpec& s) { s.pre_tokenizers[0].split = true; });
  const VocabSpec gemma = spec_of({replace(" ", kMarkString)}, {at_spaces()});
  expect_none(gemma, [](VocabSpec& s) { s.pre_tokenizers[0].pattern = "a"; });
  expect_none(gemma, [](VocabSpec& s) { s.pre_tokenizers[0].invert = true; });
  expect_none(gemma,
              [](VocabSpec& s) { s.pre_tokenizers[0].kind = PreTokenizerKind::split_regex; });
}

// The same vocabulary with the stages one by one: a normaliser that never applies stands among
// them. Added tokens are raw, so a text comes in several segments.
TEST(SpaceMarks, EncodesAsTheStagesDo) {
  VocabSpec spec = spec_of({prepend(kMarkString), replace(" ", kMarkString)});
  for (const std::string& token :
       {kMarkString, std::string("a"), std::string("B"), std::string("."), kMarkString + "a",
        kMarkString + kMarkString}) {
    spec.tokens.push_back(token);
    spec.kinds.push_back(TokenKind::normal);
  }
  spec.merges = {{kMarkString, "a"}, {kMarkString, kMarkString}};
  spec.unknown = 0;
  spec.added.push_back({.id = 1, .content = "\n", .special = false});
  VocabSpec other = spec;
  other.normalizers.push_back(replace("never there", ""));
  ASSERT_TRUE(space_marks(spec));
  ASSERT_FALSE(space_marks(other));
  const auto one = Tokenizer::build(spec), two = Tokenizer::build(other);
  const uint32_t seed = 20261121;
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 2000; ++round) {
    const std::string text = random_text(random);
    ASSERT_EQ(one->encode(text), two->encode(text)) << text;
  }
}

}  // namespace
}  // namespace bittern::text
