#include "store/bundled.h"

#include <dlfcn.h>
#include <sys/auxv.h>

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

// Where the library lies that holds this code; in a program without it, the program again, as it
// was started.
fs::path library_path() {
  Dl_info info{};
  const auto* here = reinterpret_cast<const void*>(&program_path);
  if (::dladdr(here, &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code error;
  const fs::path path = fs::canonical(info.dli_fname, error);
  return error ? fs::path() : path;
}

}  // namespace

std::optional<fs::path> bundled_model(std::string_view file) {
  std::error_code error;
  for (const fs::path& code : {program_path(), library_path()}) {
    if (code.empty()) continue;
    const fs::path folder = code.parent_path(), above = folder.parent_path();
    for (const fs::path& place : {above / "share" / "bittern" / "models",
                                  // PREFIX/lib/x86_64-linux-gnu/libbittern.so
                                  above.parent_path() / "share" / "bittern" / "models",
                                  // build/release/bittern
                                  above.parent_path() / "models"}) {
      if (fs::is_regular_file(place / file, error)) return place / file;
    }
  }
  return std::nullopt;
}

}  // namespace bittern::model_store
