// A model that remembers: the words of a piece, where it may be cut into words (safe_cuts.h), are
// looked for in a cache before the model is asked. What a model gives is a function of the word, so
// results do not depend on the cache.
#pragma once

#include "text/piece_cache.h"
#include "text/safe_cuts.h"
#include "text/token_model.h"

namespace bittern::text {

class CachedModel final : public TokenModel {
 public:
  // `spec` is the model's.
  CachedModel(std::unique_ptr<TokenModel> model, const VocabSpec& spec);
  void encode(std::string_view piece, ModelScratch& scratch,
              std::vector<int32_t>& out) const override;

 private:
  std::unique_ptr<TokenModel> model_;
  SafeCuts cuts_;
  mutable PieceCache cache_;  // thread-safe
};

}  // namespace bittern::text
