#include "chat/jinja/operations.h"

#include <algorithm>

#include "base/error.h"
#include "chat/jinja/string_operations.h"
#include "chat/limits.h"

namespace bittern::chat::jinja {

std::string_view type_name(Type type) {
  constexpr std::string_view kNames[] = {
      "Undefined", "NoneType", "bool",        "int",       "float", "str",
      "list",      "tuple",    "dict",        "dict view", "range", "generator",
      "Namespace", "function", "LoopContext", "Cycler",    "Joiner"};
  return kNames[static_cast<size_t>(type)];
}

void fail_undefined(Heap& heap, const Object& value) {
  heap.fail(fmt::format("{} is undefined",
                        value.missing == nullptr ? "the value" : value.missing->bytes));
}

int64_t loop_length(const Loop& loop) { return static_cast<int64_t>(loop.items.size()); }

bool truth(const Object& value) {
  switch (value.type) {
    case Type::undefined:
    case Type::none:
      return false;
    case Type::boolean:
      return value.boolean;
    case Type::integer:
      return value.integer != 0;
    case Type::floating:
      return value.floating != 0;
    case Type::string:
    case Type::list:
    case Type::tuple:
    case Type::dict:
    case Type::view:
    case Type::range:
    case Type::loop:
      return *try_length(value) > 0;
    case Type::iterator:
    case Type::name_space:
    case Type::callable:
    case Type::cycler:
    case Type::joiner:
      return true;
  }
  return true;
}

std::optional<int64_t> try_length(const Object& value) {
  const auto size = [](size_t count) { return static_cast<int64_t>(count); };
  switch (value.type) {
    case Type::undefined:
      return 0;
    case Type::string:
      return size(value.string->length);
    case Type::list:
    case Type::tuple:
      return size(value.sequence->items.size());
    case Type::dict:
      return size(value.mapping->entries.size());
    case Type::view:
      return size(value.view->mapping->entries.size());
    case Type::range:
      return value.range->count;
    case Type::loop:
      return loop_length(*value.loop);
    case Type::none:
    case Type::boolean:
    case Type::integer:
    case Type::floating:
    case Type::iterator:
    case Type::name_space:
    case Type::callable:
    case Type::cycler:
    case Type::joiner:
      return std::nullopt;
  }
  return std::nullopt;
}

int64_t length(Heap& heap, const Object& value) {
  if (const auto count = try_length(value)) return *count;
  heap.fail(fmt::format("a value of type '{}' has no length", type_name(value.type)));
}

// ---- equality and order ----

namespace {

bool equal_mappings(Heap& heap, const Mapping& a, const Mapping& b) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const Entry& entry : a.entries) {
    const Object* other = heap.find(b, entry.key);
    if (other == nullptr || !equal(heap, entry.value, *other)) return false;
  }
  return true;
}

// Exact for every pair: a long double holds any 64-bit integer and any double.
long double exact(const Object& value) {
  return value.is(Type::floating) ? static_cast<long double>(value.floating)
                                  : static_cast<long double>(value.whole());
}

// The first place where two sequences differ, or the shorter one's size.
size_t first_difference(Heap& heap, std::span<const Object> a, std::span<const Object> b) {
  size_t i = 0;
  while (i < a.size() && i < b.size() && equal(heap, a[i], b[i])) ++i;
  return i;
}

bool equal_ranges(const RangeObject& a, const RangeObject& b) {
  return a.count == b.count &&
         (a.count == 0 || (a.start == b.start && (a.count == 1 || a.step == b.step)));
}

}  // namespace

bool equal(Heap& heap, const Object& a, const Object& b) {
  heap.charge();
  if (a.is_number() && b.is_number()) return exact(a) == exact(b);
  if (a.type != b.type) return false;
  switch (a.type) {
    case Type::string:
      heap.charge(std::min(a.string->bytes.size(), b.string->bytes.size()));
      return a.string->bytes == b.string->bytes;
    case Type::list:
    case Type::tuple: {
      const Heap::Nested nested(heap);
      const auto left = a.sequence->items, right = b.sequence->items;
      return left.size() == right.size() && first_difference(heap, left, right) == left.size();
    }
    case Type::dict: {
      const Heap::Nested nested(heap);
      return equal_mappings(heap, *a.mapping, *b.mapping);
    }
    case Type::range:
      return equal_ranges(*a.range, *b.range);
    case Type::undefined:
    case Type::none:
      return true;
    default:
      return same(a, b);
  }
}

