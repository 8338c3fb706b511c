// The BPE of SentencePiece: any two neighbours whose joined text is a piece may merge, the best
// score first, leftmost among equals. That is not a list of merges: which two parts made a piece
// does not matter. A piece marked unused may be formed on the way and is taken apart again at the
// end. Source: sentencepiece src/bpe_model.cc.
#pragma once

#include <array>

#include "text/prefix_trie.h"
#include "text/token_model.h"
#include "text/vocab_index.h"

namespace bittern::text {

class SentencePieceBpe final : public TokenModel {
 public:
  explicit SentencePieceBpe(const VocabSpec& spec);
  void encode(std::string_view text, ModelScratch& scratch,
              std::vector<int32_t>& out) const override;

 private:
  void cut(std::string_view text, ModelScratch& scratch) const;
  void propose(std::string_view text, int32_t left, int32_t right, ModelScratch& scratch) const;
  void merge(std::string_view text, ModelScratch& scratch) const;
  void append(std::string_view piece, ModelScratch& scratch, bool& after_unknown,
              std::vector<int32_t>& out) const;

  const VocabSpec& spec_;
  VocabIndex index_;
  PrefixTrie symbols_;
  std::array<int32_t, 256> byte_tokens_;
  bool has_bytes_;
};

}  // namespace bittern::text
