// Base64 (RFC 4648, the standard alphabet) as vocabularies and embeddings carry it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bittern {

// The bytes; nothing where a character is not of the alphabet, or the padding ("=" to a multiple of
// four characters) is missing or misplaced.
std::optional<std::string> base64_decode(std::string_view text);

// With padding.
std::string base64_encode(std::string_view bytes);

}  // namespace bittern
