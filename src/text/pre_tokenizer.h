// How normalised text is cut into the pieces that a model encodes one by one: the pre-tokenisers of
// tokenizer.json, each applied to the pieces of the one before. Source: research note H 5.1.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/vocab_spec.h"

namespace bittern::text {

// Pieces of one text, none empty, in order. A stage may rewrite the text (ByteLevel, Metaspace).
struct Pieces {
  struct Piece {
    size_t begin, end;
    bool at_origin;  // where the whole input begins
  };
  std::string text;
  std::vector<Piece> list;

  std::string_view view(const Piece& piece) const {
    return std::string_view(text).substr(piece.begin, piece.end - piece.begin);
  }
};

class PreTokenizer {
 public:
  // Throws where a pattern is not one.
  explicit PreTokenizer(const VocabSpec& spec);
  ~PreTokenizer();

  // Cuts valid UTF-8.
  Pieces apply(std::string_view text, bool at_origin) const;

  class Stage {
   public:
    virtual ~Stage() = default;
    virtual void apply(Pieces& pieces) const = 0;
  };

 private:
  std::vector<std::unique_ptr<Stage>> stages_;
};

}  // namespace bittern::text
