// The scanners of GPT-2's expression and of those that Llama 3, Qwen and OpenAI made from it.
// In the expressions below C is 's|'t|'re|'ve|'m|'ll|'d (Ci: in any case), and T is
// \s*[\r\n]+|\s+(?!\S)|\s+.
#pragma once

#include "text/split_scan.h"

namespace bittern::text::scan {

// C| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
template <typename Stop = NoStop>
Place gpt2_piece(Place at, Place end) {
  if (const Place next = contraction<false>(at, end); next != at) return next;
  const Place start = at + (*at == ' ' ? 1 : 0);
  const Char c = char_at<Stop>(start, end);
  if (c.is(kLetter)) return skip_word<Stop>(start, end, kLetter);
  if (c.is(kNumber)) return skip<Stop>(start, end, kNumber);
  if (c.is_not(kSpace)) return skip_not<Stop>(start, end, kLetter | kNumber | kSpace);
  return whitespace<Stop>(at, end);
}

// The Digits stage before GPT-2's expression: every digit is a piece.
Place single_digits_piece(Place at, Place end);

// Ci|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,K}| ?[^\s\p{L}\p{N}]+[\r\n]*|T
struct Llama3 {
  static constexpr Category kWord = kLetter;  // in place of \p{L}, if not in front of the ?
  static constexpr int kNumbers = 3;          // K
  static constexpr bool kContractions = true;
  static constexpr bool kLineEndsBehindOther = true;  // the [\r\n]*
};
struct Qwen2 : Llama3 {
  static constexpr int kNumbers = 1;
};
struct Qwen35 : Qwen2 {
  static constexpr Category kWord = kLetter | kMark;
};
struct SeedCoder : Qwen2 {
  static constexpr bool kLineEndsBehindOther = false;
};
struct Ufakzeka : Qwen2 {
  static constexpr bool kContractions = false;
};

template <typename Rule>
Place llama3_piece(Place at, Place end) {
  if constexpr (Rule::kContractions) {
    if (const Place next = contraction<true>(at, end); next != at) return next;
  }
  const Char c = decode(at, end);
  if (c.is(Rule::kWord)) return skip_word<NoStop>(at, end, Rule::kWord);
  if (c.is(kNumber)) return numbers<NoStop>(at, end, Rule::kNumbers);
  if (!c.is_line_end() && decode(at + c.length, end).is(Rule::kWord)) {
    return skip_word<NoStop>(at + c.length, end, Rule::kWord);
  }
  constexpr Category kNotOther = Rule::kWord | kNumber | kSpace;
  const Place start = at + (*at == ' ' ? 1 : 0);
  if (!decode(start, end).is_not(kNotOther)) return whitespace_or_lines<NoStop>(at, end);
  Place next = skip_not<NoStop>(start, end, kNotOther);
  while (Rule::kLineEndsBehindOther && next != end && (*next == '\n' || *next == '\r')) ++next;
  return next;
}

// With U = [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] and L = [\p{Ll}\p{Lm}\p{Lo}\p{M}]:
// [^\r\n\p{L}\p{N}]?U*L+(Ci)?|[^\r\n\p{L}\p{N}]?U+L*(Ci)?|\p{N}{1,K}
//   | ?[^\s\p{L}\p{N}]+[\r\n/]*|T
struct O200k {
  static constexpr int kNumbers = 3;
  static constexpr bool kContractions = true;
};
struct Tekken {
  static constexpr int kNumbers = 1;
  static constexpr bool kContractions = false;
};

// What both of U and L have, and either.
inline constexpr Category kCaseless = kOtherLetter | kMark;
inline constexpr Category kU = kUpper | kCaseless;
inline constexpr Category kL = kLower | kCaseless;

// U*L+: the end, or `at` where it does not match. U* takes all it can; where no lower case comes
// behind, it gives back until its last caseless character is L+.
Place upper_then_lower(Place at, Place end);

template <typename Rule>
Place o200k_piece(Place at, Place end) {
  const auto with_suffix = [&](Place next) {
    return Rule::kContractions && next != end ? contraction<true>(next, end) : next;
  };
  const Char c = decode(at, end);
  if (c.is(kNumber)) return numbers<NoStop>(at, end, Rule::kNumbers);
  // A letter cannot be the optional first character; a mark can be that or part of the word.
  const bool may_lead = !c.is(kLetter) && !c.is_line_end();
  const Place behind = at + c.length;
  if (may_lead) {
    if (const Place next = upper_then_lower(behind, end); next != behind) return with_suffix(next);
  }
  if (c.is(kLetter | kMark)) {
    if (const Place next = upper_then_lower(at, end); next != at) return with_suffix(next);
  }
  if (may_lead) {
    if (const Place next = skip<NoStop>(behind, end, kU); next != behind) return with_suffix(next);
  }
  if (const Place next = skip<NoStop>(at, end, kU); next != at) return with_suffix(next);
  constexpr Category kNotOther = kLetter | kNumber | kSpace;
  const Place start = at + (*at == ' ' ? 1 : 0);
  if (!decode(start, end).is_not(kNotOther)) return whitespace_or_lines<NoStop>(at, end);
  Place next = skip_not<NoStop>(start, end, kNotOther);
  while (next != end && (*next == '\n' || *next == '\r' || *next == '/')) ++next;
  return next;
}

}  // namespace bittern::text::scan
