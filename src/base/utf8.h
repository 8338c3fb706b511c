// UTF-8 one code point at a time, for hostile bytes: overlong forms, surrogates and values
// past U+10FFFF are invalid. Source: Unicode 15 table 3-7.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bittern::utf8 {

struct Decoded {
  uint32_t code_point;  // U+FFFD where not valid
  size_t length;        // bytes consumed, at least 1 for non-empty input
  bool valid;           // false: `length` bytes are the maximal invalid subpart
  bool incomplete;      // invalid only because the text ends inside a sequence
};

// Decodes the first code point of a non-empty text.
Decoded decode(std::string_view text) noexcept;

// Appends the UTF-8 form of a code point (at most U+10FFFF, no surrogate).
void append(std::string& out, uint32_t code_point);

bool is_valid(std::string_view text) noexcept;

}  // namespace bittern::utf8
