// The seam between the stages and what turns a piece of text into ids: one implementation per
// TokenizerModel. Immutable and shared between threads; scratch belongs to the caller.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/bpe.h"
#include "text/vocab_spec.h"

namespace bittern::text {

struct ModelScratch {
  // Of SentencePiece BPE: a piece of the text, linked to its neighbours (-1 at the ends).
  struct Symbol {
    int32_t previous, next;
    uint32_t begin, length;
    bool frozen;  // a user-defined symbol: never merged
  };
  struct Pair {
    float score;
    int32_t left, right;
    uint32_t length;  // of both when the pair was found; another one now: stale
  };
  // Of Unigram: the best way to reach a place in the text.
  struct Step {
    double score;
    int32_t id, begin;  // begin -1: not reached
  };
  Bpe::Workspace bpe;
  std::vector<int32_t> ids;
  std::vector<Symbol> symbols;
  std::vector<Pair> agenda;
  std::unordered_map<std::string_view, uint32_t> unused_splits;  // piece: bytes of its left part
  std::vector<std::string_view> stack;
  std::vector<Step> steps;
  // Of the model behind a cache: a marked text and a word of it (marked_text.h).
  std::string marked, word;
};

class TokenModel {
 public:
  virtual ~TokenModel() = default;
  // Appends the ids of a piece of valid UTF-8, not empty.
  virtual void encode(std::string_view piece, ModelScratch& scratch,
                      std::vector<int32_t>& out) const = 0;
};

// `spec` must outlive the model. Throws bad_input where the vocabulary does not fit its kind.
std::unique_ptr<TokenModel> make_token_model(const VocabSpec& spec);

}  // namespace bittern::text
