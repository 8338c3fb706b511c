// Where a text may be cut before pairs are merged without changing what comes out: between two
// characters that no merge ever joins. Merges on both sides of such a place do not see each other.
// A text of any length so falls into short parts, which a cache remembers: SentencePiece trains
// its vocabularies on words, so there is a cut before nearly every space.
//
// The characters looked at are ASCII and "▁" (U+2581, which stands for a space); beside any other
// there is no cut. Nor is there one beside a character that may be unknown: unknown tokens wait for
// the next known one and fuse.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "text/vocab_spec.h"

namespace bittern::text {

class SafeCuts {
 public:
  // Of a bpe or sentencepiece_bpe vocabulary; of any other, and where the proof fails, none.
  explicit SafeCuts(const VocabSpec& spec);

  // A short part with one byte, which UTF-8 does not have, in place of each "▁": what a cache
  // tells parts apart by. Of another part nothing but that it does not fit.
  struct Packed {
    std::array<char, 32> bytes;
    size_t count;
    bool fits() const { return count <= bytes.size(); }
    std::string_view view() const { return {bytes.data(), fits() ? count : 0}; }
  };

  // The length of the part in front of the first cut; all of the text where there is none.
  size_t first_part(std::string_view text, Packed& packed) const;

 private:
  // Codes of characters: ASCII its own, then "▁", then all others.
  static constexpr size_t kSpaceCode = 128, kOtherCode = 129, kCodes = 130;
  struct Coded {
    size_t code, length;
  };
  static Coded code_at(std::string_view text, size_t at);

  bool read_merges(const VocabSpec& spec);
  bool read_pieces(const VocabSpec& spec);
  void join(std::string_view left, std::string_view right);
  void allow_cuts(const VocabSpec& spec);

  std::array<uint8_t, kCodes * kCodes> joined_{};  // by left code * kCodes + right code: no cut
};

}  // namespace bittern::text
