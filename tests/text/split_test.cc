// The scanners against Oniguruma's matches, as the `tokenizers` package reports them.
#include "text/split.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "base/utf8.h"
#include "text/golden.h"

namespace bittern::text {
namespace {

int64_t characters(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; });
}

std::vector<std::string_view> pieces(const Split& split, std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    out.push_back(text.substr(0, split.first_piece(text)));
    text.remove_prefix(out.back().size());
  }
  return out;
}

class SplitGolden : public testing::TestWithParam<const char*> {};

TEST_P(SplitGolden, CutsWhereTheExpressionDoes) {
  const auto golden = read_golden("pieces.json");
  const Split* split = find_split(GetParam());
  ASSERT_NE(split, nullptr);
  const auto texts = golden->root().find("strings")->elements("strings");
  const auto lengths = golden->root().find(GetParam())->elements("lengths");
  ASSERT_EQ(texts.size(), lengths.size());
  ASSERT_GT(texts.size(), 300u);
  for (size_t i = 0; i < texts.size(); ++i) {
    std::vector<int32_t> got;
    for (const std::string_view piece : pieces(*split, texts[i].as_string("text"))) {
      got.push_back(static_cast<int32_t>(characters(piece)));
    }
    EXPECT_EQ(got, integers(lengths[i])) << texts[i].as_string("text");
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, SplitGolden,
                         testing::Values("gpt-2", "smollm", "llama-bpe", "qwen2", "qwen35",
                                         "seed-coder", "ufakzeka", "gpt-4o", "tekken",
                                         "deepseek-v3"));

TEST(Split, EveryNameLeadsToARowOrToStages) {
  std::set<std::string_view> seen;
  for (const SplitName& name : split_names()) {
    EXPECT_TRUE(seen.insert(name.name).second) << name.name;
    EXPECT_EQ(find_split_name(name.name), &name);
    EXPECT_NE(known_splits().find(name.name), std::string::npos);
    const Split* split = find_split(name.name);
    EXPECT_EQ(split == nullptr ? "" : split->name, name.split);
    // The stages of a name with a row lead back to the row, those of another to none.
    const auto steps = steps_of(name);
    ASSERT_FALSE(steps.empty()) << name.name;
    EXPECT_EQ(split_for_steps(steps), split) << name.name;
  }
  for (const Split& split : splits()) EXPECT_EQ(find_split(split.name), &split);
  EXPECT_EQ(find_split("default"), nullptr);
  EXPECT_EQ(find_split(""), nullptr);
  // Known to others, but not by their expressions.
  for (const char* name : {"default", "", "afmoe", "chameleon", "laguna", "youtu"}) {
    EXPECT_EQ(find_split_name(name), nullptr) << name;
  }
}

TEST(Split, NamesImplySettings) {
  EXPECT_TRUE(find_split_name("llama-bpe")->ignore_merges);
  EXPECT_TRUE(find_split_name("llama-bpe")->add_bos);
  EXPECT_TRUE(find_split_name("qwen2")->nfc);
  EXPECT_FALSE(find_split_name("gpt-2")->nfc);
  EXPECT_FALSE(find_split_name("dbrx")->ignore_merges);
}

PreTokenizerStep stage(PreTokenizerKind kind, std::string_view pattern = {}) {
  PreTokenizerStep step;
  step.kind = kind;
  step.pattern = pattern;
  step.behavior = SplitBehavior::isolated;
  step.individual = true;
  step.add_prefix_space = false;
  step.use_regex = false;
  return step;
}

// The stages as the golden file's generator wrote them, which is how tokenizer.json has them.
TEST(Split, StagesLeadToTheirRow) {
  const auto golden = read_golden("pieces.json");
  size_t rows = 0;
  for (const auto& [name, stages] : golden->root().find("stages")->members("stages")) {
    std::vector<PreTokenizerStep> steps;
    for (const json::Value& pattern : stages.elements("stage")) {
      steps.push_back(pattern.is(json::Kind::null)
                          ? stage(PreTokenizerKind::digits)
                          : stage(PreTokenizerKind::split_regex, pattern.as_string("stage")));
    }
    steps.push_back(stage(PreTokenizerKind::byte_level));
    if (name == "smollm") {  // GPT-2's expression is ByteLevel's own there
      steps.erase(steps.begin() + 1);
      steps.back().use_regex = true;
    }
    EXPECT_EQ(split_for_steps(steps), find_split(name)) << name;
    ++rows;
  }
  EXPECT_EQ(rows, splits().size());
}

TEST(Split, OtherStagesHaveNoRow) {
  using enum PreTokenizerKind;
  EXPECT_EQ(split_for_steps({}), nullptr);
  const auto gpt2 = steps_of(*find_split_name("gpt-2"));
  ASSERT_EQ(gpt2.size(), 1u);
  EXPECT_EQ(split_for_steps(std::vector{stage(byte_level)}), nullptr);  // without an expression
  EXPECT_EQ(split_for_steps(std::vector{stage(digits)}), nullptr);

  const auto llama = steps_of(*find_split_name("llama-bpe"));
  ASSERT_NE(split_for_steps(llama), nullptr);
  auto changed = llama;
  changed.back().use_regex = true;  // a second expression
  EXPECT_EQ(split_for_steps(changed), nullptr);
  changed = llama;
  changed[0].behavior = SplitBehavior::merged_with_next;
  EXPECT_EQ(split_for_steps(changed), nullptr);
  changed = llama;
  changed[0].pattern += ' ';
  EXPECT_EQ(split_for_steps(changed), nullptr);

  // The gaps between matches: none in Llama's text, some in DeepSeek's.
  changed = llama;
  changed[0].behavior = SplitBehavior::removed;
  EXPECT_EQ(split_for_steps(changed), nullptr);
  changed[0].invert = true;
  EXPECT_EQ(split_for_steps(changed), find_split("llama-bpe"));
  auto deepseek = steps_of(*find_split_name("deepseek-v3"));
  ASSERT_EQ(deepseek.size(), 4u);
  deepseek[2].behavior = SplitBehavior::removed;
  deepseek[2].invert = true;
  EXPECT_EQ(split_for_steps(deepseek), nullptr);

  // Digits in runs are not digits one by one.
  auto smollm = steps_of(*find_split_name("smollm"));
  ASSERT_EQ(smollm.size(), 2u);
  smollm[0].individual = false;
  EXPECT_EQ(split_for_steps(smollm), nullptr);
}

TEST(Split, ExpressionOfGpt2AsAStage) {
  const auto* spelling = &find_split("gpt-2")->spellings.front();
  std::vector steps = {stage(PreTokenizerKind::split_regex, spelling->front().pattern),
                       stage(PreTokenizerKind::byte_level)};
  EXPECT_EQ(split_for_steps(steps), find_split("gpt-2"));
  steps.back().add_prefix_space = true;  // which now comes behind the expression
  EXPECT_EQ(split_for_steps(steps), nullptr);
}

TEST(Split, RegexesLeadToTheirRow) {
  for (const Split& split : splits()) {
    for (const auto spelling : split.spellings) {
      if (spelling.size() != 1 || spelling[0].kind != PreTokenizerKind::split_regex) continue;
      EXPECT_EQ(split_name_for_regex(spelling[0].pattern), split.name);
    }
  }
  EXPECT_EQ(split_name_for_regex(R"(\p{N})"), "");
  EXPECT_EQ(split_name_for_regex(""), "");
}

// Falcon's ByteLevel, with its expression, stands between the stages.
TEST(Split, StagesOfFalcon) {
  using enum PreTokenizerKind;
  const auto steps = steps_of(*find_split_name("falcon"));
  ASSERT_EQ(steps.size(), 4u);
  EXPECT_EQ(steps[0].kind, punctuation);
  EXPECT_EQ(steps[0].behavior, SplitBehavior::contiguous);
  EXPECT_EQ(steps[1].kind, byte_level);
  EXPECT_TRUE(steps[1].use_regex);
  EXPECT_EQ(steps[2].kind, digits);
  EXPECT_FALSE(steps[2].individual);
  EXPECT_EQ(steps[3].pattern, "[0-9][0-9][0-9]");
}

// Any bytes: pieces are never empty, join to the text, and do not cut a character.
TEST(Split, HostileBytes) {
  const uint32_t seed = 20261121;
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  for (const Split& split : splits()) {
    for (int round = 0; round < 300; ++round) {
      std::string text(random() % 40 + 1, '\0');
      for (char& c : text) c = static_cast<char>(random() % 4 == 0 ? random() % 128 : random());
      size_t total = 0;
      for (const std::string_view piece : pieces(split, text)) {
        ASSERT_GT(piece.size(), 0u);
        total += piece.size();
      }
      ASSERT_EQ(total, text.size());
    }
  }
}

// Long runs of one class: a scanner that looked a run through once per piece would not return.
TEST(Split, LongRuns) {
  for (const Split& split : splits()) {
    for (const char* unit : {" ", "\n", " \n", "a", "1", "=", "'", "\t ", "\xe3\x80\x80", "A",
                             "\xc7\x85"
                             "AB",
                             "\xcc\x81", "\x01", "\xe4\xb8\x96", " A", "/\n"}) {
      std::string text;
      while (text.size() < 1'000'000) text += unit;
      size_t total = 0;
      for (const std::string_view piece : pieces(split, text)) total += piece.size();
      EXPECT_EQ(total, text.size());
    }
  }
}

}  // namespace
}  // namespace bittern::text
