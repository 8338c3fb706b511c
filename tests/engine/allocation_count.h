// Allocations of this test program so far: operator new is replaced in
// allocation_count_support.cc.
#pragma once

#include <cstdint>

namespace bittern::test {

int64_t allocation_count();

}  // namespace bittern::test
