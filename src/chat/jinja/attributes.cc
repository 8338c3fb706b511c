// value.name and value[key]. As in the reference: a dot looks for an attribute first, brackets
// for an item first, and what is in neither place is undefined rather than an error. So
// `message.items` is the method even where the dictionary has such a key. What would change a
// list or dictionary (append, update, ...) counts as absent: its value is undefined and calling
// it an error.
#include <algorithm>

#include "base/error.h"
#include "chat/jinja/format_text.h"
#include "chat/jinja/interpreter.h"
#include "chat/jinja/operations.h"
#include "chat/jinja/tables.h"

namespace bittern::chat::jinja {
namespace {

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Methods of Python's lists and dictionaries that the immutable sandbox hides. They still come
// before a key of the same name.
bool is_mutating(const Object& value, std::string_view name) {
  if (value.is(Type::dict))
    return is_one_of(name, {"clear", "pop", "popitem", "setdefault", "update"});
  return value.is(Type::list) && is_one_of(name, {"append", "clear", "pop", "reverse", "insert",
                                                  "sort", "extend", "remove"});
}

Object cycle(Interpreter& run, const Object& self, const Arguments& given) {
  if (given.positional.empty() || !given.named.empty()) run.fail("loop.cycle(): values expected");
  const auto index = static_cast<size_t>(std::max<int64_t>(self.loop->index0, 0));
  return given.positional[index % given.positional.size()];
}

Object changed(Interpreter& run, const Object& self, const Arguments& given) {
  Loop& loop = *self.loop;
  if (!given.named.empty()) run.fail("loop.changed(): values expected");
  bool is_same = loop.changed_before && loop.last_changed.size() == given.positional.size();
  for (size_t i = 0; is_same && i < given.positional.size(); ++i)
    is_same = equal(run.heap, loop.last_changed[i], given.positional[i]);
  if (is_same) return of(false);
  loop.changed_before = true;
  loop.last_changed = run.heap.copy(given.positional);
  return of(true);
}

std::optional<Object> loop_attribute(Heap& heap, const Object& self, std::string_view name) {
  const Loop& loop = *self.loop;
  const int64_t count = loop_length(loop);
  const auto item = [&](int64_t index, std::string_view what) {
    return index >= 0 && index < count ? loop.items[static_cast<size_t>(index)]
                                       : undefined(heap.literal(what));
  };
  if (name == "index") return of(loop.index0 + 1);
  if (name == "index0") return of(loop.index0);
  if (name == "revindex") return of(count - loop.index0);
  if (name == "revindex0") return of(count - loop.index0 - 1);
  if (name == "first") return of(loop.index0 == 0);
  if (name == "last") return of(loop.index0 + 1 == count);
  if (name == "length") return of(count);
  if (name == "depth") return of(loop.depth0 + 1);
  if (name == "depth0") return of(loop.depth0);
  if (name == "previtem") return item(loop.index0 - 1, "loop.previtem");
  if (name == "nextitem") return item(loop.index0 + 1, "loop.nextitem");
  if (name == "cycle") return heap.callable("cycle", cycle, self);
  if (name == "changed") return heap.callable("changed", changed, self);
  return std::nullopt;
}

Object cycler_next(Interpreter&, const Object& self, const Arguments&) {
  Cycler& cycler = *self.cycler;
  const Object current = cycler.items[cycler.at];
  cycler.at = (cycler.at + 1) % cycler.items.size();
  return current;
}
Object cycler_reset(Interpreter&, const Object& self, const Arguments&) {
  self.cycler->at = 0;
  return none();
}

std::optional<Object> macro_attribute(Heap& heap, const Callable& callable, std::string_view name) {
  if (callable.macro == nullptr) return std::nullopt;
  if (name == "name") return of(heap.literal(callable.name));
  if (name != "arguments") return std::nullopt;
  std::vector<Object> names;
  for (const std::string& parameter : callable.macro->signature.names)
    names.push_back(of(heap.literal(parameter)));
  return heap.list(names);
}

// What Python's getattr finds.
std::optional<Object> own_attribute(Heap& heap, const Object& value, std::string_view name) {
  if (is_mutating(value, name)) return undefined(heap.literal(name));
  switch (value.type) {
    case Type::loop:
      return loop_attribute(heap, value, name);
    case Type::name_space:
      for (const auto& [key, member] : value.name_space->members)
        if (key == name) return member;
      return std::nullopt;
    case Type::cycler:
      if (name == "next") return heap.callable("next", cycler_next, value);
      if (name == "reset") return heap.callable("reset", cycler_reset, value);
      if (name == "current") return value.cycler->items[value.cycler->at];
      return std::nullopt;
    case Type::callable:
      return macro_attribute(heap, *value.callable, name);
    case Type::tuple:
      if (value.sequence->is_group && name == "grouper") return value.sequence->items[0];
      if (value.sequence->is_group && name == "list") return value.sequence->items[1];
      break;
    case Type::range:
      if (name == "start") return of(value.range->start);
      if (name == "stop") return of(value.range->stop);
      if (name == "step") return of(value.range->step);
      break;
    case Type::floating:
      if (name == "real") return value;
      if (name == "imag") return of(0.0);
      break;
    case Type::boolean:
    case Type::integer:
      if (name == "real" || name == "numerator") return of(value.whole());
      if (name == "imag") return of(int64_t{0});
      if (name == "denominator") return of(int64_t{1});
      break;
    default:
      break;
  }
  if (const MethodRow* method = find_method(value, name))
    return heap.callable(method->name, method->call, value);
  return std::nullopt;
}

// A key that cannot be hashed is in no dictionary.
bool is_hashable(const Object& key) {
  if (key.is(Type::tuple))
    return std::all_of(key.sequence->items.begin(), key.sequence->items.end(), is_hashable);
  return !key.is(Type::list) && !key.is(Type::dict) && !key.is(Type::view);
}

// What Python's subscription finds; nothing for what is not there or cannot be asked for.
std::optional<Object> own_item(Heap& heap, const Object& value, const Object& key) {
  if (value.is(Type::dict)) {
    if (!is_hashable(key)) return std::nullopt;
    const Object* found = heap.find(*value.mapping, key);
    return found != nullptr ? std::optional(*found) : std::nullopt;
  }
  if (!key.is_whole()) return std::nullopt;
  if (value.is(Type::list) || value.is(Type::tuple)) {
    const auto at = position(key.whole(), value.sequence->items.size());
    return at ? std::optional(value.sequence->items[*at]) : std::nullopt;
  }
  if (value.is(Type::string)) {
    const auto at = position(key.whole(), value.string->length);
    if (!at) return std::nullopt;
    const size_t begin = byte_offset(*value.string, *at);
    const size_t end = byte_offset(*value.string, *at + 1);
    return of(heap.slice(*value.string, begin, end));
  }
  if (value.is(Type::range)) {
    const auto at = position(key.whole(), static_cast<size_t>(value.range->count));
    if (!at) return std::nullopt;
    return of(value.range->start + static_cast<int64_t>(*at) * value.range->step);
  }
  return std::nullopt;
}

}  // namespace

Object Interpreter::attribute(const Object& value, const Str& name) {
  if (value.is(Type::undefined)) fail_undefined(heap, value);
  if (const auto found = own_attribute(heap, value, name.bytes)) return *found;
  if (const auto found = own_item(heap, value, of(&name))) return *found;
  return undefined(heap.make<Str>(name));
}

Object Interpreter::attribute_only(const Object& value, const Str& name) {
  if (value.is(Type::undefined)) fail_undefined(heap, value);
  const auto found = own_attribute(heap, value, name.bytes);
  return found ? *found : undefined(heap.make<Str>(name));
}

Object Interpreter::item(const Object& value, const Object& key) {
  if (value.is(Type::undefined)) fail_undefined(heap, value);
  if (const auto found = own_item(heap, value, key)) return *found;
  if (key.is(Type::string))
    if (const auto found = own_attribute(heap, value, key.string->bytes)) return *found;
  return undefined(to_text(heap, key));
}

}  // namespace bittern::chat::jinja
