#include "text/split_deepseek.h"

namespace bittern::text::scan {
namespace {

constexpr Category kWord = kLetter | kMark;
constexpr Category kAnyCategory = 0xff;
constexpr Category kPunctuationOrSymbol = kPunctuation | kSymbol;

// [\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]
bool is_han_or_kana(Char c) {
  return (c.code_point >= 0x4e00 && c.code_point <= 0x9fa5) ||
         (c.code_point >= 0x3040 && c.code_point <= 0x30ff);
}

// The third stage sees what the first two leave, and the runs of the second each for itself.
struct OutsideOfRuns {
  static bool stops(Char c) { return c.is(kNumber) || is_han_or_kana(c); }
};
struct InsideOfRun {
  static bool stops(Char c) { return !is_han_or_kana(c); }
};

// Whether the third stage matches nothing at a character that is `c`.
template <typename Stop>
bool is_passed_over(Char c, Place at, Place end) {
  return c.is_not(kAnyCategory) && !char_at<Stop>(at + c.length, end).is(kWord);
}

template <typename Stop>
Place third_stage(Place at, Place end, Char c) {
  if (c.is(kWord)) return skip_word<Stop>(at, end, kWord);
  const Place behind = at + c.length;
  if (c.length == 1 && c.is(kPunctuationOrSymbol)) {
    if (const Place next = skip_ascii<true>(behind, end); next != behind) return next;
  }
  if (!c.is_line_end() && !c.is(kPunctuationOrSymbol) && char_at<Stop>(behind, end).is(kWord)) {
    return skip_word<Stop>(behind, end, kWord);
  }
  const Place start = *at == ' ' ? behind : at;
  if (char_at<Stop>(start, end).is(kPunctuationOrSymbol)) {
    Place next = skip<Stop>(start, end, kPunctuationOrSymbol);
    while (char_at<Stop>(next, end).is_line_end()) ++next;
    return next;
  }
  if (c.is(kSpace)) return whitespace_or_lines<Stop>(at, end);
  Place next = behind;
  for (Char d = char_at<Stop>(next, end); is_passed_over<Stop>(d, next, end);
       d = char_at<Stop>(next, end)) {
    next += d.length;
  }
  return next;
}

}  // namespace

Place deepseek_v3_piece(Place at, Place end) {
  const Char c = decode(at, end);
  if (c.is(kNumber)) return numbers<NoStop>(at, end, 3);
  if (is_han_or_kana(c)) return third_stage<InsideOfRun>(at, end, c);
  return third_stage<OutsideOfRuns>(at, end, c);
}

}  // namespace bittern::text::scan
