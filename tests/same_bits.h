// Whether two vectors are equal bit by bit, so that -0 differs from 0 and a NaN equals itself.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace bittern::test {

inline testing::AssertionResult same_bits(const std::vector<float>& a,
                                          const std::vector<float>& b) {
  if (a.size() != b.size()) return testing::AssertionFailure() << a.size() << " vs " << b.size();
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0)
      return testing::AssertionFailure() << "element " << i << ": " << a[i] << " vs " << b[i];
  }
  return testing::AssertionSuccess();
}

}  // namespace bittern::test
