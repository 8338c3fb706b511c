// From tokens back to text: the decoders of tokenizer.json and the one of SentencePiece as a chain
// of small state machines, so that one implementation serves whole sequences and streams.
//
//   token -> stage 0 -> ... -> stage n -> text
//
// A stage takes one token and passes on none, one or several; at the end it passes on what it held
// back. Behind Fuse and ByteLevel there is one token in all, which comes in parts; the stages there
// know it. Source: decoders of `tokenizers`, SentencePieceProcessor::Decode (H 5.1, 5.3).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/vocab_spec.h"

namespace bittern::text {

class DecodeChain {
 public:
  struct Options {
    // Bytes of ByteFallback become text as soon as they are whole characters. Otherwise a run is
    // held to its end, because one bad byte makes all of it U+FFFD in the reference.
    bool eager = false;
    // As if there were text before: nothing is stripped or left out at the start.
    bool mid_text = false;
  };
  // `spec` must outlive the chain. Throws where a pattern is not one.
  DecodeChain(const VocabSpec& spec, Options options);
  ~DecodeChain();

  // Text that a token adds; `text` is what the vocabulary says for the id.
  std::string push(int32_t id, std::string_view text);
  // Text that comes out where a token is left out: bytes on its two sides may not be one character.
  std::string skip();
  std::string finish();

  // The rest of the chain behind a stage.
  class Next {
   public:
    Next(DecodeChain& chain, size_t stage) : chain_(chain), stage_(stage) {}
    void operator()(int32_t id, std::string text) const;

   private:
    DecodeChain& chain_;
    size_t stage_;
  };

  class Stage {
   public:
    virtual ~Stage() = default;
    virtual void push(int32_t id, std::string text, const Next& next) = 0;
    virtual void skip(const Next&) {}
    virtual void finish(const Next&) {}
  };

 private:
  std::vector<std::unique_ptr<Stage>> stages_;
  std::string out_;
};

}  // namespace bittern::text
