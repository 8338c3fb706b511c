// JSON Schemas: any bytes as a schema. What compiles gives the same masks twice, and what a walk by
// masks accepts can be rolled back.
#include "base/check.h"
#include "chat/grammar/grammar.h"
#include "fuzz/grammar_walk.h"
#include "fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bittern;
  const std::string_view source = as_text(fuzz::input(data, size));
  return fuzz::accept_errors([&] { fuzz::walk(chat::grammar::compile_json_schema(source), size); });
}
