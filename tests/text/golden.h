// Reading of the golden files under tests/data/text.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_map.h"
#include "base/json.h"

namespace bittern::text {

inline std::string golden_path(std::string_view name) {
  return fmt::format("{}/text/{}", BITTERN_TEST_DATA, name);
}

inline std::unique_ptr<json::Document> read_golden(std::string_view name) {
  return json::Document::parse(read_text_file(golden_path(name), 1 << 20), std::string(name));
}

inline std::vector<int32_t> integers(const json::Value& array) {
  std::vector<int32_t> out;
  for (const json::Value& value : array.elements("integers")) {
    out.push_back(static_cast<int32_t>(value.as_integer("integer")));
  }
  return out;
}

}  // namespace bittern::text
