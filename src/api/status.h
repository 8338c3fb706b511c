// Where C++ ends: every function of the C API runs its body in guarded(), so that what is thrown
// becomes a status and a message of this thread.
#pragma once

#include <bittern.h>

#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace bittern::api {

// Of the exception that is being handled; keeps its message. Only inside of a catch block.
int32_t status_of_exception() noexcept;
// This thread's last message; "" where there was none.
const char* last_error() noexcept;

// The status that `body` returns, or the one of what it throws.
template <typename Body>
int32_t guarded(const Body& body) noexcept {
  try {
    return body();
  } catch (...) {
    return status_of_exception();
  }
}

// Throws Error{usage} where an argument is NULL.
inline void require(const void* pointer, std::string_view name) {
  if (pointer == nullptr) fail(ErrorKind::usage, "{}: a pointer expected, got NULL", name);
}

}  // namespace bittern::api
