// Structs whose first field is their size as the caller knows them, so that they can grow at their
// end: what an older caller does not know has its default, what a newer one knows more may not be
// used. As Linux does with the arguments of openat2 and clone3.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "api/status.h"

namespace bittern::api {

// The caller's struct becomes the defaults, as far as it is known on both sides; the rest is zero.
template <typename Struct>
void give_defaults(Struct* given, size_t size, size_t first_size, const Struct& defaults) {
  require(given, "options");
  if (size < first_size)
    fail(ErrorKind::usage, "size: at least {} expected, got {}", first_size, size);
  std::memset(static_cast<void*>(given), 0, size);
  std::memcpy(static_cast<void*>(given), &defaults, std::min(size, sizeof defaults));
  std::memcpy(static_cast<void*>(given), &size, sizeof size);
}

// What the caller's struct says; the defaults where it is NULL, or ends before a field.
// `first_size`: of the struct when it was first published.
template <typename Struct>
Struct taken(const Struct* given, size_t first_size, Struct defaults) {
  if (given == nullptr) return defaults;
  const size_t size = given->size;
  if (size < first_size)
    fail(ErrorKind::usage,
         "options.size: at least {} expected, got {} (the _init function of the struct sets it)",
         first_size, size);
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  if (size > sizeof defaults &&
      std::any_of(bytes + sizeof defaults, bytes + size, [](unsigned char b) { return b != 0; }))
    fail(ErrorKind::usage, "options: a field that this version of the library does not have");
  std::memcpy(&defaults, bytes, std::min(size, sizeof defaults));
  return defaults;
}

// A result, as far as the caller knows it; what only the caller knows is zero.
template <typename Struct>
void give(const Struct& result, Struct* out, size_t size, std::string_view name) {
  require(out, name);
  std::memset(static_cast<void*>(out), 0, size);
  std::memcpy(static_cast<void*>(out), &result, std::min(size, sizeof result));
}

}  // namespace bittern::api
