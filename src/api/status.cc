#include "api/status.h"

#include <exception>
#include <new>
#include <string>
#include <system_error>

namespace bittern::api {
namespace {

struct Message {
  std::string text;
  const char* shown = "";
};

Message& message() noexcept {
  thread_local Message own;
  return own;
}

int32_t keep(ErrorKind kind, const char* text) noexcept {
  Message& own = message();
  try {
    own.text = text;
    own.shown = own.text.c_str();
  } catch (...) {
    own.shown = "out of memory";
  }
  return static_cast<int32_t>(kind);
}

}  // namespace

static_assert(static_cast<int>(ErrorKind::usage) == BITTERN_ERROR_USAGE);
static_assert(static_cast<int>(ErrorKind::bad_input) == BITTERN_ERROR_BAD_INPUT);
static_assert(static_cast<int>(ErrorKind::resources) == BITTERN_ERROR_RESOURCES);
static_assert(static_cast<int>(ErrorKind::unsupported) == BITTERN_ERROR_UNSUPPORTED);
static_assert(static_cast<int>(ErrorKind::internal) == BITTERN_ERROR_INTERNAL);
static_assert(static_cast<int>(ErrorKind::interrupted) == BITTERN_ERROR_INTERRUPTED);

const char* last_error() noexcept { return message().shown; }

int32_t status_of_exception() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    return keep(error.kind(), error.what());
  } catch (const std::bad_alloc&) {
    return keep(ErrorKind::resources, "out of memory");
  } catch (const std::system_error& error) {  // threads, files
    return keep(ErrorKind::resources, error.what());
  } catch (const std::exception& error) {
    return keep(ErrorKind::internal, error.what());
  } catch (...) {
    return keep(ErrorKind::internal, "an exception of unknown type");
  }
}

}  // namespace bittern::api
