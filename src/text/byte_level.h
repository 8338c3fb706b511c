// Byte-level BPE, the tokeniser of GPT-2, Llama 3, Qwen and SmolLM:
//   text -> added tokens (raw) -> NFC where asked -> added tokens (normalised)
//        -> pieces (split.h) -> byte-pair merging of each piece's bytes (bpe.h) -> ids
// Text that is not UTF-8 is read as a lossy conversion would give it: every maximal invalid
// subpart is one U+FFFD. So encode never fails on text, and is the reference's result for the
// string that Python's bytes.decode("utf-8", "replace") makes of it.
#pragma once

#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/piece_cache.h"
#include "text/split.h"
#include "text/token_table.h"
#include "text/tokenizer.h"

namespace bittern::text {

class ByteLevelTokenizer final : public Tokenizer {
 public:
  // The spec has been checked (Tokenizer::build).
  explicit ByteLevelTokenizer(VocabSpec spec, const Split& split);

  std::vector<int32_t> encode(std::string_view text, const EncodeOptions& options) const override;
  std::string token_bytes(int32_t id, const DecodeOptions& options) const override;

 private:
  struct Scratch {
    Bpe::Workspace bpe;
    std::string prefixed;
  };
  void encode_segment(std::string_view raw, size_t offset, const EncodeOptions& options,
                      Scratch& scratch, std::vector<int32_t>& out) const;
  void encode_plain(std::string_view text, Scratch& scratch, std::vector<int32_t>& out) const;
  void encode_stage(const Split& split, std::string_view text, Scratch& scratch,
                    std::vector<int32_t>& out) const;

  void encode_pieces(std::string_view text, std::span<const size_t> lengths, Scratch& scratch,
                     std::vector<int32_t>& out) const;

  const Split& split_;
  const Split& byte_level_split_;  // ByteLevel's own expression, without the stages before it
  TokenTable tokens_;
  Bpe bpe_;
  AddedTokens raw_added_;
  AddedTokens normalized_added_;
  std::vector<bool> special_;  // by id: left out with skip_special
  mutable PieceCache cache_;   // thread-safe; never changes a result
};

}  // namespace bittern::text
