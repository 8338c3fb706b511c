// The byte-level alphabet of GPT-2: every byte as one printable character. Bytes 0x21-0x7E,
// 0xA1-0xAC and 0xAE-0xFF stand for the code point of the same value; the other 68, in ascending
// order, for U+0100 and on (space U+0120, line feed U+010A).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bittern::text {

// The code point of a byte.
uint32_t alphabet_of_byte(unsigned char byte) noexcept;

// The bytes that a token spells; nothing where a character is not in the alphabet (or the text is
// not UTF-8), which is the case of many added tokens.
std::optional<std::string> bytes_of_alphabet(std::string_view token);

// The same, appended; false, and nothing is appended, where there are none.
bool append_bytes_of_alphabet(std::string_view token, std::string& bytes);

}  // namespace bittern::text
