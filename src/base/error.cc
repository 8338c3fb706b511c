#include "base/error.h"

#include "base/utf8.h"

namespace bittern {

std::string printable(std::string_view text, size_t limit) {
  std::string out;
  size_t position = 0;
  while (position < text.size()) {
    if (out.size() >= limit) return out + "...";
    const auto decoded = utf8::decode(text.substr(position));
    const bool control = decoded.code_point < 0x20 || decoded.code_point == 0x7f ||
                         (decoded.code_point >= 0x80 && decoded.code_point < 0xa0);
    if (!decoded.valid || control) {
      for (size_t i = 0; i < decoded.length; ++i)
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[position + i]));
    } else {
      out += text.substr(position, decoded.length);
    }
    position += decoded.length;
  }
  return out;
}

}  // namespace bittern
