// tokenizer.model of SentencePiece: the protobuf, its charsmap, the tokeniser built from it.
#include <algorithm>
#include <string>

#include "format/vocab.h"
#include "fuzz/target.h"
#include "text/tokenizer.h"

using namespace bittern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes model = fuzz::input(data, size);
  return fuzz::accept_errors([&] {
    const auto tokenizer = text::Tokenizer::build(format::vocab_from_sentencepiece(model, "m"));
    const std::string_view text = as_text(model).substr(0, std::min<size_t>(size, 300));
    for (const std::string_view part : {text, std::string_view("the bittern  booms ing<sep>\n")}) {
      const auto ids = tokenizer->encode(part);
      for (const int32_t id : ids)
        if (id < 0 || id >= tokenizer->vocab_size()) __builtin_trap();
      const auto stream = tokenizer->stream();
      std::string streamed;
      for (const int32_t id : ids) streamed += stream->push(id);
      streamed += stream->finish();
      if (streamed != tokenizer->decode(ids)) __builtin_trap();
    }
  });
}
