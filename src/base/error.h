// The project's one error type. Kinds are the exit codes of the command line, so that a
// message keeps its meaning from the parser that found it to the shell that sees it.
// Thrown on cold paths only; parsers of outside bytes throw Error and nothing else.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <string>
#include <utility>

namespace bittern {

// Values are process exit statuses (README, "Exit status").
enum class ErrorKind : int {
  answer_no = 1,     // the work ran and the answer is no
  usage = 2,         // wrong flags or arguments
  bad_input = 3,     // a file or request that cannot be accepted
  resources = 4,     // not enough memory, disk or descriptors
  unsupported = 5,   // understood, but not possible here
  internal = 70,     // a bug in Bittern
  interrupted = 130  // Ctrl-C
};

class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}
  ErrorKind kind() const noexcept { return kind_; }
  const std::string& message() const noexcept { return message_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  ErrorKind kind_;
  std::string message_;
};

// Throws Error{kind} with a formatted one-line message.
template <typename... Args>
[[noreturn]] void fail(ErrorKind kind, fmt::format_string<Args...> text, Args&&... args) {
  throw Error(kind, fmt::format(text, std::forward<Args>(args)...));
}

// The commonest kind: file, field, expected, got (and the next step where there is one).
template <typename... Args>
[[noreturn]] void bad_input(fmt::format_string<Args...> text, Args&&... args) {
  throw Error(ErrorKind::bad_input, fmt::format(text, std::forward<Args>(args)...));
}

// Text from a file, made safe to print on one line: control bytes and invalid UTF-8 are
// escaped, more than `limit` bytes are cut with "...".
std::string printable(std::string_view text, size_t limit = 80);

}  // namespace bittern
