// What an expression throws: its Error, so that a test can compare kind and exact message.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"

namespace bittern::test {

struct Thrown {
  ErrorKind kind;
  std::string message;
};

// The Error that `body` throws; nothing where it returns. Any other exception passes through and
// fails the test.
template <typename Body>
std::optional<Thrown> thrown_by(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return Thrown{error.kind(), error.message()};
  }
  return std::nullopt;
}

// Only the message; "(nothing thrown)" where it returns.
template <typename Body>
std::string message_of(const Body& body) {
  const auto thrown = thrown_by(body);
  return thrown ? thrown->message : "(nothing thrown)";
}

}  // namespace bittern::test
