// Building JSON to write. Keys keep the order in which they were added; text that is not UTF-8
// is written with U+FFFD rather than refused.
#pragma once

#include <nlohmann/json.hpp>

namespace bittern {

using JsonBuilder = nlohmann::ordered_json;

// One line, no spaces added.
inline std::string to_text(const JsonBuilder& value, int indent = -1) {
  return value.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace bittern
