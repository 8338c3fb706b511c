// A file of its own, so that no compiler sees through the replaced operators.
#include "engine/allocation_count.h"

#include <atomic>
#include <cstdlib>
#include <new>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BITTERN_FOREIGN_NEW
#endif
#endif

namespace {
std::atomic<int64_t> count{0};
}  // namespace

#ifndef BITTERN_FOREIGN_NEW
// The array forms come here. The nothrow form is replaced too: a sanitizer's own would not match
// the plain operator delete below.
void* operator new(std::size_t size) {
  ++count;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++count;
  return std::malloc(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

int64_t bittern::test::allocation_count() { return count; }

bool bittern::test::allocations_are_counted() {
#ifdef BITTERN_FOREIGN_NEW
  return false;
#else
  return true;
#endif
}
