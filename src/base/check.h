// Always-on checks of invariants. A failing check is a bug in Bittern, not in the input, and
// names file, line and the two values.
#pragma once

#include "base/error.h"

namespace bittern {

[[noreturn]] inline void check_failed(const char* file, int line, const std::string& what) {
  fail(ErrorKind::internal, "{}:{}: broken invariant: {} (please report this)", file, line, what);
}

}  // namespace bittern

// BITTERN_CHECK(condition, format, args...): cheap conditions only, kept in release builds.
#define BITTERN_CHECK(condition, ...)                                                           \
  do {                                                                                          \
    if (!(condition))                                                                           \
      ::bittern::check_failed(__FILE__, __LINE__, #condition " | " + fmt::format(__VA_ARGS__)); \
  } while (false)