bool same(const Object& a, const Object& b) {
  if (a.type != b.type) return false;
  switch (a.type) {
    case Type::undefined:
      return a.missing == b.missing;
    case Type::none:
      return true;
    case Type::boolean:
      return a.boolean == b.boolean;
    case Type::integer:
      return a.integer == b.integer;
    case Type::floating:
      return a.floating == b.floating;
    case Type::string:
      return a.string->bytes == b.string->bytes;
    case Type::callable:
      return a.callable == b.callable;
    default:
      return a.sequence == b.sequence;  // any of the pointers
  }
}

bool less(Heap& heap, const Object& a, const Object& b) {
  heap.charge();
  if (a.is_number() && b.is_number()) return exact(a) < exact(b);
  // The order of UTF-8 bytes is that of code points, as Python compares.
  if (a.is(Type::string) && b.is(Type::string)) {
    heap.charge(std::min(a.string->bytes.size(), b.string->bytes.size()));
    return a.string->bytes < b.string->bytes;
  }
  if (a.type == b.type && (a.is(Type::list) || a.is(Type::tuple))) {
    const Heap::Nested nested(heap);
    const auto left = a.sequence->items, right = b.sequence->items;
    const size_t i = first_difference(heap, left, right);
    if (i >= left.size() || i >= right.size()) return left.size() < right.size();
    return less(heap, left[i], right[i]);
  }
  if (a.is(Type::undefined)) fail_undefined(heap, a);
  if (b.is(Type::undefined)) fail_undefined(heap, b);
  heap.fail(fmt::format("'{}' and '{}' cannot be ordered", type_name(a.type), type_name(b.type)));
}

bool contains(Heap& heap, const Object& container, const Object& wanted) {
  if (container.is(Type::string)) {
    if (!wanted.is(Type::string))
      heap.fail(fmt::format("'in' a text: a text expected, got {}", type_name(wanted.type)));
    heap.charge(container.string->bytes.size());
    return find_text(container.string->bytes, wanted.string->bytes) != std::string_view::npos;
  }
  if (container.is(Type::dict)) return heap.find(*container.mapping, wanted) != nullptr;
  if (container.is(Type::view) && container.view->kind == View::Kind::keys)
    return heap.find(*container.view->mapping, wanted) != nullptr;
  for (const Object& item : elements(heap, container))
    if (equal(heap, item, wanted)) return true;
  return false;
}

// ---- iteration ----

namespace {

std::span<const Object> characters(Heap& heap, const Str& text) {
  std::vector<Object> items;  // plain texts, also of one marked safe
  const Str& plain = *heap.with_markup(text, false);
  for (Characters c(plain); !c.done(); c.next())
    items.push_back(of(heap.slice(plain, c.begin(), c.end())));
  return heap.copy(items);
}

std::span<const Object> view_elements(Heap& heap, const View& view) {
  std::vector<Object> items;
  for (const Entry& entry : view.mapping->entries) {
    switch (view.kind) {
      case View::Kind::keys:
        items.push_back(entry.key);
        break;
      case View::Kind::values:
        items.push_back(entry.value);
        break;
      case View::Kind::items:
        items.push_back(heap.tuple({entry.key, entry.value}));
        break;
    }
  }
  return heap.copy(items);
}

std::span<const Object> remaining(Heap& heap, Iterator& iterator) {
  if (iterator.fill != nullptr) {
    const auto* fill = std::exchange(iterator.fill, nullptr);
    iterator.items = heap.copy((*fill)());
  }
  const auto rest = iterator.items.subspan(iterator.next);
  iterator.next = iterator.items.size();
  return rest;
}

}  // namespace

std::optional<std::span<const Object>> try_elements(Heap& heap, const Object& value) {
  switch (value.type) {
    case Type::undefined:
      return std::span<const Object>();
    case Type::string:
      return characters(heap, *value.string);
    case Type::list:
    case Type::tuple:
      return value.sequence->items;
    case Type::dict:
      return view_elements(heap, {.kind = View::Kind::keys, .mapping = value.mapping});
    case Type::view:
      return view_elements(heap, *value.view);
    case Type::range: {
      std::vector<Object> items;
      for (int64_t i = 0; i < value.range->count; ++i)
        items.push_back(of(value.range->start + i * value.range->step));
      return heap.copy(items);
    }
    case Type::iterator:
      return remaining(heap, *value.iterator);
    case Type::none:
    case Type::boolean:
    case Type::integer:
    case Type::floating:
    case Type::name_space:
    case Type::callable:
    case Type::loop:
    case Type::cycler:
    case Type::joiner:
      return std::nullopt;
  }
  return std::nullopt;
}

