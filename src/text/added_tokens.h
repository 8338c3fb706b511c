// Added tokens: matched in the text before it is split into pieces. Leftmost-longest,
// non-overlapping. A match that is refused (single_word next to a word character, a special token
// where specials are read as text) is passed over whole: nothing inside it is tried again, as in
// `tokenizers` (added_vocabulary.rs; research note H 5.1).
//
// A trie of the contents, walked from every position whose first byte begins one: O(text x
// longest content) at worst, and in ordinary text one table look per byte.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "text/normalizer.h"
#include "text/text_range.h"
#include "text/vocab_spec.h"

namespace bittern::text {

class AddedTokens {
 public:
  // Part of a text: a token, or (id -1) text between tokens; never empty text.
  struct Segment {
    int32_t id;
    std::string_view text;
  };

  // The tokens with `normalized` as given; empty contents are ignored. Those that are normalised
  // match text after the normaliser, so their content is normalised too: by `normalizer`, or by
  // NFC where the spec says `nfc`.
  AddedTokens(const VocabSpec& spec, bool normalized, const Normalizer* normalizer = nullptr);

  // Cuts valid UTF-8 into segments. Text that lstrip or rstrip takes belongs to its token. Special
  // tokens are passed over unless `parse_special`, and where their content has a byte in a
  // `literal` range (sorted, disjoint).
  std::vector<Segment> split(std::string_view text, bool parse_special,
                             std::span<const TextRange> literal = {}) const;
  bool empty() const { return tokens_.empty(); }
  bool has_special() const { return has_special_; }

 private:
  struct Node {
    int32_t token = -1;  // index into tokens_, where a content ends
    int32_t first_child = -1;
    int32_t sibling = -1;
    unsigned char byte = 0;
  };
  struct Found {
    int32_t token;  // -1: none
    size_t length;
  };
  int32_t child(int32_t node, unsigned char byte) const;
  void add(std::string_view content, int32_t token);
  Found longest_at(std::string_view text, size_t at) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_;
  std::array<int32_t, 256> roots_;  // node of each first byte, or -1
  bool has_special_ = false;
};

}  // namespace bittern::text
