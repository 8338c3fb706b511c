// BERT's pre-tokeniser: whitespace is dropped, every punctuation character is a piece, and so is
// what lies between. Which bytes of 64 end a word is decided for all of them at once; the words are
// then read off the bits without a branch that depends on the text. Characters that are not ASCII
// come one by one. Source: pre_tokenizers/bert of `tokenizers`.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "text/pre_tokenizer.h"

namespace bittern::text {

class BertWords final : public PreTokenizer::Stage {
 public:
  BertWords();
  void apply(Pieces& pieces) const override;

 private:
  static constexpr size_t kBlock = 64;
  // Bytes of a text: a bit for each that is not inside a word, and for each that is punctuation.
  struct Block {
    uint64_t ends = 0, marks = 0;
    size_t size = 0;  // up to the first byte that is not ASCII
  };
  Block block_of(std::string_view text) const;

  std::array<uint8_t, 128> kinds_;
};

}  // namespace bittern::text
