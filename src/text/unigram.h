// The Unigram model: the way through a piece whose tokens have the best sum of scores (Viterbi over
// byte positions, the first found of equals). A character that no token covers alone may be unknown
// for ten less than the worst score; runs of unknown characters become one token, or bytes.
//
// SentencePiece keeps its sums in single precision and gives user-defined pieces a bonus, the
// `tokenizers` package sums in double precision: near ties differ, so both are here.
// Source: sentencepiece src/unigram_model.cc, models/unigram of `tokenizers` (H 5.3).
#pragma once

#include <array>

#include "text/prefix_trie.h"
#include "text/token_model.h"
#include "text/vocab_index.h"

namespace bittern::text {

class Unigram final : public TokenModel {
 public:
  explicit Unigram(const VocabSpec& spec);
  void encode(std::string_view piece, ModelScratch& scratch,
              std::vector<int32_t>& out) const override;

 private:
  static constexpr int32_t kUnknown = -1;
  void search(std::string_view piece, std::vector<ModelScratch::Step>& steps) const;
  double score_of(int32_t id, size_t length) const;
  void reach(ModelScratch::Step& step, double score, int32_t id, size_t begin) const;
  void append_unknown(std::string_view run, std::vector<int32_t>& out) const;

  const VocabSpec& spec_;
  PrefixTrie trie_;
  std::array<int32_t, 256> byte_tokens_;
  double unknown_score_;
  double best_score_;
};

}  // namespace bittern::text
