// Every tokeniser but byte-level BPE: the stages of tokenizer.json around a model.
//   text -> added tokens (raw) -> normaliser -> added tokens (normalised) -> pieces -> model -> ids
//   ids -> tokens -> chain of decoders -> text
// Where the stages in the middle do no more than Llama's and Gemma's, which is to write "▁" for
// spaces, they are one step.
// Text that is not UTF-8 is read as a lossy conversion would give it, as in byte_level.h.
#pragma once

#include "text/added_tokens.h"
#include "text/cached_model.h"
#include "text/decoder.h"
#include "text/marked_text.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer.h"

namespace bittern::text {

class PipelineTokenizer final : public Tokenizer {
 public:
  // The spec has been checked (Tokenizer::build).
  explicit PipelineTokenizer(VocabSpec spec);

  std::vector<int32_t> encode(std::string_view text, const EncodeOptions& options) const override;
  std::string token_bytes(int32_t id, const DecodeOptions& options) const override;
  std::unique_ptr<TokenStream> stream(const DecodeOptions& options) const override;
  std::string decode(std::span<const int32_t> ids, const DecodeOptions& options) const override;

 private:
  // A segment of raw text, and where the whole text has it.
  struct Segment {
    std::string_view text;
    size_t offset;
  };
  void encode_segment(const Segment& segment, const EncodeOptions& options,
                      std::span<const TextRange> literal, ModelScratch& scratch,
                      std::vector<int32_t>& out) const;
  // What the decoders are given for an id; nothing where it is left out.
  std::optional<std::string_view> text_of(int32_t id, const DecodeOptions& options) const;
  class Stream;

  Normalizer normalizer_;
  PreTokenizer pre_tokenizer_;
  CachedModel model_;
  AddedTokens raw_added_;
  AddedTokens normalized_added_;
  // Where that is all that stands between the added tokens of raw text and the model.
  std::optional<SpaceMarks> space_marks_;
  std::vector<std::string> texts_;   // of tokens that do not read as the vocabulary has them
  std::vector<int32_t> text_index_;  // by id: into texts_, or -1
  std::vector<bool> special_;        // by id: left out with skip_special
};

}  // namespace bittern::text
