// Methods of lists, tuples, dictionaries and numbers: those that change nothing.
#include <cmath>

#include "base/error.h"
#include "chat/jinja/interpreter.h"
#include "chat/jinja/method_tables.h"
#include "chat/jinja/operations.h"
#include "chat/jinja/parameters.h"

namespace bittern::chat::jinja {
namespace {

using Args = const Arguments&;

Object count(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "count", args, {""}, 1);
  int64_t found = 0;
  for (const Object& item : elements(run.heap, self)) found += equal(run.heap, item, p.at(0));
  return of(found);
}

Object index(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "index", args, {"", "", ""}, 1);
  const auto items = elements(run.heap, self);
  const auto size = static_cast<int64_t>(items.size());
  const auto bound = [&](size_t i, int64_t otherwise) {
    int64_t value = p.whole_or(i, otherwise);
    if (value < 0) value = std::max<int64_t>(value < -size ? 0 : value + size, 0);
    return std::min(value, size);
  };
  const int64_t stop = bound(2, size);
  for (int64_t i = bound(1, 0); i < stop; ++i)
    if (equal(run.heap, items[static_cast<size_t>(i)], p.at(0))) return of(i);
  run.fail("index: the value is not in the list");
}

Object copy(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "copy", args);
  return self;
}

template <View::Kind kind>
Object view(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "a view of a dictionary", args);
  Object object(Type::view);
  object.view = run.heap.make<View>(View{.kind = kind, .mapping = self.mapping});
  return object;
}

Object get(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "get", args, {"", ""}, 1);
  const Object* found = run.heap.find(*self.mapping, p.at(0));
  return found != nullptr ? *found : p.at(1);
}

Object fromkeys(Interpreter& run, const Object&, Args args) {
  const Parameters p(run, "fromkeys", args, {"", ""}, 1);
  std::vector<Entry> entries;
  for (const Object& key : elements(run.heap, p.at(0))) entries.push_back({key, p.at(1)});
  return run.heap.dict(entries);
}

Object is_integer(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "is_integer", args);
  if (!self.is(Type::floating)) run.fail("is_integer: a float expected");
  return of(std::isfinite(self.floating) && self.floating == std::trunc(self.floating));
}

Object bit_length(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "bit_length", args);
  if (!self.is_whole()) run.fail("bit_length: an integer expected");
  uint64_t size = self.whole() < 0 ? uint64_t{0} - static_cast<uint64_t>(self.whole())
                                   : static_cast<uint64_t>(self.whole());
  int64_t bits = 0;
  for (; size > 0; size >>= 1) ++bits;
  return of(bits);
}

constexpr MethodRow kListMethods[] = {{"copy", copy}, {"count", count}, {"index", index}};
constexpr MethodRow kTupleMethods[] = {{"count", count}, {"index", index}};
constexpr MethodRow kDictMethods[] = {{"copy", copy},
                                      {"fromkeys", fromkeys},
                                      {"get", get},
                                      {"items", view<View::Kind::items>},
                                      {"keys", view<View::Kind::keys>},
                                      {"values", view<View::Kind::values>}};
constexpr MethodRow kNumberMethods[] = {{"bit_length", bit_length}, {"is_integer", is_integer}};

}  // namespace

std::span<const MethodRow> list_methods() { return kListMethods; }
std::span<const MethodRow> tuple_methods() { return kTupleMethods; }
std::span<const MethodRow> dict_methods() { return kDictMethods; }
std::span<const MethodRow> number_methods() { return kNumberMethods; }

const MethodRow* find_method(const Object& self, std::string_view name) {
  std::span<const MethodRow> rows;
  if (self.is(Type::string)) rows = string_methods();
  if (self.is(Type::list)) rows = list_methods();
  if (self.is(Type::tuple) || self.is(Type::range)) rows = tuple_methods();
  if (self.is(Type::dict)) rows = dict_methods();
  if (self.is_number()) rows = number_methods();
  for (const MethodRow& row : rows)
    if (row.name == name) return &row;
  return nullptr;
}

}  // namespace bittern::chat::jinja
