// Text to token ids and back. Built from a VocabSpec; immutable and shared between threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/vocab_spec.h"

namespace bittern::text {

struct EncodeOptions {
  bool add_special = true;    // add BOS/EOS as the vocabulary says
  bool parse_special = true;  // text that spells a special token becomes that token
};

struct DecodeOptions {
  bool skip_special = true;
};

class Tokenizer {
 public:
  // Throws Error{bad_input} on an inconsistent vocabulary (a merge of unknown tokens, ids out of
  // range), Error{unsupported} on an unknown split.
  static std::unique_ptr<Tokenizer> build(VocabSpec spec);
  virtual ~Tokenizer() = default;

  virtual std::vector<int32_t> encode(std::string_view text,
                                      const EncodeOptions& options = {}) const = 0;
  // The bytes of one token: not always valid UTF-8 by themselves. Empty for a skipped special.
  virtual std::string token_bytes(int32_t id, const DecodeOptions& options = {}) const = 0;
  // Whole-sequence decode: token bytes joined, invalid UTF-8 replaced by U+FFFD as the
  // reference does (one per maximal invalid subpart).
  std::string decode(std::span<const int32_t> ids, const DecodeOptions& options = {}) const;

  const VocabSpec& spec() const { return spec_; }
  int32_t vocab_size() const { return static_cast<int32_t>(spec_.tokens.size()); }
  bool is_end_of_generation(int32_t id) const;

 protected:
  explicit Tokenizer(VocabSpec spec) : spec_(std::move(spec)) {}
  VocabSpec spec_;
};

// Streaming detokenisation: bytes in, whole characters out. Holds back an incomplete UTF-8 tail
// of at most 3 bytes; the joined outputs plus finish() equal the whole decode.
class StreamDecoder {
 public:
  std::string push(std::string_view token_bytes);
  std::string finish();

 private:
  std::string pending_;
};

}  // namespace bittern::text
