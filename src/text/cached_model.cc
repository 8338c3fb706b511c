#include "text/cached_model.h"

#include <algorithm>
#include <array>
#include <span>

#include "text/marked_text.h"

namespace bittern::text {

CachedModel::CachedModel(std::unique_ptr<TokenModel> model, const VocabSpec& spec)
    : model_(std::move(model)),
      cuts_(spec),
      cache_(std::min(PieceCache::kDefaultEntries, 2 * spec.tokens.size())) {}

void CachedModel::encode(const Pieces& pieces, ModelScratch& scratch,
                         std::vector<int32_t>& out) const {
  if (!cuts_.any()) return encode_whole(pieces, scratch, out);
  for (const Pieces::Piece& piece : pieces.list) {
    scratch.marked.clear();
    append_marked(pieces.view(piece), scratch.marked);
    encode_marked(scratch.marked, scratch, out);
  }
}

// Where a piece is a word.
void CachedModel::encode_whole(const Pieces& pieces, ModelScratch& scratch,
                               std::vector<int32_t>& out) const {
  std::array<std::string_view, PieceCache::kPiecesAtOnce> words;
  const char* const end = pieces.text.data() + pieces.text.size();
  for (std::span rest(pieces.list); !rest.empty();) {
    const size_t count = std::min(words.size(), rest.size());
    for (size_t i = 0; i < count; ++i) words[i] = pieces.view(rest[i]);
    cache_.encode(std::span(words).first(count), end, out,
                  [&](std::string_view word, std::vector<int32_t>& ids) {
                    model_->encode(word, scratch, ids);
                  });
    rest = rest.subspan(count);
  }
}

void CachedModel::encode_marked(std::string_view piece, ModelScratch& scratch,
                                std::vector<int32_t>& out) const {
  std::array<std::string_view, SafeCuts::kBlock + PieceCache::kPiecesAtOnce> words;
  const char* const end = piece.data() + piece.size();
  while (!piece.empty()) {
    const auto some = std::span(words).first(cuts_.cut(piece, words));
    piece.remove_prefix(
        static_cast<size_t>(some.back().data() + some.back().size() - piece.data()));
    for (std::span rest(some); !rest.empty();) {
      const auto now = rest.first(std::min(rest.size(), PieceCache::kPiecesAtOnce));
      cache_.encode(now, end, out, [&](std::string_view word, std::vector<int32_t>& ids) {
        scratch.word.clear();
        append_unmarked(word, scratch.word);
        model_->encode(scratch.word, scratch, ids);
      });
      rest = rest.subspan(now.size());
    }
  }
}

}  // namespace bittern::text
