#include "chat/grammar/characters.h"

#include <algorithm>

namespace bittern::chat::grammar {
namespace {

constexpr uint32_t kSurrogateFirst = 0xd800, kSurrogateLast = 0xdfff;

int encode(uint32_t c, std::array<uint8_t, 4>& out) {
  const auto tail = [&](int shift) { return static_cast<uint8_t>(0x80 | ((c >> shift) & 0x3f)); };
  if (c < 0x80) {
    out = {static_cast<uint8_t>(c)};
    return 1;
  }
  if (c < 0x800) {
    out = {static_cast<uint8_t>(0xc0 | c >> 6), tail(0)};
    return 2;
  }
  if (c < 0x10000) {
    out = {static_cast<uint8_t>(0xe0 | c >> 12), tail(6), tail(0)};
    return 3;
  }
  out = {static_cast<uint8_t>(0xf0 | c >> 18), tail(12), tail(6), tail(0)};
  return 4;
}

// Cuts a range of characters of one length until first and last differ only where all the bytes
// behind run through their whole range.
void sequences(uint32_t first, uint32_t last, std::vector<ByteSequence>& out) {
  std::array<uint8_t, 4> low{}, high{};
  const int length = encode(first, low);
  encode(last, high);
  for (int tail = 1; tail < length; ++tail) {
    const uint32_t mask = (1u << (6 * tail)) - 1;
    if ((first & ~mask) == (last & ~mask)) break;
    if ((first & mask) != 0) {
      sequences(first, first | mask, out);
      sequences((first | mask) + 1, last, out);
      return;
    }
    if ((last & mask) != mask) {
      sequences(first, (last & ~mask) - 1, out);
      sequences(last & ~mask, last, out);
      return;
    }
  }
  ByteSequence sequence{{}, length};
  for (int at = 0; at < length; ++at) sequence.bytes[at] = {low[at], high[at]};
  out.push_back(sequence);
}

}  // namespace

Characters tidied(Characters set) {
  Characters cut;
  for (CharacterRange range : set) {
    range.last = std::min(range.last, kLastCharacter);
    if (range.first > range.last) continue;
    if (range.first < kSurrogateFirst && range.last >= kSurrogateFirst)
      cut.push_back({range.first, kSurrogateFirst - 1});
    if (range.last > kSurrogateLast && range.first <= kSurrogateLast)
      cut.push_back({kSurrogateLast + 1, range.last});
    if (range.last < kSurrogateFirst || range.first > kSurrogateLast) cut.push_back(range);
  }
  std::ranges::sort(cut, {}, &CharacterRange::first);
  Characters joined;
  for (const CharacterRange& range : cut) {
    if (!joined.empty() && range.first <= joined.back().last + 1) {
      joined.back().last = std::max(joined.back().last, range.last);
    } else {
      joined.push_back(range);
    }
  }
  return joined;
}

Characters complement(const Characters& set) {
  Characters rest;
  uint32_t next = 0;
  for (const CharacterRange& range : tidied(set)) {
    if (range.first > next) rest.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLastCharacter) rest.push_back({next, kLastCharacter});
  return tidied(std::move(rest));
}

Characters any_character() { return tidied({{0, kLastCharacter}}); }

bool contains(const Characters& tidy, uint32_t character) {
  return std::ranges::any_of(tidy, [&](const CharacterRange& range) {
    return character >= range.first && character <= range.last;
  });
}

std::vector<ByteSequence> utf8_sequences(const Characters& tidy) {
  constexpr std::array<uint32_t, 4> kLastOfLength{0x7f, 0x7ff, 0xffff, kLastCharacter};
  std::vector<ByteSequence> out;
  for (const CharacterRange& range : tidy) {
    uint32_t first = range.first;
    for (const uint32_t last : kLastOfLength) {
      if (first > last || first > range.last) continue;
      sequences(first, std::min(last, range.last), out);
      first = last + 1;
    }
  }
  return out;
}

}  // namespace bittern::chat::grammar
