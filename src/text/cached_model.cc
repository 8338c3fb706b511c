#include "text/cached_model.h"

#include <algorithm>

namespace bittern::text {

CachedModel::CachedModel(std::unique_ptr<TokenModel> model, const VocabSpec& spec)
    : model_(std::move(model)),
      cuts_(spec),
      cache_(std::min(PieceCache::kDefaultEntries, 2 * spec.tokens.size())) {}

void CachedModel::encode(std::string_view piece, ModelScratch& scratch,
                         std::vector<int32_t>& out) const {
  SafeCuts::Packed packed{};
  while (!piece.empty()) {
    const std::string_view word = piece.substr(0, cuts_.first_part(piece, packed));
    const PieceCache::Key key = PieceCache::key_of(packed.view(), packed.bytes.size());
    if (!cache_.find(key, out)) {
      const size_t before = out.size();
      model_->encode(word, scratch, out);
      cache_.insert(key, std::span<const int32_t>(out).subspan(before));
    }
    piece.remove_prefix(word.size());
  }
}

}  // namespace bittern::text
