// What is done to a text before it is cut: the normalisers of tokenizer.json and the one of
// SentencePiece, in the order of the spec. Source: research note H 5.1 and 5.3, checked against
// `tokenizers` and `sentencepiece` (tests/oracles/test_tokenizers.py).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/vocab_spec.h"

namespace bittern::text {

class Normalizer {
 public:
  // Throws where a pattern or a charsmap is not one.
  explicit Normalizer(const VocabSpec& spec);
  ~Normalizer();

  bool empty() const { return stages_.empty(); }

  // Rewrites valid UTF-8. `at_origin`: the text is where the whole input begins; on return whether
  // its first character still stems from there, which decides on Metaspace's "first". (A stage
  // that drops the first character moves the origin away, as in the reference's alignments.)
  void apply(std::string& text, bool& at_origin) const;
  std::string applied(std::string_view text) const;

  // One stage; implementations are in normalizer.cc and sentencepiece_normalizer.cc.
  class Stage {
   public:
    virtual ~Stage() = default;
    virtual void apply(std::string& text, bool& at_origin) const = 0;
  };

 private:
  std::vector<std::unique_ptr<Stage>> stages_;
};

}  // namespace bittern::text
