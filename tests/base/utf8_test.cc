// UTF-8 against Unicode 15 table 3-7: well-formed, overlong, surrogates, truncated, too large.

#include "base/utf8.h"

#include <gtest/gtest.h>

namespace bittern::utf8 {
namespace {

// Bytes of a code point by the definition, not by the code under test.
std::string encoded(uint32_t c) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xc0 | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xe0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | c >> 18), tail(12), tail(6), tail(0)};
}

TEST(Utf8, EveryCodePointBothWaysAndNoSurrogate) {
  for (uint32_t c = 0; c < 0x120000; ++c) {
    const bool valid = c < 0x110000 && (c < 0xd800 || c > 0xdfff);
    const std::string text = encoded(c);
    const Decoded decoded = decode(text);
    ASSERT_EQ(decoded.valid, valid) << c;
    ASSERT_FALSE(decoded.incomplete) << c;
    if (!valid) {
      ASSERT_EQ(decoded.code_point, 0xfffdu) << c;
      ASSERT_EQ(decoded.length, 1u) << c;
      continue;
    }
    ASSERT_EQ(decoded.code_point, c);
    ASSERT_EQ(decoded.length, text.size());
    std::string out;
    append(out, c);
    ASSERT_EQ(out, text);
  }
}

struct Case {
  std::string_view bytes;
  size_t length;  // of the maximal invalid subpart
  bool incomplete;
};

TEST(Utf8, InvalidSequences) {
  const Case cases[] = {
      {"\x80", 1, false},              // stray tail
      {"\xbf x", 1, false},            //
      {"\xc0\x80", 1, false},          // overlong NUL
      {"\xc1\xbf", 1, false},          // overlong DEL
      {"\xe0\x80\x80", 1, false},      // overlong, three bytes
      {"\xe0\x9f\xbf", 1, false},      //
      {"\xf0\x80\x80\x80", 1, false},  // overlong, four bytes
      {"\xf0\x8f\xbf\xbf", 1, false},  //
      {"\xed\xa0\x80", 1, false},      // first surrogate
      {"\xed\xbf\xbf", 1, false},      // last surrogate
      {"\xf4\x90\x80\x80", 1, false},  // U+110000
      {"\xf5\x80\x80\x80", 1, false},  // lead past the range
      {"\xfe", 1, false},              //
      {"\xff", 1, false},              //
      {"\xc3", 1, true},               // truncated, two bytes
      {"\xe2", 1, true},               // truncated, three bytes
      {"\xe2\x82", 2, true},           //
      {"\xf0\x9f", 2, true},           // truncated, four bytes
      {"\xf0\x9f\x98", 3, true},       //
      {"\xc3(", 1, false},             // tail expected, letter found
      {"\xe2\x82(", 2, false},         //
      {"\xf0\x9f\x98(", 3, false},     //
      {"\xe2\x82\xe2", 2, false},      // a lead where a tail should be
  };
  for (const Case& one : cases) {
    const Decoded decoded = decode(one.bytes);
    EXPECT_FALSE(decoded.valid) << testing::PrintToString(one.bytes);
    EXPECT_EQ(decoded.code_point, 0xfffdu) << testing::PrintToString(one.bytes);
    EXPECT_EQ(decoded.length, one.length) << testing::PrintToString(one.bytes);
    EXPECT_EQ(decoded.incomplete, one.incomplete) << testing::PrintToString(one.bytes);
    EXPECT_FALSE(is_valid(one.bytes));
    EXPECT_FALSE(is_valid(std::string("ok ") + std::string(one.bytes)));
  }
}

TEST(Utf8, ValidTexts) {
  EXPECT_TRUE(is_valid(""));
  EXPECT_TRUE(is_valid("plain"));
  EXPECT_TRUE(is_valid("\xed\x9f\xbf\xee\x80\x80"));  // around the surrogates
  EXPECT_TRUE(is_valid("\xf4\x8f\xbf\xbf"));          // U+10FFFF
}

}  // namespace
}  // namespace bittern::utf8
