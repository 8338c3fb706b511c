// Text to token ids and back. Built from a VocabSpec; immutable and shared between threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/text_range.h"
#include "text/vocab_spec.h"

namespace bittern::text {

struct EncodeOptions {
  bool add_special = true;    // add BOS/EOS, or what the vocabulary's template has
  bool parse_special = true;  // text that spells a special token becomes that token
  // Sorted, disjoint: a special token that touches one of these ranges is read as text whatever
  // `parse_special` says (what a user typed inside a rendered chat template).
  std::span<const TextRange> literal = {};
};

struct DecodeOptions {
  bool skip_special = true;
};

// Streaming detokenisation: the text of one token after the other, in whole characters. Holds back
// an incomplete UTF-8 tail, and the few other things that depend on what follows. The joined
// outputs plus finish() equal the whole decode; but where decode() makes U+FFFD of a run of byte
// tokens that goes wrong in the middle, the characters before the fault have been passed on here.
class TokenStream {
 public:
  virtual ~TokenStream() = default;
  virtual std::string push(int32_t id) = 0;
  virtual std::string finish() = 0;
};

// "byte-level BPE", "SentencePiece BPE", ...
std::string_view model_name(TokenizerModel model);

class Tokenizer {
 public:
  // Throws Error{bad_input} on an inconsistent vocabulary (a merge of unknown tokens, ids out of
  // range), Error{unsupported} on an unknown split.
  static std::unique_ptr<Tokenizer> build(VocabSpec spec);
  virtual ~Tokenizer() = default;

  virtual std::vector<int32_t> encode(std::string_view text,
                                      const EncodeOptions& options = {}) const = 0;
  // Two texts in one sequence, as cross-encoders read them; `options.literal` is not looked at.
  // Throws unsupported where the vocabulary says how one text is surrounded but not two.
  std::vector<int32_t> encode_pair(std::string_view first, std::string_view second,
                                   const EncodeOptions& options = {}) const;

  // The bytes that one token adds behind other text: not always valid UTF-8 by themselves. Empty
  // for a skipped special. Text from several tokens is the business of stream() and decode(): the
  // first token of a text may read differently.
  virtual std::string token_bytes(int32_t id, const DecodeOptions& options = {}) const = 0;
  // The tokenizer must outlive the stream.
  virtual std::unique_ptr<TokenStream> stream(const DecodeOptions& options = {}) const;
  // Whole-sequence decode: token bytes joined, invalid UTF-8 replaced by U+FFFD as the
  // reference does (one per maximal invalid subpart).
  virtual std::string decode(std::span<const int32_t> ids, const DecodeOptions& options = {}) const;

  const VocabSpec& spec() const { return spec_; }
  int32_t vocab_size() const { return static_cast<int32_t>(spec_.tokens.size()); }
  bool is_end_of_generation(int32_t id) const;

 protected:
  explicit Tokenizer(VocabSpec spec) : spec_(std::move(spec)) {}
  // One encoded text with what the vocabulary puts around it.
  std::vector<int32_t> with_template(std::vector<int32_t> ids) const;
  VocabSpec spec_;
};

// Bytes in, whole characters out. Holds back an incomplete UTF-8 tail of at most 3 bytes.
class StreamDecoder {
 public:
  std::string push(std::string_view token_bytes);
  std::string finish();

 private:
  std::string pending_;
};

}  // namespace bittern::text
