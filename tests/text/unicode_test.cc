// The tables against what `tokenizers` answered for every code point, and NFC against Python.
#include "text/unicode.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/utf8.h"
#include "text/golden.h"
#include "text/nfc.h"

namespace bittern::text {
namespace {

bool is_surrogate(uint32_t code_point) { return code_point >= 0xd800 && code_point < 0xe000; }

void expect_property(const json::Value& golden, std::string_view name, Properties bit) {
  std::vector<bool> want(0x110000);
  size_t at = 0;
  const std::vector<int32_t> runs = integers(*golden.find(name));
  for (size_t i = 0; i + 1 < runs.size(); i += 2) {
    at += static_cast<size_t>(runs[i]);
    for (int32_t k = 0; k < runs[i + 1]; ++k) want[at++] = true;
  }
  size_t wrong = 0;
  for (uint32_t code_point = 0; code_point < 0x110000; ++code_point) {
    if (is_surrogate(code_point)) continue;
    const bool got = (properties(code_point) & bit) != 0;
    if (got != want[code_point] && ++wrong <= 5) {
      ADD_FAILURE() << name << fmt::format(" U+{:04X}: got {}", code_point, got);
    }
  }
  EXPECT_EQ(wrong, 0u) << name;
}

TEST(Unicode, PropertiesEqualThePackages) {
  const auto golden = read_golden("properties.json");
  expect_property(golden->root(), "letter", kLetter);
  expect_property(golden->root(), "number", kNumber);
  expect_property(golden->root(), "mark", kMark);
  expect_property(golden->root(), "space", kSpace);
  expect_property(golden->root(), "word", kWord);
  expect_property(golden->root(), "digit", kDigit);
}

TEST(Unicode, OutOfRangeHasNoProperties) {
  EXPECT_EQ(properties(0x110000), 0);
  EXPECT_EQ(properties(0xffffffff), 0);
  EXPECT_EQ(properties(0xd800), 0);
}

TEST(Nfc, EveryCharacterThatChanges) {
  const auto golden = read_golden("nfc.json");
  std::vector<bool> changes(0x110000);
  for (const json::Value& row : golden->root().find("singles")->elements("singles")) {
    const auto pair = row.elements("single");
    std::string text;
    utf8::append(text, static_cast<uint32_t>(pair.at(0).as_integer("code point")));
    EXPECT_EQ(to_nfc(text), pair.at(1).as_string("nfc")) << text;
    EXPECT_FALSE(is_surely_nfc(text)) << text;
    changes[static_cast<size_t>(pair.at(0).as_integer("code point"))] = true;
  }
  for (uint32_t code_point = 0; code_point < 0x110000; ++code_point) {
    if (changes[code_point] || is_surrogate(code_point)) continue;
    std::string text;
    utf8::append(text, code_point);
    ASSERT_EQ(to_nfc(text), text) << fmt::format("U+{:04X}", code_point);
  }
}

TEST(Nfc, Sequences) {
  const auto golden = read_golden("nfc.json");
  for (const std::string_view key : {"sequences", "inert"}) {
    for (const json::Value& row : golden->root().find(key)->elements(key)) {
      const auto pair = row.elements("sequence");
      const std::string_view text = pair.at(0).as_string("text");
      const std::string_view want = pair.at(1).as_string("nfc");
      EXPECT_EQ(to_nfc(text), want) << text;
      EXPECT_EQ(to_nfc(want), want) << "idempotent: " << text;
      EXPECT_TRUE(!is_surely_nfc(text) || text == want) << text;
    }
  }
}

TEST(Nfc, HangulComposesAndSplits) {
  // Every syllable from its jamo; a tail joins a syllable without one only.
  for (uint32_t syllable = 0xac00; syllable < 0xd7a4; ++syllable) {
    const uint32_t index = syllable - 0xac00;
    std::string jamo, want;
    utf8::append(jamo, 0x1100 + index / 588);
    utf8::append(jamo, 0x1161 + index / 28 % 21);
    if (index % 28 != 0) utf8::append(jamo, 0x11a7 + index % 28);
    utf8::append(want, syllable);
    ASSERT_EQ(to_nfc(jamo), want);
  }
  EXPECT_EQ(to_nfc("\xea\xb0\x81\xe1\x86\xa8"), "\xea\xb0\x81\xe1\x86\xa8");
}

TEST(Nfc, QuickCheckPassesPlainText) {
  EXPECT_TRUE(is_surely_nfc(""));
  EXPECT_TRUE(is_surely_nfc("plain ASCII\n"));
  EXPECT_TRUE(is_surely_nfc("\xc3\xa9 \xe4\xbd\xa0 \xf0\x9f\x99\x82"));
  EXPECT_FALSE(is_surely_nfc("e\xcc\x81"));
}

// A run of marks in the worst order: sorted, not shuffled one place at a time.
TEST(Nfc, LongRunOfMarks) {
  std::string text = "a";
  std::string want = "a";
  for (int i = 0; i < 100'000; ++i) text += i % 2 == 0 ? "\xcc\xb4" : "\xcc\x95";
  text += "\xcc\xb4";
  for (int i = 0; i < 50'001; ++i) want += "\xcc\xb4";  // class 1 before class 232
  for (int i = 0; i < 50'000; ++i) want += "\xcc\x95";
  EXPECT_TRUE(to_nfc(text) == want);
}

}  // namespace
}  // namespace bittern::text
