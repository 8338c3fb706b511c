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

INSTANTIATE_TEST_SUITE_P(Rows, SplitGolden, testing::Values("gpt-2", "llama-bpe", "qwen2"));

TEST(Split, EveryNameLeadsToARow) {
  std::set<std::string_view> seen;
  for (const SplitName& name : split_names()) {
    EXPECT_TRUE(seen.insert(name.name).second) << name.name;
    ASSERT_NE(find_split(name.name), nullptr) << name.name;
    EXPECT_EQ(find_split(name.name)->name, name.split);
    EXPECT_NE(known_splits().find(name.name), std::string::npos);
  }
  for (const Split& split : splits()) EXPECT_EQ(find_split(split.name), &split);
  EXPECT_EQ(find_split("default"), nullptr);
  EXPECT_EQ(find_split(""), nullptr);
}

TEST(Split, NamesImplySettings) {
  EXPECT_TRUE(find_split_name("llama-bpe")->ignore_merges);
  EXPECT_TRUE(find_split_name("llama-bpe")->add_bos);
  EXPECT_TRUE(find_split_name("qwen2")->nfc);
  EXPECT_FALSE(find_split_name("gpt-2")->nfc);
  EXPECT_FALSE(find_split_name("dbrx")->ignore_merges);
}

TEST(Split, RegexesLeadToTheirRow) {
  for (const Split& split : splits()) {
    if (split.isolate_digits) continue;  // a Digits stage, not another expression
    for (const std::string_view regex : split.regexes) {
      EXPECT_EQ(split_name_for_regex(regex), split.name);
    }
  }
  // The expressions as the golden file's generator wrote them.
  const auto golden = read_golden("pieces.json");
  for (const auto& [name, regex] : golden->root().find("regexes")->members("regexes")) {
    EXPECT_EQ(split_name_for_regex(regex.as_string("regex")), name);
  }
  EXPECT_EQ(split_name_for_regex(R"(\p{N})"), "");
  EXPECT_EQ(split_name_for_regex(""), "");
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
    for (const char* unit : {" ", "\n", " \n", "a", "1", "=", "'", "\t ", "\xe3\x80\x80"}) {
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
