// The literal tables of what templates can call: filters, tests, methods, globals. A row is a
// name and a function; adding one is a row, its function and a test.
#pragma once

#include <string_view>

#include "chat/jinja/object.h"

namespace bittern::chat::jinja {

class Interpreter;
struct Arguments;

// value|name(arguments)
struct FilterRow {
  std::string_view name;
  Object (*apply)(Interpreter& run, const Object& value, const Arguments& arguments);
};
// Null where there is no such filter.
const FilterRow* find_filter(std::string_view name);

// value is name(arguments)
struct TestRow {
  std::string_view name;
  bool (*holds)(Interpreter& run, const Object& value, const Arguments& arguments);
};
const TestRow* find_test(std::string_view name);

// self.name(arguments)
struct MethodRow {
  std::string_view name;
  Object (*call)(Interpreter& run, const Object& self, const Arguments& arguments);
};
// A method of a text, list, dictionary, ...; null where values of that kind have none so called.
const MethodRow* find_method(const Object& self, std::string_view name);

// Functions that every template sees.
struct GlobalRow {
  std::string_view name;
  Object (*call)(Interpreter& run, const Object& none, const Arguments& arguments);
};
const GlobalRow* find_global(std::string_view name);

}  // namespace bittern::chat::jinja
