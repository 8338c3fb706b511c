#include "text/cached_model.h"

#include <algorithm>
#include <array>
#include <span>

namespace bittern::text {

CachedModel::CachedModel(std::unique_ptr<TokenModel> model, const VocabSpec& spec)
    : model_(std::move(model)),
      cuts_(spec),
      cache_(std::min(PieceCache::kDefaultEntries, 2 * spec.tokens.size())) {}

void CachedModel::encode(std::string_view piece, ModelScratch& scratch,
                         std::vector<int32_t>& out) const {
  // Some words ahead are asked for at once, so that their cache lines arrive together.
  constexpr size_t kAhead = 16;
  struct Word {
    PieceCache::Key key;
    std::string_view text;
  };
  std::array<Word, kAhead> words;
  SafeCuts::Packed packed{};
  while (!piece.empty()) {
    size_t count = 0;
    while (count < kAhead && !piece.empty()) {
      const std::string_view text = piece.substr(0, cuts_.first_part(piece, packed));
      words[count] = {PieceCache::key_of(packed.view(), packed.bytes.size()), text};
      cache_.prefetch(words[count].key);
      piece.remove_prefix(text.size());
      ++count;
    }
    for (const Word& word : std::span(words).first(count)) {
      if (cache_.find(word.key, out)) continue;
      const size_t before = out.size();
      model_->encode(word.text, scratch, out);
      cache_.insert(word.key, std::span<const int32_t>(out).subspan(before));
    }
  }
}

}  // namespace bittern::text
