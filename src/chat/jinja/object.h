// Values while a template runs. Everything a render makes lives in its Heap until the render
// ends, so an Object is sixteen bytes copied freely: no counts, no cycles to leak, and what a
// hostile template can take is bounded by one number (limits.h). Texts, lists and dictionaries
// never change once made, as in the reference's immutable sandbox; namespaces, iterators and
// loops do.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <memory_resource>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "chat/jinja/ast.h"
#include "chat/jinja/text.h"

namespace bittern::chat::jinja {

class Interpreter;
struct Arguments;
struct Object;
struct Sequence;
struct Mapping;
struct View;
struct RangeObject;
struct Iterator;
struct Namespace;
struct Callable;
struct Loop;
struct Cycler;
struct Joiner;

enum class Type : uint8_t {
  undefined,
  none,
  boolean,
  integer,
  floating,
  string,
  list,
  tuple,
  dict,
  view,  // dict.keys(), .values(), .items()
  range,
  iterator,  // what map, select, reverse... give: read once
  name_space,
  callable,  // macro, function, bound method
  loop,
  cycler,
  joiner
};
// As Python names it: "str", "list".
std::string_view type_name(Type type);

struct Object {
  Type type = Type::none;
  union {
    bool boolean;
    int64_t integer = 0;
    double floating;
    const Str* string;
    const Str* missing;  // of undefined: what is missing, for errors; may be null
    const Sequence* sequence;
    const Mapping* mapping;
    const View* view;
    const RangeObject* range;
    Iterator* iterator;
    Namespace* name_space;
    const Callable* callable;
    Loop* loop;
    Cycler* cycler;
    Joiner* joiner;
  };

  Object() = default;
  explicit Object(Type kind) : type(kind) {}

  bool is(Type wanted) const { return type == wanted; }
  bool is_number() const {
    return type == Type::boolean || type == Type::integer || type == Type::floating;
  }
  bool is_whole() const { return type == Type::boolean || type == Type::integer; }
  // Of booleans and integers.
  int64_t whole() const { return type == Type::boolean ? boolean : integer; }
  // Of any number.
  double number() const { return type == Type::floating ? floating : static_cast<double>(whole()); }
};
static_assert(std::is_trivially_copyable_v<Object> && sizeof(Object) == 16);

inline Object none() { return {}; }
inline Object of(bool value) {
  Object object(Type::boolean);
  object.boolean = value;
  return object;
}
inline Object of(int64_t value) {
  Object object(Type::integer);
  object.integer = value;
  return object;
}
inline Object of(double value) {
  Object object(Type::floating);
  object.floating = value;
  return object;
}
inline Object of(const Str* value) {
  Object object(Type::string);
  object.string = value;
  return object;
}
inline Object undefined(const Str* what = nullptr) {
  Object object(Type::undefined);
  object.missing = what;
  return object;
}

// Elements of a list or tuple.
struct Sequence {
  std::span<const Object> items;
  int depth = 1;  // 1 + that of the deepest element
  // Of groupby: a pair whose members also have the names `grouper` and `list`.
  bool is_group = false;
};

struct Entry {
  Object key, value;
};

// In order of insertion; beyond a few entries with a hash table of indices (open addressing, a
// power of two, -1 where free).
struct Mapping {
  std::span<const Entry> entries;
  std::span<const int32_t> slots;
  int depth = 1;
};

struct View {
  enum class Kind : uint8_t { keys, values, items };
  Kind kind = Kind::keys;
  const Mapping* mapping = nullptr;
};

struct RangeObject {
  int64_t start = 0, stop = 0, step = 1, count = 0;
};

// Filled when first read, as Python's generators do nothing before that. One that nobody reads
// then cannot fail either.
struct Iterator {
  std::function<std::vector<Object>()>* fill = nullptr;  // null once filled
  std::span<const Object> items;
  size_t next = 0;
};

struct Namespace {
  std::pmr::vector<std::pair<std::string_view, Object>> members;
};

struct Scope;

using Function = Object (*)(Interpreter& run, const Object& self, const Arguments& arguments);

// A function of the tables with what it is bound to, a macro with the scope it was made in, or
// the `loop(...)` of a recursive loop.
struct Callable {
  std::string_view name;
  Function function = nullptr;
  Object self;
  const Statement* macro = nullptr;
  Scope* scope = nullptr;
};

// `loop`: what it knows of its iterable.
struct Loop {
  std::span<const Object> items;
  int64_t index0 = -1;
  int64_t depth0 = 0;
  const Statement* statement = nullptr;  // of a recursive loop
  Scope* scope = nullptr;                // around it
  std::span<const Object> last_changed;
  bool changed_before = false;
};

struct Cycler {
  std::span<const Object> items;
  size_t at = 0;
};
struct Joiner {
  const Str* separator = nullptr;
  bool used = false;
};

// Variables of a template, loop, macro...: names not found here are looked for in `parent`.
struct Scope {
  Scope* parent = nullptr;
  std::pmr::vector<std::pair<Symbol, Object>> variables;
  bool captured = false;  // a macro holds it, so it cannot be used again

  Object* find(Symbol symbol) {
    for (auto& [name, value] : variables)
      if (name == symbol) return &value;
    return nullptr;
  }
  void set(Symbol symbol, const Object& value) {
    if (Object* old = find(symbol))
      *old = value;
    else
      variables.emplace_back(symbol, value);
  }
};

struct Arguments {
  std::vector<Object> positional;
  std::vector<std::pair<std::string_view, Object>> named;
};

}  // namespace bittern::chat::jinja
