// Names that come from outside and become files here: what they may look like.
#pragma once

#include <string>
#include <string_view>

namespace bittern::model_store {

// A model's name in the store: lower-case letters, digits, ".", "_", "-"; begins with a letter or a
// digit.
bool is_model_name(std::string_view name);
// The nearest name to a text ("Llama-3.2 1B" -> "llama-3.2-1b"); may be empty.
std::string model_name_of(std::string_view text);

// A relative path with plain segments: no "..", no leading "/", no control characters, nothing
// that another system reads as a drive or a device.
bool is_safe_path(std::string_view path);
// Throws bad_input naming `where` the path comes from.
void require_safe_path(std::string_view path, std::string_view where);

}  // namespace bittern::model_store