std::span<const Object> elements(Heap& heap, const Object& value) {
  if (const auto items = try_elements(heap, value)) return *items;
  if (value.is(Type::loop)) heap.fail("reading on in 'loop' itself is not supported");
  heap.fail(fmt::format("a value of type '{}' cannot be iterated", type_name(value.type)));
}

// ---- positions and slices ----

std::optional<size_t> position(int64_t index, size_t size) {
  const auto count = static_cast<int64_t>(size);
  if (index < 0) index += count;
  if (index < 0 || index >= count) return std::nullopt;
  return static_cast<size_t>(index);
}

namespace {

struct Bounds {
  int64_t start, stop, step;
  int64_t count() const {
    if (step > 0) return start < stop ? (stop - start - 1) / step + 1 : 0;
    // -(step + 1) + 1 in unsigned: a step of -2^63 has no negative.
    const uint64_t size = uint64_t{0} - static_cast<uint64_t>(step);
    return stop < start ? static_cast<int64_t>((static_cast<uint64_t>(start - stop) - 1) / size) + 1
                        : 0;
  }
};

Bounds slice_bounds(Heap& heap, int64_t size, const Object& start, const Object& stop,
                    const Object& step) {
  const auto whole = [&](const Object& value, int64_t otherwise) {
    if (value.is(Type::none)) return otherwise;
    if (!value.is_whole())
      heap.fail(fmt::format("a slice's bounds: integers expected, got {}", type_name(value.type)));
    return value.whole();
  };
  Bounds bounds{.start = 0, .stop = 0, .step = whole(step, 1)};
  if (bounds.step == 0) heap.fail("a slice's step cannot be 0");
  const bool forward = bounds.step > 0;
  const int64_t least = forward ? 0 : -1, most = forward ? size : size - 1;
  const auto clipped = [&](const Object& value, int64_t otherwise) {
    if (value.is(Type::none)) return otherwise;
    int64_t index = whole(value, 0);
    if (index < 0) index = index < -size ? least : index + size;
    return std::clamp(index, least, most);
  };
  bounds.start = clipped(start, forward ? 0 : size - 1);
  bounds.stop = clipped(stop, forward ? size : -1);
  return bounds;
}

Object sliced_text(Heap& heap, const Str& text, const Bounds& bounds) {
  if (bounds.step == 1) {
    const size_t begin = byte_offset(text, static_cast<size_t>(bounds.start));
    const size_t end = byte_offset(text, static_cast<size_t>(std::max(bounds.start, bounds.stop)));
    return of(heap.slice(text, begin, end));
  }
  const auto items = characters(heap, text);
  TextBuilder builder;
  for (int64_t i = 0, at = bounds.start; i < bounds.count(); ++i, at += bounds.step)
    builder.append(*items[static_cast<size_t>(at)].string);
  return of(heap.with_markup(*heap.text(std::move(builder)), text.markup));
}

}  // namespace

Object slice(Heap& heap, const Object& value, const Object& start, const Object& stop,
             const Object& step) {
  if (value.is(Type::undefined)) fail_undefined(heap, value);
  const bool sequence = value.is(Type::list) || value.is(Type::tuple);
  if (!sequence && !value.is(Type::string) && !value.is(Type::range))
    heap.fail(fmt::format("a value of type '{}' cannot be sliced", type_name(value.type)));
  const Bounds bounds = slice_bounds(heap, length(heap, value), start, stop, step);
  if (value.is(Type::string)) return sliced_text(heap, *value.string, bounds);
  if (value.is(Type::range)) {
    const RangeObject& range = *value.range;
    Object object(Type::range);
    object.range =
        heap.make<RangeObject>(RangeObject{.start = range.start + bounds.start * range.step,
                                           .stop = range.start + bounds.stop * range.step,
                                           .step = range.step * bounds.step,
                                           .count = bounds.count()});
    return object;
  }
  std::vector<Object> items;
  for (int64_t i = 0, at = bounds.start; i < bounds.count(); ++i, at += bounds.step)
    items.push_back(value.sequence->items[static_cast<size_t>(at)]);
  return heap.sequence(value.type, items);
}

const Str* escaped(Heap& heap, const Str& text) {
  if (text.markup) return &text;
  TextBuilder out;
  for (Characters c(text); !c.done(); c.next()) {
    constexpr std::string_view kSigns = "&<>'\"";
    constexpr std::string_view kEntities[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    const size_t sign =
        c.code() < 0x80 ? kSigns.find(static_cast<char>(c.code())) : std::string_view::npos;
    out.append(sign == std::string_view::npos ? c.bytes() : kEntities[sign], c.user());
  }
  return heap.with_markup(*heap.text(std::move(out)), true);
}

}  // namespace bittern::chat::jinja
