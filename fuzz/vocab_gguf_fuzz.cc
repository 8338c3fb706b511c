// A vocabulary in GGUF metadata, and the tokeniser built from it.
#include <string>

#include "format/gguf/header.h"
#include "format/vocab.h"
#include "fuzz/target.h"
#include "text/tokenizer.h"

using namespace bittern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::accept_errors([&] {
    const auto header = format::gguf::parse_header(fuzz::input(data, size), "fuzz.gguf");
    const auto tokenizer = text::Tokenizer::build(format::vocab_from_gguf(header.metadata));
    tokenizer->decode(tokenizer->encode("the bittern booms 123  in\n\nthe reeds <|eot_id|>"));
  });
}
