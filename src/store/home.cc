#include "store/home.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/environment.h"
#include "base/error.h"
#include "base/file_map.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/json_write.h"
#include "store/limits.h"
#include "store/paths.h"

namespace bittern::model_store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kManifest = "manifest.json";

std::string required(const json::Value& value, std::string_view key) {
  const auto text = value.get_string(key);
  if (!text) bad_input("{}: {} is missing", value.file_name(), key);
  return std::string(*text);
}

Installed parse_manifest(const fs::path& path) {
  const auto document =
      json::Document::parse(read_text_file(path, kManifestBytesMax), path.string());
  const json::Value root = document->root();
  Installed model;
  model.name = required(root, "name");
  model.source = required(root, "source");
  model.revision = root.get_string("revision").value_or("");
  model.licence = root.get_string("licence").value_or("");
  model.licence_url = root.get_string("licence_url").value_or("");
  model.date = root.get_string("date").value_or("");
  model.model = required(root, "model");
  model.folder = path.parent_path();
  if (model.model != ".") require_safe_path(model.model, path.string());
  const auto files = root.get("files");
  if (!files) bad_input("{}: files are missing", path.string());
  for (const json::Value& file : files->elements("files")) {
    InstalledFile installed{required(file, "path"), file.get_integer("bytes").value_or(0),
                            std::string(file.get_string("sha256").value_or(""))};
    require_safe_path(installed.path, path.string());
    model.files.push_back(std::move(installed));
  }
  return model;
}

JsonBuilder manifest_json(const Installed& model) {
  JsonBuilder files = JsonBuilder::array();
  for (const InstalledFile& file : model.files)
    files.push_back({{"path", file.path}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  return {
      {"name", model.name},       {"source", model.source},           {"revision", model.revision},
      {"licence", model.licence}, {"licence_url", model.licence_url}, {"date", model.date},
      {"model", model.model},     {"files", std::move(files)}};
}

// What earlier pulls of something else have left.
void remove_strangers(const fs::path& folder, const Installed& model) {
  std::vector<fs::path> strangers;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string path = entry.path().lexically_relative(folder).generic_string();
    const bool known =
        path == kManifest || std::any_of(model.files.begin(), model.files.end(),
                                         [&](const InstalledFile& f) { return f.path == path; });
    if (!entry.is_directory() && !known) strangers.push_back(entry.path());
  }
  std::error_code error;
  for (const fs::path& path : strangers) fs::remove(path, error);
}

[[noreturn]] void cannot(std::string_view what, const fs::path& path, const std::error_code& code) {
  fail(ErrorKind::resources, "{}: cannot {}: {}", path.string(), what, code.message());
}

void rename_or_fail(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) cannot("move it into place", to, error);
}

}  // namespace

int64_t Installed::bytes() const {
  int64_t sum = 0;
  for (const InstalledFile& file : files) sum += file.bytes;
  return sum;
}

Lock::Lock(const fs::path& path, const std::function<void()>& waiting) {
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) cannot("open it", path, std::error_code(errno, std::generic_category()));
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  waiting();
  while (::flock(descriptor_, LOCK_EX) != 0) {
    const int code = errno;
    const std::error_code reason(code, std::generic_category());
    if (code != EINTR || interrupt::requested()) {
      ::close(descriptor_);
      interrupt::check();
      cannot("lock it", path, reason);
    }
  }
}

Lock::~Lock() { ::close(descriptor_); }

Home Home::from_environment() {
  using environment::Variable;
  if (const auto home = environment::get(Variable::home)) return Home(*home);
  if (const auto data = environment::get(Variable::data_home))
    return Home(fs::path(*data) / "bittern");
  if (const auto user = environment::get(Variable::user_home))
    return Home(fs::path(*user) / ".local" / "share" / "bittern");
  fail(ErrorKind::usage, "BITTERN_HOME, XDG_DATA_HOME or HOME must say where models are kept");
}

std::optional<Installed> Home::find(const std::string& name) const {
  if (!is_model_name(name)) return std::nullopt;
  const fs::path manifest = folder(name) / kManifest;
  std::error_code error;
  if (!fs::is_regular_file(manifest, error)) return std::nullopt;
  return parse_manifest(manifest);
}

std::vector<Installed> Home::list(const std::function<void(const std::string&)>& problem) const {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(root_ / "models", error), end; !error && at != end;
       at.increment(error))
    names.push_back(at->path().filename().string());
  std::sort(names.begin(), names.end());
  std::vector<Installed> models;
  for (const std::string& name : names) {
    try {
      if (auto model = find(name)) models.push_back(std::move(*model));
    } catch (const Error& damaged) {
      problem(damaged.message());
    }
  }
  return models;
}

void Home::install(const Installed& model) const {
  const fs::path from = unfinished(model.name);
  const fs::path to = folder(model.name);
  remove_strangers(from, model);
  AtomicFile manifest(from / kManifest);
  manifest.write(to_text(manifest_json(model), 2) + "\n");
  manifest.commit();
  std::error_code error;
  fs::create_directories(to.parent_path(), error);
  if (error) cannot("make it", to.parent_path(), error);
  const fs::path former = unfinished(model.name + ".former");
  fs::remove_all(former, error);
  if (fs::exists(to)) rename_or_fail(to, former);
  rename_or_fail(from, to);
  fs::remove_all(former, error);
}

std::optional<int64_t> Home::remove(const std::string& name) const {
  std::error_code error;
  const fs::path from = folder(name);
  const fs::path doomed = unfinished(name + ".former");
  int64_t bytes = 0;
  bool found = false;
  fs::remove_all(doomed, error);
  // First out of sight, so that half of it never looks like all of it.
  if (fs::exists(from)) rename_or_fail(from, doomed);
  for (const fs::path& path : {doomed, unfinished(name)}) {
    if (!fs::exists(path)) continue;
    found = true;
    bytes += folder_bytes(path);
    fs::remove_all(path, error);
    if (error) cannot("remove it", path, error);
  }
  return found ? std::optional(bytes) : std::nullopt;
}

int64_t folder_bytes(const fs::path& folder) {
  int64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error))
    if (at->is_regular_file(error)) bytes += static_cast<int64_t>(at->file_size(error));
  return bytes;
}

}  // namespace bittern::model_store
