// Texts and arrays on their way between the caller's memory and ours, by the rules of bittern.h.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/status.h"

namespace bittern::api {

inline std::string_view text_of(const char* text, size_t bytes, std::string_view name) {
  if (bytes == 0) return {};
  require(text, name);
  return bytes == BITTERN_UNTIL_NUL ? std::string_view(text) : std::string_view(text, bytes);
}

template <typename T>
std::span<const T> span_of(const T* items, size_t count, std::string_view name) {
  if (count > 0) require(items, name);
  return {items, count};
}

// Texts that end at their NUL.
inline std::vector<std::string> texts_of(const char* const* texts, size_t count,
                                         std::string_view name) {
  std::vector<std::string> result;
  for (const char* text : span_of(texts, count, name)) {
    require(text, name);
    result.emplace_back(text);
  }
  return result;
}

// Whether there is anything to write; `needed` is with a final NUL, `count` without.
inline bool takes_result(size_t needed, size_t capacity, const void* out) {
  if (capacity == 0) return false;
  require(out, "result");
  if (capacity < needed)
    fail(ErrorKind::usage, "capacity: at least {} expected, got {}", needed, capacity);
  return true;
}

template <typename T>
int32_t give_array(std::span<const T> result, T* out, size_t capacity, size_t* count) {
  require(count, "count");
  *count = result.size();
  if (takes_result(result.size(), capacity, out) && !result.empty())
    std::memcpy(out, result.data(), result.size_bytes());
  return BITTERN_OK;
}

inline int32_t give_text(std::string_view result, char* out, size_t capacity, size_t* bytes) {
  require(bytes, "bytes");
  *bytes = result.size();
  if (takes_result(result.size() + 1, capacity, out)) {
    if (!result.empty()) std::memcpy(out, result.data(), result.size());
    out[result.size()] = '\0';
  }
  return BITTERN_OK;
}

}  // namespace bittern::api
