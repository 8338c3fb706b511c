#include "store/bundled.h"

#include <sys/auxv.h>

#include <array>

namespace bittern::model_store {
namespace {

namespace fs = std::filesystem;

// Where this program lies; empty where the system does not say. A bare root may be without /proc:
// then it is the path by which the program was started.
fs::path program_path() {
  std::error_code error;
  fs::path path = fs::read_symlink("/proc/self/exe", error);
  if (!error) return path;
  const unsigned long started_as = ::getauxval(AT_EXECFN);
  if (started_as == 0) return {};
  path = fs::canonical(reinterpret_cast<const char*>(started_as), error);
  return error ? fs::path() : path;
}

}  // namespace

std::optional<fs::path> bundled_model(std::string_view file) {
  const fs::path program = program_path();
  if (program.empty()) return std::nullopt;
  const fs::path folder = program.parent_path();
  const std::array places{folder.parent_path() / "share" / "bittern" / "models",
                          // build/release/bittern
                          folder.parent_path().parent_path() / "models"};
  std::error_code error;
  for (const fs::path& place : places)
    if (fs::is_regular_file(place / file, error)) return place / file;
  return std::nullopt;
}

}  // namespace bittern::model_store
