// What a reader of requests throws, taken apart.
#pragma once

#include <string>

#include "serve/openai/error.h"

namespace bittern::serve::test {

struct Refusal {
  std::string param, code, message;
};

// All empty where nothing is thrown; only the message where the error is of no field.
template <typename Body>
Refusal refusal_of(const Body& body) {
  try {
    body();
  } catch (const openai::FieldError& error) {
    return {error.param(), std::string(error.code()), error.message()};
  } catch (const Error& error) {
    return {"", "", error.message()};
  }
  return {};
}

}  // namespace bittern::serve::test
