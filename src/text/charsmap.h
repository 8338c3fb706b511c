// The compiled normalisation rules of SentencePiece ("precompiled_charsmap"):
//
//   u32 little-endian   bytes of the trie
//   u32 x n             a Darts double array: leaf bit 31, label in the low byte, bit 8 "has a
//                       leaf", offset = unit >> 10 << ((unit & 512) >> 6); a leaf holds a place
//   bytes               replacements, each ended by NUL; a place is a byte offset into these
//
// The offsets of a hostile trie may lead anywhere: every step is checked against the array.
// Source: SentencePiece normalizer.cc and Darts-clone (research note H 5.3).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bittern::text {

class Charsmap {
 public:
  // An empty blob has no rules. Throws bad_input naming `source` where lengths do not fit.
  Charsmap(std::string_view blob, std::string_view source);

  struct Match {
    size_t length = 0;  // bytes of the text; 0 where no rule matches
    std::string_view replacement;
  };
  Match longest(std::string_view text) const { return find(text, true); }
  Match shortest(std::string_view text) const { return find(text, false); }

 private:
  Match find(std::string_view text, bool longest) const;

  std::vector<uint32_t> units_;
  std::string replacements_;
};

}  // namespace bittern::text
