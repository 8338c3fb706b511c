// Models that come with the program, found from where the program itself lies, or the library.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

namespace bittern::model_store {

// PREFIX/share/bittern/models/FILE beside PREFIX/bin/bittern or PREFIX/lib/.../libbittern.so, or
// models/FILE of the source tree that they were built in; nothing where neither is there.
std::optional<std::filesystem::path> bundled_model(std::string_view file);

}  // namespace bittern::model_store
