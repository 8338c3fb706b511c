// JSON: parsing, every accessor on every value, printable text, and UTF-8 agreeing with simdjson
// on what is valid.
#include "base/json.h"

#include "base/check.h"
#include "base/utf8.h"
#include "fuzz/target.h"

using namespace bittern;

namespace {

// Each conversion either answers or throws Error.
void convert(const json::Value& value) {
  fuzz::accept_errors([&] { printable(value.as_string("field")); });
  fuzz::accept_errors([&] { value.as_integer("field"); });
  fuzz::accept_errors([&] { value.as_unsigned("field"); });
  fuzz::accept_errors([&] { value.as_number("field"); });
  fuzz::accept_errors([&] { value.as_boolean("field"); });
}

void walk(const json::Value& value) {
  convert(value);
  if (value.is(json::Kind::array))
    for (const json::Value& element : value.elements("field")) walk(element);
  if (value.is(json::Kind::object))
    for (const auto& [key, member] : value.members("field")) {
      value.find(key);
      walk(member);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = as_text(fuzz::input(data, size));
  return fuzz::accept_errors([&] {
    const auto document = json::Document::parse(text, printable(text));
    BITTERN_CHECK(utf8::is_valid(text), "JSON of {} bytes accepted that is not UTF-8", size);
    walk(document->root());
  });
}
