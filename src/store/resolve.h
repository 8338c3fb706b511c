// What a MODEL argument means: a path, or the name of an installed model.
#pragma once

#include <filesystem>
#include <string>

namespace bittern::model_store {

// A path that exists wins; then the name of an installed model, then of a bundled one; any other
// text is returned as the path it is. Throws bad_input for a name of the catalogue that is not
// installed (with the command that installs it) and for hf: and http(s): references.
std::filesystem::path resolve_model(const std::string& model);

// hf:... or a web address: a file that is not here.
bool is_remote(std::string_view model);

}  // namespace bittern::model_store
