// Where a text may be cut before pairs are merged without changing what comes out: between two
// characters that no merge ever joins. Merges on both sides of such a place do not see each other.
// A text of any length so falls into short parts, which a cache remembers: SentencePiece trains
// its vocabularies on words, so there is a cut before nearly every space.
//
// What merges join is known of each ASCII character, of "▁" (U+2581, which stands for a space) and
// of all others together. There is no cut beside a character that may be unknown: unknown tokens
// wait for the next known one and fuse. Texts are marked ones (marked_text.h), so that what a place
// is between is seen by the two bytes there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "text/vocab_spec.h"

namespace bittern::text {

class SafeCuts {
 public:
  // Of a bpe or sentencepiece_bpe vocabulary; of any other, and where the proof fails, none.
  explicit SafeCuts(const VocabSpec& spec);

  // Whether any text is cut.
  bool any() const { return any_; }

  // Cuts a marked text: writes parts from the left, as many as there is room for (more than kBlock)
  // and gives their number, 0 of an empty text alone. Behind the last one that was written the
  // cutting goes on with the rest of the text.
  static constexpr size_t kBlock = 64;
  size_t cut(std::string_view marked, std::span<std::string_view> parts) const;

 private:
  bool read_merges(const VocabSpec& spec);
  bool read_pieces(const VocabSpec& spec);
  void join(std::string_view left, std::string_view right);
  void allow_cuts(const VocabSpec& spec);
  void spread_other();
  // A bit for each place in front of text[from + i], i < count <= kBlock, with a cut.
  uint64_t cuts_of_block(std::string_view text, size_t from, size_t count) const;

  // By left byte, a bit for each right one: no cut between them.
  using Row = std::array<uint64_t, 4>;
  std::array<Row, 256> joined_{};
  bool any_ = false;
};

}  // namespace bittern::text
