// Regular expressions of constrained decoding: any bytes as an expression (json_schema_fuzz.cc says
// what must hold of one that compiles).
#include "chat/grammar/grammar.h"
#include "fuzz/grammar_walk.h"
#include "fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bittern;
  const std::string_view source = as_text(fuzz::input(data, size));
  return fuzz::accept_errors([&] { fuzz::walk(chat::grammar::compile_regex(source), size); });
}
