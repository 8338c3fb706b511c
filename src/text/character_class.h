// What normalisers and pre-tokenisers ask about a character beyond unicode.h. The Unicode version
// of each answer is that of the part of `tokenizers` 0.23.3 that gives it (see
// tools/character_tables.py): an 8.0 punctuation beside a 17.0 lower case is intended.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "text/character_table.h"

namespace bittern::text {

using CharacterClass = uint8_t;
inline constexpr CharacterClass kPunctuation = 1;  // ASCII punctuation or P*
inline constexpr CharacterClass kControl = 2;      // what BertNormalizer's clean_text drops
inline constexpr CharacterClass kNonspacing = 4;   // Mn: what BertNormalizer's strip_accents drops
inline constexpr CharacterClass kCombining = 8;    // M*: what StripAccents drops

// The bits of a code point (at most U+10FFFF), grapheme break in the high half.
inline uint8_t character_class(uint32_t code_point) noexcept {
  const uint32_t block = table::kClassBlockOf[code_point / table::kClassBlockSize];
  return table::kClasses[block * table::kClassBlockSize + code_point % table::kClassBlockSize];
}

// Appends the lower-case form (one character but for U+0130, which becomes two).
void append_lowercase(std::string& out, uint32_t code_point);

// The number of a script; Hiragana, Katakana and U+30FC count as Han. 0 joins with every other.
uint8_t script_of(uint32_t code_point) noexcept;

// Bytes of the first extended grapheme cluster of non-empty valid UTF-8 (UAX 29, without rule
// GB9c: Indic conjuncts, all longer than any entry of a charsmap, may come as several clusters).
size_t first_grapheme(std::string_view text) noexcept;

}  // namespace bittern::text
