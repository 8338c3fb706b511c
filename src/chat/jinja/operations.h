// Python's operators on values: truth, equality, order, arithmetic, membership, iteration. Each
// fails where Python raises. Integers are of 64 bits here, and one that would not fit is an
// error (Python's have no bound; no template needs more).
#pragma once

#include <optional>
#include <span>
#include <string>

#include "chat/jinja/heap.h"
#include "chat/jinja/object.h"

namespace bittern::chat::jinja {

bool truth(const Object& value);
bool equal(Heap& heap, const Object& a, const Object& b);
// a < b.
bool less(Heap& heap, const Object& a, const Object& b);
// Identity, which for small values is equality of kind and value.
bool same(const Object& a, const Object& b);
bool contains(Heap& heap, const Object& container, const Object& wanted);

// Elements in order; reads up an iterator. Nothing for what cannot be iterated.
std::optional<std::span<const Object>> try_elements(Heap& heap, const Object& value);
// The same, failing.
std::span<const Object> elements(Heap& heap, const Object& value);
// len(); nothing where the kind has none.
std::optional<int64_t> try_length(const Object& value);
int64_t length(Heap& heap, const Object& value);
int64_t loop_length(const Loop& loop);

Object binary(Heap& heap, Operator op, const Object& a, const Object& b);
Object negated(Heap& heap, const Object& value);
Object plus(Heap& heap, const Object& value);

// An index of a sequence as Python reads it: negative ones count from the end.
std::optional<size_t> position(int64_t index, size_t size);
// value[start:stop:step], where none stands for what is not given.
Object slice(Heap& heap, const Object& value, const Object& start, const Object& stop,
             const Object& step);

// Of an undefined value that is used as if it were one.
[[noreturn]] void fail_undefined(Heap& heap, const Object& value);

// & < > ' " as HTML entities.
const Str* escaped(Heap& heap, const Str& text);

}  // namespace bittern::chat::jinja
