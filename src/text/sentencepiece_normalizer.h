// The normaliser of SentencePiece: at each place a user-defined symbol is copied, else the longest
// rule of the charsmap applies, else the character is copied; spaces may be collapsed and become
// U+2581, and one stands in front (or behind). Source: sentencepiece src/normalizer.cc.
#pragma once

#include "text/charsmap.h"
#include "text/normalizer.h"
#include "text/prefix_trie.h"

namespace bittern::text {

class SentencePieceNormalizer final : public Normalizer::Stage {
 public:
  SentencePieceNormalizer(const NormalizerStep& step, const VocabSpec& spec);
  void apply(std::string& text, bool& at_origin) const override;

 private:
  struct Unit {
    std::string_view text;  // normalised
    size_t length;          // bytes read
  };
  Unit next(std::string_view text) const;

  SentencePieceOptions options_;
  Charsmap map_;
  PrefixTrie symbols_;  // user-defined
};

// The user-defined tokens of a SentencePiece vocabulary; empty for others.
PrefixTrie user_defined_symbols(const VocabSpec& spec);

}  // namespace bittern::text
