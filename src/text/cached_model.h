// A model that remembers: the words of a piece, where it may be cut into words (safe_cuts.h), are
// looked for in a cache before the model is asked. What a model gives is a function of the word, so
// results do not depend on the cache.
#pragma once

#include <memory>

#include "text/piece_cache.h"
#include "text/pre_tokenizer.h"
#include "text/safe_cuts.h"
#include "text/token_model.h"

namespace bittern::text {

class CachedModel {
 public:
  // `spec` is the model's.
  CachedModel(std::unique_ptr<TokenModel> model, const VocabSpec& spec);

  // Appends the ids of pieces of valid UTF-8.
  void encode(const Pieces& pieces, ModelScratch& scratch, std::vector<int32_t>& out) const;
  // Of one piece as marked text (marked_text.h).
  void encode_marked(std::string_view piece, ModelScratch& scratch,
                     std::vector<int32_t>& out) const;

 private:
  void encode_whole(const Pieces& pieces, ModelScratch& scratch, std::vector<int32_t>& out) const;

  std::unique_ptr<TokenModel> model_;
  SafeCuts cuts_;
  mutable PieceCache cache_;  // thread-safe
};

}  // namespace bittern::text
