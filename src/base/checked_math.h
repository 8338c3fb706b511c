// Arithmetic on numbers read from files: overflow is an answer, not an accident.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace bittern {

inline std::optional<int64_t> checked_multiply(int64_t a, int64_t b) {
  int64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
  return result;
}

inline std::optional<int64_t> checked_add(int64_t a, int64_t b) {
  int64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) return std::nullopt;
  return result;
}

// Product of dimensions, each of which must be >= 0; 1 for a scalar.
inline std::optional<int64_t> checked_product(std::span<const int64_t> dimensions) {
  int64_t product = 1;
  for (const int64_t dimension : dimensions) {
    if (dimension < 0 || __builtin_mul_overflow(product, dimension, &product)) return std::nullopt;
  }
  return product;
}

// The next multiple of `alignment` (a power of two) at or above `value` >= 0.
inline std::optional<int64_t> checked_align(int64_t value, int64_t alignment) {
  const auto raised = checked_add(value, alignment - 1);
  if (!raised) return std::nullopt;
  return *raised & ~(alignment - 1);
}

}  // namespace bittern
