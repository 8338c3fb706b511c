// Sets of characters and their UTF-8 form: a set of code points becomes a few sequences of byte
// ranges (Unicode 15, table 3-7). Surrogates are in no set.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace bittern::chat::grammar {

struct CharacterRange {
  uint32_t first, last;
  bool operator==(const CharacterRange&) const = default;
};
using Characters = std::vector<CharacterRange>;

inline constexpr uint32_t kLastCharacter = 0x10ffff;

// Sorted, joined, without surrogates and without what is past U+10FFFF.
Characters tidied(Characters set);
// Every character that is not in the set.
Characters complement(const Characters& set);
Characters any_character();
bool contains(const Characters& tidy, uint32_t character);

// One to four byte ranges in a row.
struct ByteSequence {
  struct Range {
    uint8_t first, last;
  };
  std::array<Range, 4> bytes;
  int length;
};
// The UTF-8 of every character of a tidy set, each by exactly one sequence.
std::vector<ByteSequence> utf8_sequences(const Characters& tidy);

}  // namespace bittern::chat::grammar
