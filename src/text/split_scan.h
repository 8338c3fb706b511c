// What the scanners of split.h are made of: the category of the character at a place, runs of
// characters, and the parts that many reference expressions share. A scanner is a function from a
// place in a text to the end of the piece that begins there.
//
// Runs of ASCII letters, most of any text, are looked through eight bytes at a time; every other
// ASCII character is one table look, and only the rest is decoded.
//
// A scanner may stand behind an earlier stage of a sequence that isolates some characters (digits,
// say). Such a character ends the text for the scanner: a `Stop` tells which.
//
// Texts are valid UTF-8; other bytes give some answer, without a read outside of the text.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "text/unicode_table.h"

namespace bittern::text::scan {

// Exactly one of these bits, or none for controls, format characters and what is not assigned.
// Unicode 16.0, as in Oniguruma 6.9.10.
using Category = uint8_t;
inline constexpr Category kUpper = 1;         // Lu, Lt
inline constexpr Category kLower = 2;         // Ll
inline constexpr Category kOtherLetter = 4;   // Lm, Lo
inline constexpr Category kMark = 8;          // M
inline constexpr Category kNumber = 16;       // N
inline constexpr Category kSpace = 32;        // White_Space, which is \s
inline constexpr Category kPunctuation = 64;  // P
inline constexpr Category kSymbol = 128;      // S
inline constexpr Category kLetter = kUpper | kLower | kOtherLetter;

using Place = const unsigned char*;

struct Char {
  uint32_t code_point;
  uint32_t length;  // 0 at the end of the text
  Category category;

  bool is(Category wanted) const { return (category & wanted) != 0; }
  bool is_line_end() const { return code_point == '\n' || code_point == '\r'; }
  // Of a class [^...]: any character but these; not the end of the text.
  bool is_not(Category unwanted) const { return length > 0 && (category & unwanted) == 0; }
};

inline constexpr Char kEnd{0, 0, 0};

// Of a character that is not ASCII.
Char decode_wide(Place at, Place end);

inline Char decode(Place at, Place end) {
  if (at == end) return kEnd;
  if (*at < 0x80) return {*at, 1, table::kCategories[*at]};
  return decode_wide(at, end);
}

// Nothing ends the text but its end.
struct NoStop {
  static bool stops(Char) { return false; }
};

// The character at a place, kEnd where the scanner's text ends.
template <typename Stop>
Char char_at(Place at, Place end) {
  const Char c = decode(at, end);
  return Stop::stops(c) ? kEnd : c;
}

// The end of a run of ASCII letters, or of lower-case ones alone.
template <bool any_case>
Place skip_ascii(Place at, Place end) {
  constexpr uint64_t kEach = 0x0101010101010101u;
  static_assert(std::endian::native == std::endian::little);
  for (; end - at >= 8; at += 8) {
    uint64_t bytes;
    std::memcpy(&bytes, at, 8);
    // The high bit of each byte: set in the sums where the low seven bits reach the bound.
    const uint64_t low = (any_case ? bytes | kEach * 0x20 : bytes) & kEach * 0x7f;
    const uint64_t from_a = low + kEach * (0x80 - 'a');
    const uint64_t past_z = low + kEach * (0x80 - 'z' - 1);
    const uint64_t others = (~(from_a & ~past_z) | bytes) & kEach * 0x80;
    if (others != 0) return at + std::countr_zero(others) / 8;
  }
  constexpr Category kWanted = any_case ? kUpper | kLower : kLower;
  while (at != end && *at < 0x80 && (table::kCategories[*at] & kWanted) != 0) ++at;
  return at;
}

// The end of a run of the characters in `wanted`.
template <typename Stop>
Place skip(Place at, Place end, Category wanted) {
  for (Char c = char_at<Stop>(at, end); c.is(wanted); c = char_at<Stop>(at, end)) at += c.length;
  return at;
}

// The end of a run of the characters not in `unwanted`.
template <typename Stop>
Place skip_not(Place at, Place end, Category unwanted) {
  for (Char c = char_at<Stop>(at, end); c.is_not(unwanted); c = char_at<Stop>(at, end)) {
    at += c.length;
  }
  return at;
}

// \p{L}+ with more categories as wanted: the end of the run.
template <typename Stop>
Place skip_word(Place at, Place end, Category wanted) {
  at = skip_ascii<true>(at, end);
  if (at == end || *at < 0x80) return at;
  return skip<Stop>(at, end, wanted);
}

// 's 't 're 've 'm 'll 'd: the end, or `at` where there is none. With any case, U+017F, the long
// s, folds to s.
template <bool any_case>
Place contraction(Place at, Place end) {
  const ptrdiff_t left = end - at;
  if (left < 2 || *at != '\'') return at;
  const auto letter = [&](ptrdiff_t i) {
    const unsigned char c = i < left ? at[i] : 0;
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<unsigned char>(c + 32) : c;
  };
  const unsigned char first = letter(1);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
  if ((first == 'r' || first == 'v') && letter(2) == 'e') return at + 3;
  if (first == 'l' && letter(2) == 'l') return at + 3;
  if (any_case && left >= 3 && at[1] == 0xc5 && at[2] == 0xbf) return at + 3;
  return at;
}

// \p{N}{1,K} at a number: the end.
template <typename Stop>
Place numbers(Place at, Place end, int most) {
  for (int count = 0; count < most; ++count) {
    const Char c = char_at<Stop>(at, end);
    if (!c.is(kNumber)) break;
    at += c.length;
  }
  return at;
}

// \s+(?!\S)|\s+ at whitespace: a run that something follows leaves its last character to the next
// piece, unless that is all there is.
template <typename Stop>
Place whitespace(Place at, Place end) {
  Place before_last = at;
  Place run = at;
  Char c = char_at<Stop>(run, end);
  for (; c.is(kSpace); c = char_at<Stop>(run, end)) {
    before_last = run;
    run += c.length;
  }
  return c.length == 0 || before_last == at ? run : before_last;
}

// \s*[\r\n]+|\s+(?!\S)|\s+ at whitespace: a run with a line end in it is cut behind the last one.
// So is \s*[\r\n]|..., whose first part is as greedy.
template <typename Stop>
Place whitespace_or_lines(Place at, Place end) {
  Place before_last = at;
  Place run = at;
  Place line = nullptr;
  Char c = char_at<Stop>(run, end);
  for (; c.is(kSpace); c = char_at<Stop>(run, end)) {
    before_last = run;
    run += c.length;
    if (c.is_line_end()) line = run;
  }
  if (line != nullptr) return line;
  return c.length == 0 || before_last == at ? run : before_last;
}

// The lengths of the pieces of a text from the left, as many as there is room for; the number.
// `piece` gives the end of the piece at a place that is not the end.
template <Place (*piece)(Place at, Place end)>
size_t cut(std::string_view text, std::span<size_t> lengths) {
  Place at = reinterpret_cast<Place>(text.data());
  const Place end = at + text.size();
  size_t count = 0;
  while (at != end && count < lengths.size()) {
    const Place next = piece(at, end);
    lengths[count++] = static_cast<size_t>(next - at);
    at = next;
  }
  return count;
}

}  // namespace bittern::text::scan
