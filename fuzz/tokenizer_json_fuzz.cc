// tokenizer.json: vocabulary, the tokeniser built from it, and its way there and back.
#include <algorithm>
#include <string>

#include "base/json.h"
#include "format/vocab.h"
#include "fuzz/target.h"
#include "text/tokenizer.h"

using namespace bittern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(as_text(fuzz::input(data, size)));
  return fuzz::accept_errors([&] {
    const auto document = json::Document::parse(text, "tokenizer.json");
    auto spec = format::vocab_from_tokenizer_json(
        *document, {document.get(), document.get(), document.get()});
    const auto tokenizer = text::Tokenizer::build(std::move(spec));
    const auto ids = tokenizer->encode(text.substr(0, std::min<size_t>(text.size(), 200)));
    for (const int32_t id : ids)
      if (id < 0 || id >= tokenizer->vocab_size()) __builtin_trap();
    tokenizer->decode(ids);
    const auto stream = tokenizer->stream();
    for (const int32_t id : ids) stream->push(id);
    stream->finish();
    tokenizer->encode("<s>the</s>", {.literal = {}});
  });
}
