#include "text/token_model.h"

#include "base/error.h"
#include "text/character_bpe.h"
#include "text/sentencepiece_bpe.h"
#include "text/unigram.h"
#include "text/word_piece.h"

namespace bittern::text {
namespace {

void check_scores(const VocabSpec& spec) {
  if (spec.scores.size() != spec.tokens.size())
    bad_input("{}: scores: expected one per token ({}), got {}", spec.source, spec.tokens.size(),
              spec.scores.size());
}

}  // namespace

std::unique_ptr<TokenModel> make_token_model(const VocabSpec& spec) {
  switch (spec.model) {
    case TokenizerModel::bpe:
      return std::make_unique<CharacterBpe>(spec);
    case TokenizerModel::sentencepiece_bpe:
      check_scores(spec);
      return std::make_unique<SentencePieceBpe>(spec);
    case TokenizerModel::unigram:
      check_scores(spec);
      return std::make_unique<Unigram>(spec);
    case TokenizerModel::word_piece:
      return std::make_unique<WordPiece>(spec);
    case TokenizerModel::word_level:
      return std::make_unique<WordLevel>(spec);
    case TokenizerModel::byte_level_bpe:
      break;
  }
  fail(ErrorKind::internal, "{}: a model behind stages expected", spec.source);
}

}  // namespace bittern::text
