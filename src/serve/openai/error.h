// What goes wrong with a request, as OpenAI's API says it:
//   {"error": {"message": ..., "type": ..., "param": "messages[0].role", "code": ...}}
// A fault of one field is a FieldError, which remembers the field; any other Error has none.
// Source: OpenAI API 2.3.0 (ErrorResponse); codes as the service sends them.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json_write.h"

namespace bittern::serve::openai {

namespace error_code {
inline constexpr std::string_view kMissing = "missing_required_parameter";
inline constexpr std::string_view kUnknown = "unknown_parameter";
inline constexpr std::string_view kUnsupported = "unsupported_parameter";
inline constexpr std::string_view kType = "invalid_type";
inline constexpr std::string_view kValue = "invalid_value";
inline constexpr std::string_view kContextLength = "context_length_exceeded";
}  // namespace error_code

class FieldError : public Error {
 public:
  // `param` is the field's path; the message begins with it. `code` must be one of error_code.
  FieldError(ErrorKind kind, std::string param, std::string_view code, std::string_view message);

  const std::string& param() const noexcept { return param_; }
  std::string_view code() const noexcept { return code_; }

 private:
  std::string param_;
  std::string_view code_;
};

// Throws a FieldError of a field whose value cannot be accepted.
template <typename... Args>
[[noreturn]] void refuse(std::string param, std::string_view code, fmt::format_string<Args...> text,
                         Args&&... args) {
  const ErrorKind kind =
      code == error_code::kUnsupported ? ErrorKind::unsupported : ErrorKind::bad_input;
  throw FieldError(kind, std::move(param), code, fmt::format(text, std::forward<Args>(args)...));
}

struct ErrorReply {
  int status = 500;  // of HTTP
  JsonBuilder body;
};

ErrorReply error_reply(const Error& error);

}  // namespace bittern::serve::openai
