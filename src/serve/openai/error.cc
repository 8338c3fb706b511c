#include "serve/openai/error.h"

namespace bittern::serve::openai {
namespace {

struct Kind {
  int status;
  std::string_view type;
};

Kind kind_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::answer_no:
    case ErrorKind::usage:
    case ErrorKind::bad_input:
    case ErrorKind::unsupported:
      return {400, "invalid_request_error"};
    case ErrorKind::resources:
      return {503, "server_error"};
    case ErrorKind::internal:
    case ErrorKind::interrupted:
      break;
  }
  return {500, "server_error"};
}

}  // namespace

FieldError::FieldError(ErrorKind kind, std::string param, std::string_view code,
                       std::string_view message)
    : Error(kind, fmt::format("{}: {}", param, message)), param_(std::move(param)), code_(code) {}

ErrorReply error_reply(const Error& error) {
  const auto [status, type] = kind_of(error.kind());
  JsonBuilder param = nullptr, code = nullptr;
  if (const auto* field = dynamic_cast<const FieldError*>(&error)) {
    param = field->param();
    code = field->code();
  }
  return {status,
          {{"error",
            {{"message", error.message()},
             {"type", type},
             {"param", std::move(param)},
             {"code", std::move(code)}}}}};
}

}  // namespace bittern::serve::openai
