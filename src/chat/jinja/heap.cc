#include "chat/jinja/heap.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.h"
#include "chat/jinja/operations.h"
#include "chat/limits.h"

namespace bittern::chat::jinja {
namespace {

constexpr size_t kUnindexedEntries = 8;  // compared one by one

uint64_t mixed(uint64_t value) {
  value ^= value >> 33;
  value *= 0xff51afd7ed558ccdULL;
  value ^= value >> 33;
  return value;
}

}  // namespace

void Heap::fail(std::string_view what) const {
  bad_input("{}: line {}: {}", name_, line, printable(what, 400));
}
void Heap::too_many_steps() const {
  fail(fmt::format("the template takes more than {} steps", kStepsMax));
}
void Heap::too_deep() const { fail("the template goes too deep into itself"); }

void Heap::account(size_t bytes) {
  if (bytes > kHeapBytesMax || (bytes_ += bytes) > kHeapBytesMax)
    fail(fmt::format("the template takes more than {} MiB of memory", kHeapBytesMax >> 20));
}

void* Heap::allocate(size_t bytes, size_t alignment) {
  account(bytes);
  return arena_.allocate(bytes, alignment);
}

Scope* Heap::scope(Scope* parent) {
  return make<Scope>(Scope{.parent = parent, .variables = decltype(Scope::variables)(&charged_)});
}

std::string_view Heap::copy_bytes(std::string_view bytes) {
  if (bytes.empty()) return {};
  charge(bytes.size());
  if (bytes.size() > kStringBytesMax)
    fail(fmt::format("a text of more than {} MiB", kStringBytesMax >> 20));
  char* place = static_cast<char*>(allocate(bytes.size(), 1));
  std::copy(bytes.begin(), bytes.end(), place);
  return {place, bytes.size()};
}

const Str* Heap::text(std::string_view bytes, bool user) {
  Str text{.bytes = copy_bytes(bytes), .user = {}, .length = character_count(bytes)};
  if (user && !bytes.empty()) text.user = {make<Range>(Range{0, bytes.size()}), 1};
  return make<Str>(text);
}

const Str* Heap::literal(std::string_view bytes) {
  charge(bytes.size());
  return make<Str>(Str{.bytes = bytes, .user = {}, .length = character_count(bytes)});
}

const Str* Heap::text(TextBuilder&& builder) {
  Str text{
      .bytes = copy_bytes(builder.bytes()), .user = {}, .length = character_count(builder.bytes())};
  const std::vector<Range>& user = builder.user();
  if (!user.empty()) {
    auto* ranges = static_cast<Range*>(allocate(user.size() * sizeof(Range), alignof(Range)));
    std::uninitialized_copy(user.begin(), user.end(), ranges);
    text.user = {ranges, user.size()};
  }
  return make<Str>(text);
}

// Shares the bytes; the ranges too where one covers the slice or none touches it.
const Str* Heap::slice(const Str& text, size_t begin, size_t end) {
  end = std::min(end, text.bytes.size());
  begin = std::min(begin, end);
  if (begin == 0 && end == text.bytes.size()) return make<Str>(text);
  charge(end - begin);
  TextBuilder builder;
  if (any_user(text, begin, end)) builder.append(text, begin, end);
  Str part{.bytes = text.bytes.substr(begin, end - begin),
           .user = {},
           .length = 0,
           .markup = text.markup};
  part.length = text.is_plain() ? part.bytes.size() : character_count(part.bytes);
  if (const std::vector<Range>& user = builder.user(); !user.empty()) {
    auto* ranges = static_cast<Range*>(allocate(user.size() * sizeof(Range), alignof(Range)));
    std::uninitialized_copy(user.begin(), user.end(), ranges);
    part.user = {ranges, user.size()};
  }
  return make<Str>(part);
}

const Str* Heap::with_markup(const Str& text, bool markup) {
  if (text.markup == markup) return &text;
  Str* copy = make<Str>(text);
  copy->markup = markup;
  return copy;
}

std::span<const Object> Heap::copy(std::span<const Object> items) {
  if (items.empty()) return {};
  charge(items.size_bytes());
  auto* place = static_cast<Object*>(allocate(items.size_bytes(), alignof(Object)));
  std::uninitialized_copy(items.begin(), items.end(), place);
  return {place, items.size()};
}

int Heap::depth_of(const Object& value) {
  if (value.is(Type::list) || value.is(Type::tuple)) return value.sequence->depth;
  if (value.is(Type::dict)) return value.mapping->depth;
  if (value.is(Type::view)) return value.view->mapping->depth + 1;
  return 0;
}

Object Heap::sequence(Type type, std::span<const Object> items, bool is_group) {
  int below = 0;
  for (const Object& item : items) below = std::max(below, depth_of(item));
  if (below >= kValueDepthMax) fail(fmt::format("values nested deeper than {}", kValueDepthMax));
  Object object(type);
  object.sequence =
      make<Sequence>(Sequence{.items = copy(items), .depth = below + 1, .is_group = is_group});
  return object;
}

// Equal keys have equal hashes: 1, 1.0 and true are one key in Python.
uint64_t Heap::hash(const Object& key) const {
  switch (key.type) {
    case Type::none:
      return 1;
    case Type::boolean:
    case Type::integer:
      return mixed(static_cast<uint64_t>(key.whole()));
    case Type::floating:
      if (key.floating == std::trunc(key.floating) && std::fabs(key.floating) < 0x1p62)
        return mixed(static_cast<uint64_t>(static_cast<int64_t>(key.floating)));
      return mixed(std::bit_cast<uint64_t>(key.floating));
    case Type::string:
      return std::hash<std::string_view>()(key.string->bytes);
    case Type::tuple: {
      uint64_t sum = 7;
      for (const Object& item : key.sequence->items) sum = mixed(sum * 31 + hash(item));
      return sum;
    }
    case Type::undefined:
    case Type::range:
    case Type::iterator:
    case Type::name_space:
    case Type::callable:
    case Type::loop:
    case Type::cycler:
    case Type::joiner:
      return static_cast<uint64_t>(key.type);
    case Type::list:
    case Type::dict:
    case Type::view:
      break;
  }
  fail(fmt::format("unhashable type: '{}'", type_name(key.type)));
}

Object Heap::dict(const std::vector<Entry>& entries) {
  charge(entries.size() * sizeof(Entry));
  auto* place = static_cast<Entry*>(allocate(entries.size() * sizeof(Entry), alignof(Entry)));
  Mapping mapping;
  const size_t slot_count =
      entries.size() > kUnindexedEntries ? std::bit_ceil(entries.size() * 2) : 0;
  int32_t* slots = nullptr;
  if (slot_count > 0) {
    slots = static_cast<int32_t*>(allocate(slot_count * sizeof(int32_t), alignof(int32_t)));
    std::uninitialized_fill_n(slots, slot_count, -1);
    mapping.slots = {slots, slot_count};
  }
  size_t count = 0;
  int below = 0;
  for (const Entry& entry : entries) {
    mapping.entries = {place, count};
    below = std::max({below, depth_of(entry.key), depth_of(entry.value)});
    if (const Entry* old = find_entry(mapping, entry.key)) {
      place[old - place].value = entry.value;
      continue;
    }
    if (slots != nullptr) {
      size_t slot = hash(entry.key) & (slot_count - 1);
      while (slots[slot] >= 0) slot = (slot + 1) & (slot_count - 1);
      slots[slot] = static_cast<int32_t>(count);
    }
    std::construct_at(place + count, entry);
    ++count;
  }
  if (below >= kValueDepthMax) fail(fmt::format("values nested deeper than {}", kValueDepthMax));
  mapping.entries = {place, count};
  mapping.depth = below + 1;
  Object object(Type::dict);
  object.mapping = make<Mapping>(mapping);
  return object;
}

const Entry* Heap::find_entry(const Mapping& mapping, const Object& key) {
  const uint64_t wanted = hash(key);  // also refuses what cannot be a key
  charge(key.is(Type::string) ? key.string->bytes.size() : 0);
  if (mapping.slots.empty()) {
    for (const Entry& entry : mapping.entries)
      if (equal(*this, entry.key, key)) return &entry;
    return nullptr;
  }
  const size_t mask = mapping.slots.size() - 1;
  for (size_t slot = wanted & mask; mapping.slots[slot] >= 0; slot = (slot + 1) & mask) {
    const Entry& entry = mapping.entries[static_cast<size_t>(mapping.slots[slot])];
    if (equal(*this, entry.key, key)) return &entry;
    charge();
  }
  return nullptr;
}

const Object* Heap::find(const Mapping& mapping, const Object& key) {
  const Entry* entry = find_entry(mapping, key);
  return entry == nullptr ? nullptr : &entry->value;
}

const Object* Heap::find(const Mapping& mapping, std::string_view key) {
  const Str text{.bytes = key, .user = {}, .length = 0};
  return find(mapping, of(&text));
}

Object Heap::iterator(std::function<std::vector<Object>()> fill, size_t held) {
  account(held + sizeof fill);
  fills_.push_back(std::make_unique<std::function<std::vector<Object>()>>(std::move(fill)));
  Object object(Type::iterator);
  object.iterator = make<Iterator>(Iterator{.fill = fills_.back().get(), .items = {}});
  return object;
}

Object Heap::callable(std::string_view name, Function function, const Object& self) {
  Object object(Type::callable);
  object.callable = make<Callable>(Callable{.name = name, .function = function, .self = self});
  return object;
}

// ---- callers' values ----

Object Heap::from_list(const List& list) {
  std::vector<Object> items;
  items.reserve(list.size());
  for (const Value& item : list) items.push_back(from(item));
  return this->list(items);
}

Object Heap::from_dict(const Dict& dict) {
  std::vector<Entry> entries;
  entries.reserve(dict.size());
  for (const auto& [name, value] : dict) {
    // Names are a user's words as much as values are.
    Str* key = make<Str>(*literal(name));
    if (!name.empty()) key->user = {make<Range>(Range{0, name.size()}), 1};
    entries.push_back({of(key), from(value)});
  }
  return this->dict(entries);
}

Object Heap::from(const Value& value) {
  const Nested nested(*this);
  charge();
  if (const std::string* text = value.text()) {
    Str* string = make<Str>(*literal(*text));
    if (!value.trusted() && !text->empty()) string->user = {make<Range>(Range{0, text->size()}), 1};
    return of(string);
  }
  if (const List* list = value.list()) return from_list(*list);
  if (const Dict* dict = value.dict()) return from_dict(*dict);
  if (const bool* boolean = std::get_if<bool>(&value.storage())) return of(*boolean);
  if (const int64_t* integer = std::get_if<int64_t>(&value.storage())) return of(*integer);
  if (const double* number = std::get_if<double>(&value.storage())) return of(*number);
  return none();
}

}  // namespace bittern::chat::jinja
