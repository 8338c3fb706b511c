#include "text/byte_alphabet.h"

#include <array>

#include "base/utf8.h"

namespace bittern::text {
namespace {

constexpr bool stands_for_itself(uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) ||
         (byte >= 0xae && byte <= 0xff);
}

constexpr uint32_t kAlphabetEnd = 0x144;  // 0x100 + 68

struct Maps {
  std::array<uint32_t, 256> code_point{};
  std::array<int16_t, kAlphabetEnd> byte{};  // -1 where the code point is not in the alphabet
};

constexpr Maps make_maps() {
  Maps maps;
  for (int16_t& byte : maps.byte) byte = -1;
  uint32_t next = 0x100;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const uint32_t code_point = stands_for_itself(byte) ? byte : next++;
    maps.code_point[byte] = code_point;
    maps.byte[code_point] = static_cast<int16_t>(byte);
  }
  return maps;
}

constexpr Maps kMaps = make_maps();

}  // namespace

uint32_t alphabet_of_byte(unsigned char byte) noexcept { return kMaps.code_point[byte]; }

std::optional<std::string> bytes_of_alphabet(std::string_view token) {
  std::string bytes;
  if (!append_bytes_of_alphabet(token, bytes)) return std::nullopt;
  return bytes;
}

bool append_bytes_of_alphabet(std::string_view token, std::string& bytes) {
  const size_t before = bytes.size();
  for (size_t at = 0; at < token.size();) {
    utf8::Decoded decoded{static_cast<unsigned char>(token[at]), 1, true, false};
    if (decoded.code_point >= 0x80) decoded = utf8::decode(token.substr(at));
    const bool known = decoded.valid && decoded.code_point < kAlphabetEnd;
    const int byte = known ? kMaps.byte[decoded.code_point] : -1;
    if (byte < 0) {
      bytes.resize(before);
      return false;
    }
    bytes += static_cast<char>(byte);
    at += decoded.length;
  }
  return true;
}

}  // namespace bittern::text
