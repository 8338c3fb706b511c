// What every fuzz target shares: a parser of outside bytes may throw bittern::Error and nothing
// else; any other exception, a crash or a sanitizer report is a finding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace bittern::fuzz {

inline Bytes input(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const std::byte*>(data), size};
}

// Runs a parser; an internal error is a broken invariant and so a finding.
template <typename Body>
int accept_errors(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::internal) throw;
  }
  return 0;
}

}  // namespace bittern::fuzz
