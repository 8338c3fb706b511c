// Tests: what stands after `is`.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "chat/jinja/format_text.h"
#include "chat/jinja/interpreter.h"
#include "chat/jinja/operations.h"
#include "chat/jinja/parameters.h"
#include "chat/jinja/string_operations.h"
#include "chat/jinja/tables.h"

namespace bittern::chat::jinja {
namespace {

using Args = const Arguments&;

// A test without arguments, of one property of the value.
template <bool (*property)(const Object&)>
bool plain(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "a test without arguments", args);
  return property(value);
}

bool is_defined(const Object& v) { return !v.is(Type::undefined); }
bool is_undefined(const Object& v) { return v.is(Type::undefined); }
bool is_none(const Object& v) { return v.is(Type::none); }
bool is_boolean(const Object& v) { return v.is(Type::boolean); }
bool is_false(const Object& v) { return v.is(Type::boolean) && !v.boolean; }
bool is_true(const Object& v) { return v.is(Type::boolean) && v.boolean; }
bool is_integer(const Object& v) { return v.is(Type::integer); }
bool is_float(const Object& v) { return v.is(Type::floating); }
bool is_number(const Object& v) { return v.is_number(); }
bool is_string(const Object& v) { return v.is(Type::string); }
bool is_mapping(const Object& v) { return v.is(Type::dict); }
bool is_escaped(const Object& v) { return v.is(Type::string) && v.string->markup; }
// What Python's len() and indexing take; of an undefined value both exist.
bool is_sequence(const Object& v) {
  return v.is(Type::undefined) || v.is(Type::string) || v.is(Type::list) || v.is(Type::tuple) ||
         v.is(Type::dict) || v.is(Type::range);
}
bool is_iterable(const Object& v) {
  return is_sequence(v) || v.is(Type::view) || v.is(Type::iterator) || v.is(Type::loop);
}
bool is_callable(const Object& v) {
  return v.is(Type::callable) || v.is(Type::loop) || v.is(Type::joiner) || v.is(Type::undefined);
}

Object rest_of_division(Interpreter& run, const Object& value, const Object& by) {
  return binary(run.heap, Operator::modulo, value, by);
}
bool odd(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "odd", args);
  return equal(run.heap, rest_of_division(run, value, of(int64_t{2})), of(int64_t{1}));
}
bool even(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "even", args);
  return equal(run.heap, rest_of_division(run, value, of(int64_t{2})), of(int64_t{0}));
}
bool divisibleby(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "divisibleby", args, {"num"}, 1);
  return equal(run.heap, rest_of_division(run, value, p.at(0)), of(int64_t{0}));
}

bool lower(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "lower", args);
  return is_lower(*to_text(run.heap, value));
}
bool upper(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "upper", args);
  return is_upper(*to_text(run.heap, value));
}

bool sameas(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "sameas", args, {"other"}, 1);
  return same(value, p.at(0));
}
bool in(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "in", args, {"seq"}, 1);
  return contains(run.heap, p.at(0), value);
}
bool filter(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "filter", args);
  run.heap.find(Mapping{}, value);  // fails where the value cannot be hashed
  return value.is(Type::string) && find_filter(value.string->bytes) != nullptr;
}
bool test(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "test", args);
  run.heap.find(Mapping{}, value);
  return value.is(Type::string) && find_test(value.string->bytes) != nullptr;
}

bool eq(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "eq", args, {""}, 1);
  return equal(run.heap, value, p.at(0));
}
bool ne(Interpreter& run, const Object& value, Args args) { return !eq(run, value, args); }
bool lt(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "lt", args, {""}, 1);
  return less(run.heap, value, p.at(0));
}
bool gt(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "gt", args, {""}, 1);
  return less(run.heap, p.at(0), value);
}
bool le(Interpreter& run, const Object& value, Args args) {
  return lt(run, value, args) || eq(run, value, args);
}
bool ge(Interpreter& run, const Object& value, Args args) {
  return gt(run, value, args) || eq(run, value, args);
}

constexpr TestRow kTests[] = {
    {"odd", odd},
    {"even", even},
    {"divisibleby", divisibleby},
    {"defined", plain<is_defined>},
    {"undefined", plain<is_undefined>},
    {"filter", filter},
    {"test", test},
    {"none", plain<is_none>},
    {"boolean", plain<is_boolean>},
    {"false", plain<is_false>},
    {"true", plain<is_true>},
    {"integer", plain<is_integer>},
    {"float", plain<is_float>},
    {"lower", lower},
    {"upper", upper},
    {"string", plain<is_string>},
    {"mapping", plain<is_mapping>},
    {"number", plain<is_number>},
    {"sequence", plain<is_sequence>},
    {"iterable", plain<is_iterable>},
    {"callable", plain<is_callable>},
    {"sameas", sameas},
    {"escaped", plain<is_escaped>},
    {"in", in},
    {"==", eq},
    {"eq", eq},
    {"equalto", eq},
    {"!=", ne},
    {"ne", ne},
    {">", gt},
    {"gt", gt},
    {"greaterthan", gt},
    {"ge", ge},
    {">=", ge},
    {"<", lt},
    {"lt", lt},
    {"lessthan", lt},
    {"<=", le},
    {"le", le},
};

}  // namespace

const TestRow* find_test(std::string_view name) {
  const auto* found = std::find_if(std::begin(kTests), std::end(kTests),
                                   [&](const TestRow& row) { return row.name == name; });
  return found == std::end(kTests) ? nullptr : found;
}

}  // namespace bittern::chat::jinja
