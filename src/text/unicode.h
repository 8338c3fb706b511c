// Character properties that the pre-tokenisers and the added-token matcher ask for. One byte of
// bits per code point in a two-stage table, so a lookup is two loads.
//
// The bits follow the Unicode versions of `tokenizers` 0.23.3, so that characters newer than
// its tables split as they do there: 16.0 for letter, number, mark (Oniguruma 6.9.10), space and
// word (Rust's regex crate); 17.0 for digit (Rust's char::is_numeric); 9.0 for normalise.
#pragma once

#include <cstdint>

#include "text/unicode_table.h"

namespace bittern::text {

using Properties = uint8_t;
inline constexpr Properties kLetter = 1;      // general category L*
inline constexpr Properties kNumber = 2;      // N*
inline constexpr Properties kMark = 4;        // M*
inline constexpr Properties kSpace = 8;       // White_Space
inline constexpr Properties kWord = 16;       // \w of UTS 18: Alphabetic, M*, Nd, Pc, Join_Control
inline constexpr Properties kDigit = 32;      // what the Digits pre-tokeniser isolates
inline constexpr Properties kNormalise = 64;  // combining class not 0, or NFC_Quick_Check not Yes

// The bits of a code point; none for values past U+10FFFF.
inline Properties properties(uint32_t code_point) noexcept {
  if (code_point >= 0x110000) return 0;
  const uint32_t block = table::kBlockOf[code_point / table::kBlockSize];
  return table::kProperties[block * table::kBlockSize + code_point % table::kBlockSize];
}

}  // namespace bittern::text
