// Byte-pair encoding whose first symbols are characters: the BPE model of tokenizer.json as Llama
// 2, Gemma and the older vocabularies with "</w>" have it. A character without a token becomes its
// bytes "<0xHH>" where the vocabulary has all of them, else the unknown token, else nothing.
// Source: models/bpe of `tokenizers` (research note H 5.1).
#pragma once

#include "text/token_model.h"
#include "text/token_table.h"
#include "text/vocab_index.h"

namespace bittern::text {

class CharacterBpe final : public TokenModel {
 public:
  explicit CharacterBpe(const VocabSpec& spec);
  void encode(std::string_view piece, ModelScratch& scratch,
              std::vector<int32_t>& out) const override;

 private:
  // Appends the first symbols of a piece, before any merge.
  void symbols_of(std::string_view piece, std::vector<int32_t>& symbols) const;
  bool append_bytes(std::string_view symbol, std::vector<int32_t>& symbols) const;

  const VocabSpec& spec_;
  VocabIndex index_;
  std::array<int32_t, 256> byte_tokens_;
  TokenTable table_;
  Bpe bpe_;
};

}  // namespace bittern::text
