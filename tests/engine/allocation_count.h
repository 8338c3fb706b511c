// Allocations of this test program so far: operator new is replaced in
// allocation_count_support.cc, except under ThreadSanitizer, which brings its own.
#pragma once

#include <cstdint>

namespace bittern::test {

int64_t allocation_count();
bool allocations_are_counted();

}  // namespace bittern::test
