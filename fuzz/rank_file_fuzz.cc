// Rank files, tekken.json, vocab.txt and merge lists: the small parsers of vocab_tiktoken.cc,
// vocab_tekken.cc and vocab_text.cc. The first byte chooses.
#include <string>

#include "base/json.h"
#include "format/vocab.h"
#include "fuzz/target.h"
#include "text/tokenizer.h"

using namespace bittern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(as_text(fuzz::input(data + 1, size - 1)));
  return fuzz::accept_errors([&] {
    text::VocabSpec spec;
    switch (data[0] % 4) {
      case 0:
        spec = format::vocab_from_tiktoken(text, "ranks");
        break;
      case 1:
        spec = format::vocab_from_tekken(*json::Document::parse(text, "tekken.json"));
        break;
      case 2:
        spec = format::vocab_from_word_list(text, "vocab.txt");
        break;
      default: {
        const auto vocab = json::Document::parse(R"({"a":0,"b":1,"ab":2})", "vocab.json");
        spec = format::vocab_from_merge_list(*vocab, text);
      }
    }
    const auto tokenizer = text::Tokenizer::build(std::move(spec));
    tokenizer->decode(tokenizer->encode("the bittern booms 123\n ab <s>"));
  });
}
