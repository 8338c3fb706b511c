// A vocabulary of ten tokens, small enough to follow by eye: token n is piece n, token 0 ends the
// text, two tokens are halves of one character.
#pragma once

#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace bittern::engine {

class FakeTokenizer final : public text::Tokenizer {
 public:
  static constexpr int32_t kEnd = 0;

  FakeTokenizer() : Tokenizer(vocabulary()) {}
  std::vector<int32_t> encode(std::string_view, const text::EncodeOptions&) const override {
    return {};
  }
  std::string token_bytes(int32_t id, const text::DecodeOptions&) const override {
    return spec_.tokens[static_cast<size_t>(id)];
  }

 private:
  static text::VocabSpec vocabulary() {
    text::VocabSpec spec;
    spec.tokens = {"<end>", "a", "b", "c", "st", "op", "\xc3", "\xa9", " ", "x"};
    spec.kinds.assign(spec.tokens.size(), text::TokenKind::normal);
    spec.kinds[kEnd] = text::TokenKind::control;
    spec.end_of_generation = {kEnd};
    return spec;
  }
};

}  // namespace bittern::engine
