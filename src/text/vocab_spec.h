// A vocabulary as plain data, neutral to the container it came from. GGUF metadata,
// tokenizer.json, SentencePiece models and rank files are all read into this; tokenizers are built
// from it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "text/pipeline_spec.h"

namespace bittern::text {

enum class TokenKind : uint8_t { normal, unknown, control, user_defined, unused, byte };

// A token matched in the raw text before splitting (tokenizer.json "added_tokens"; in GGUF the
// control and user-defined tokens).
struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = true;  // left out when decoding with skip_special
  bool single_word = false;
  bool lstrip = false;
  bool rstrip = false;
  bool normalized = false;
};

enum class TokenizerModel : uint8_t {
  byte_level_bpe,     // a row of the split table, then merges over bytes; `split` and `nfc`
  bpe,                // merges over characters, behind the stages
  sentencepiece_bpe,  // adjacent pieces by score
  unigram,            // the best sum of scores
  word_piece,         // the longest prefix, again and again
  word_level,         // a whole piece or unknown
};

struct VocabSpec {
  std::string source;  // file name, for errors
  TokenizerModel model = TokenizerModel::byte_level_bpe;
  std::vector<std::string> tokens;  // by id; byte_level_bpe: in its alphabet, added ones verbatim
  std::vector<TokenKind> kinds;     // by id
  std::vector<std::pair<std::string, std::string>> merges;  // by rank
  std::vector<AddedToken> added;
  int32_t bos = -1, eos = -1, unknown = -1, padding = -1;
  bool add_bos = false, add_eos = false;
  std::vector<int32_t> end_of_generation;  // any of these ends a generation

  // byte_level_bpe alone, which knows no other stages.
  std::string split;              // row of the split table: "gpt-2", "llama-bpe", "qwen2", ...
  bool add_prefix_space = false;  // ByteLevel's add_prefix_space
  bool nfc = false;               // NFC normaliser (qwen)

  // Every other model.
  std::vector<NormalizerStep> normalizers;
  std::vector<PreTokenizerStep> pre_tokenizers;
  std::vector<DecoderStep> decoders;

  // byte_level_bpe and bpe: a whole piece that is in the vocabulary is one token.
  bool ignore_merges = false;
  // bpe
  bool fuse_unknown = false;
  std::string end_of_word_suffix;
  // bpe and word_piece: before every symbol of a piece but the first.
  std::string continuing_prefix;
  // bpe, sentencepiece_bpe and unigram: a character without a token becomes its bytes "<0xHH>".
  bool byte_fallback = false;
  // sentencepiece_bpe and unigram: by id.
  std::vector<double> scores;
  // unigram: sums in single precision, as SentencePiece has them (tokenizer.json means double).
  bool single_precision = false;
  // sentencepiece_bpe and unigram of a SentencePiece model: text is read as SentencePiece does,
  // so a user-defined token is matched by the normaliser and never cut.
  bool sentencepiece_symbols = false;
  // word_piece: a longer piece is unknown as a whole.
  int64_t max_word_chars = 100;

  // What surrounds one text and two; empty: bos and eos as add_bos and add_eos say. Not for pairs
  // of a model that has no template for them.
  std::vector<TemplatePiece> single, pair;
};

}  // namespace bittern::text
