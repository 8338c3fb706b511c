// References to schemas: RFC 3986 5.2 resolution of one URI against another, fragments apart.
#pragma once

#include <string>
#include <string_view>

namespace bittern::chat::grammar {

struct UriReference {
  std::string absolute;  // without fragment
  std::string fragment;  // percent-decoded, without #
};
UriReference resolved_uri(std::string_view base, std::string_view reference);

}  // namespace bittern::chat::grammar
