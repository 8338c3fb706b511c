// Pre-tokenisers: how text is cut into the pieces that byte-pair merging never crosses. A
// literal table of rows; each row is the exact hand-written form of a reference regular
// expression with Oniguruma's meaning (Unicode \s, \p{L} and \p{N}; (?i:'s) also takes U+017F).
//
// A reader of tokenizer.json finds the row so ("Isolated" and "Removed" with invert are equal
// here, because the expressions match every character):
//   ByteLevel with use_regex                                    kByteLevelSplit ("gpt-2")
//   Sequence[Digits{individual_digits: true}, ByteLevel with use_regex]  kDigitsSplit ("smollm")
//   Sequence[Split{Regex}, ByteLevel without use_regex]         split_name_for_regex(pattern)
// and a reader of GGUF through find_split_name(tokenizer.ggml.pre), which also gives what that
// name implies where the file says nothing. Source: research note H 5.1 and 5.2.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace bittern::text {

struct Split {
  std::string_view name;
  // Spellings in tokenizer.json; the first is the one the golden tests are made with.
  std::span<const std::string_view> regexes;
  // Every digit is a piece by itself, decided before the expression sees the text.
  bool isolate_digits;
  // The expression belongs to ByteLevel itself, so add_prefix_space comes before it; otherwise
  // the expression is a stage of its own and every piece gets the prefix.
  bool regex_in_byte_level;
  // Bytes of the first piece of a non-empty text: at least 1, whole characters, O(piece).
  size_t (*first_piece)(std::string_view text);
};

// A value of tokenizer.ggml.pre, with the settings it implies where the GGUF has no key.
struct SplitName {
  std::string_view name;
  std::string_view split;  // the row
  bool nfc;
  bool ignore_merges;
  bool add_bos;
};

inline constexpr std::string_view kByteLevelSplit = "gpt-2";
inline constexpr std::string_view kDigitsSplit = "smollm";

std::span<const Split> splits();
std::span<const SplitName> split_names();

// The row of a name or an alias; nullptr where unknown.
const Split* find_split(std::string_view name);
const SplitName* find_split_name(std::string_view name);

// The name of the row with this expression in a Split stage; empty where unknown.
std::string_view split_name_for_regex(std::string_view regex);

// The known names, joined with ", ", for error messages.
std::string known_splits();

}  // namespace bittern::text
