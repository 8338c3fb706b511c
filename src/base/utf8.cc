#include "base/utf8.h"

#include <simdjson.h>

namespace bittern::utf8 {
namespace {

constexpr uint32_t kReplacement = 0xfffd;

struct Lead {
  size_t length;      // bytes of the whole sequence; 0 where no sequence starts so
  uint32_t bits;      // payload of the lead byte
  unsigned char low;  // bounds of the second byte
  unsigned char high;
};

Lead classify(unsigned char lead) noexcept {
  if (lead >= 0xc2 && lead <= 0xdf) return {2, lead & 0x1fu, 0x80, 0xbf};
  if (lead == 0xe0) return {3, 0, 0xa0, 0xbf};
  if (lead == 0xed) return {3, 0xd, 0x80, 0x9f};
  if (lead >= 0xe1 && lead <= 0xef) return {3, lead & 0x0fu, 0x80, 0xbf};
  if (lead == 0xf0) return {4, 0, 0x90, 0xbf};
  if (lead >= 0xf1 && lead <= 0xf3) return {4, lead & 0x07u, 0x80, 0xbf};
  if (lead == 0xf4) return {4, 4, 0x80, 0x8f};
  return {0, 0, 0, 0};
}

}  // namespace

Decoded decode(std::string_view text) noexcept {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return {byte(0), 1, true, false};
  const Lead lead = classify(byte(0));
  if (lead.length == 0) return {kReplacement, 1, false, false};
  uint32_t code_point = lead.bits;
  for (size_t i = 1; i < lead.length; ++i) {
    if (i == text.size()) return {kReplacement, i, false, true};
    const unsigned char low = i == 1 ? lead.low : 0x80;
    const unsigned char high = i == 1 ? lead.high : 0xbf;
    if (byte(i) < low || byte(i) > high) return {kReplacement, i, false, false};
    code_point = code_point << 6 | (byte(i) & 0x3fu);
  }
  return {code_point, lead.length, true, false};
}

void append(std::string& out, uint32_t code_point) {
  const auto put = [&](uint32_t value) { out += static_cast<char>(value); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | code_point >> 6);
    put(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    put(0xe0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  } else {
    put(0xf0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3f));
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  }
}

bool is_valid(std::string_view text) noexcept {
  return text.empty() || simdjson::validate_utf8(text);
}

}  // namespace bittern::utf8
