// Values as text: Python's str() and repr(), JSON as json.dumps writes it, and the two kinds of
// format strings. Texts inside keep their marks of who wrote them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "chat/jinja/heap.h"
#include "chat/jinja/object.h"

namespace bittern::chat::jinja {

// repr(): the fewest digits that read back as the same number. "0.1", "1e+16", "inf".
std::string float_text(double value);

void append_str(Heap& heap, TextBuilder& out, const Object& value);
void append_repr(Heap& heap, TextBuilder& out, const Object& value);
// str(value); a text is itself, its mark of being safe included.
const Str* to_text(Heap& heap, const Object& value);

struct JsonStyle {
  bool ensure_ascii = false;
  std::optional<std::string> indent;  // one level of it; nothing: on one line
  std::string_view item_separator = ", ", key_separator = ": ";
  bool sort_keys = false;
};
void append_json(Heap& heap, TextBuilder& out, const Object& value, const JsonStyle& style);

// "..." % values.
Object percent_format(Heap& heap, const Str& format, const Object& values);
// "...".format(arguments); `lookup` resolves ".name" and "[key]" within a field.
using FieldLookup = Object (*)(Interpreter& run, const Object& object, const Str& name,
                               bool is_attribute);
Object brace_format(Heap& heap, Interpreter& run, const Str& format, const Arguments& arguments,
                    FieldLookup lookup);
// One value by a format specification: "<10", "05.2f", ",".
void append_formatted(Heap& heap, TextBuilder& out, const Object& value, std::string_view spec);

// round(value, digits) of a float: exact decimal digits, half to even.
double rounded(double value, int64_t digits);

}  // namespace bittern::chat::jinja
