// Pre-tokenisers: how text is cut into the pieces that byte-pair merging never crosses. A
// literal table of rows; each row is the exact hand-written form of the stages in front of
// ByteLevel, with Oniguruma's meaning (Unicode \s, \p{L} and \p{N}; (?i:'s) also takes U+017F).
//
// Who asks:
//   a reader of tokenizer.json    split_for_steps(its stages, ByteLevel last): a row is a whole
//                                 sequence, so DeepSeek-V3's three Splits are one row
//   a reader of GGUF              find_split_name(tokenizer.ggml.pre), which also gives what that
//                                 name implies where the file says nothing
// No row: the stages run one by one (a tokenizer.json's own; steps_of(name) for a GGUF). A name
// that is in no list is refused. Source: research note H 5.1 and 5.2.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/pipeline_spec.h"

namespace bittern::text {

// A stage of a literal table: a Split that isolates the matches of `pattern`, or Digits.
struct SplitStage {
  PreTokenizerKind kind;
  std::string_view pattern;  // of split_regex
  bool individual;           // of digits
};

struct Split {
  std::string_view name;
  // Spellings in tokenizer.json, each the stages before ByteLevel; the first is the one the golden
  // tests are made with. gpt-2 is also ByteLevel alone.
  std::span<const std::span<const SplitStage>> spellings;
  // Every digit is a piece by itself, decided before the expression sees the text.
  bool isolate_digits;
  // The expression belongs to ByteLevel itself, so add_prefix_space comes before it; otherwise
  // the stages are others and every piece gets the prefix.
  bool regex_in_byte_level;
  // The stages match every character, so that Removed with invert is Isolated.
  bool matches_all;
  // Writes the byte lengths of the pieces of a text from the left, as many as there is room for,
  // and gives their number: 0 of an empty text alone. A piece is whole characters and never
  // empty; behind the last one that was written the cutting may go on with the rest of the text.
  // Linear in the text. Valid UTF-8 is expected; other bytes are cut somehow.
  size_t (*cut)(std::string_view text, std::span<size_t> lengths);

  // The length of the first piece of a non-empty text.
  size_t first_piece(std::string_view text) const {
    size_t length = 0;
    cut(text, {&length, 1});
    return length;
  }
};

// A value of tokenizer.ggml.pre, with the settings it implies where the GGUF has no key.
struct SplitName {
  std::string_view name;
  std::string_view split;  // the row; empty where the stages have no scanner: see steps_of
  bool nfc;
  bool ignore_merges;
  bool add_bos;
};

inline constexpr std::string_view kByteLevelSplit = "gpt-2";
inline constexpr std::string_view kDigitsSplit = "smollm";

std::span<const Split> splits();
std::span<const SplitName> split_names();

// The row of a name or an alias; nullptr where unknown, or where the name has no scanner.
const Split* find_split(std::string_view name);
const SplitName* find_split_name(std::string_view name);

// The row that equals the pre-tokeniser of a tokenizer.json, ByteLevel included; nullptr where
// there is none.
const Split* split_for_steps(std::span<const PreTokenizerStep> steps);

// The stages of a name, ByteLevel included, as tokenizer.json would have them. Not empty.
std::vector<PreTokenizerStep> steps_of(const SplitName& name);

// The name of the row whose only stage before ByteLevel is a Split with this expression; empty
// where unknown.
std::string_view split_name_for_regex(std::string_view regex);

// The known names, joined with ", ", for error messages.
std::string known_splits();

}  // namespace bittern::text
