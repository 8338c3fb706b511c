// WordPiece (BERT): the longest token that a word begins with, then the longest continuation, and
// so on; a word that cannot be finished, or is too long, is unknown as a whole. WordLevel: a word
// is a token or unknown. Source: models/wordpiece and models/wordlevel of `tokenizers`.
#pragma once

#include "text/prefix_trie.h"
#include "text/token_model.h"
#include "text/vocab_index.h"

namespace bittern::text {

class WordPiece final : public TokenModel {
 public:
  explicit WordPiece(const VocabSpec& spec);
  void encode(std::string_view word, ModelScratch& scratch,
              std::vector<int32_t>& out) const override;

 private:
  bool append_parts(std::string_view word, std::vector<int32_t>& out) const;

  const VocabSpec& spec_;
  PrefixTrie trie_;
  uint32_t continuation_;  // node behind the continuing prefix, or kNone
};

class WordLevel final : public TokenModel {
 public:
  explicit WordLevel(const VocabSpec& spec) : spec_(spec), index_(spec) {}
  void encode(std::string_view word, ModelScratch& scratch,
              std::vector<int32_t>& out) const override;

 private:
  const VocabSpec& spec_;
  VocabIndex index_;
};

}  // namespace bittern::text
