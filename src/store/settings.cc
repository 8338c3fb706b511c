#include "store/settings.h"

#include <filesystem>

#include "base/environment.h"
#include "base/error.h"
#include "base/file_map.h"

namespace bittern::model_store {
namespace {

namespace fs = std::filesystem;
using environment::Variable;

constexpr std::string_view kHub = "https://huggingface.co";
constexpr std::string_view kIndex = "https://pypi.org/simple";
constexpr std::string_view kSystemConfig = "/etc/pip.conf";
constexpr int64_t kConfigBytesMax = int64_t{1} << 20;

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// pip's files, the strongest first.
std::vector<fs::path> pip_configs() {
  std::vector<fs::path> paths;
  if (const auto file = environment::get(Variable::pip_config)) paths.emplace_back(*file);
  const auto user = environment::get(Variable::user_home);
  if (user) paths.push_back(fs::path(*user) / ".pip" / "pip.conf");
  if (const auto config = environment::get(Variable::config_home)) {
    paths.push_back(fs::path(*config) / "pip" / "pip.conf");
  } else if (user) {
    paths.push_back(fs::path(*user) / ".config" / "pip" / "pip.conf");
  }
  paths.emplace_back(kSystemConfig);
  return paths;
}

std::string configured_index() {
  if (const auto url = environment::get(Variable::index_url)) return *url;
  for (const fs::path& path : pip_configs()) {
    std::error_code error;
    if (!fs::is_regular_file(path, error)) continue;
    const std::string url = index_url_in(read_text_file(path, kConfigBytesMax));
    if (!url.empty()) return url;
  }
  return std::string(kIndex);
}

std::string without_final_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace

std::string index_url_in(std::string_view pip_conf) {
  std::string url;
  bool in_section = false;
  while (!pip_conf.empty()) {
    const size_t end = pip_conf.find('\n');
    const std::string_view line = trimmed(pip_conf.substr(0, end));
    pip_conf.remove_prefix(end == std::string_view::npos ? pip_conf.size() : end + 1);
    if (line.starts_with('[')) {
      in_section = line == "[global]" || line == "[install]";
      continue;
    }
    const size_t equals = line.find_first_of("=:");
    if (!in_section || equals == std::string_view::npos || line.starts_with('#')) continue;
    const std::string_view key = trimmed(line.substr(0, equals));
    if (key == "index-url" || key == "index_url") url = trimmed(line.substr(equals + 1));
  }
  return url;
}

Settings Settings::from_environment() {
  Settings settings;
  settings.hub_endpoint =
      without_final_slash(environment::get(Variable::hub_endpoint).value_or(std::string(kHub)));
  settings.hub_token = environment::get(Variable::hub_token).value_or("");
  settings.index_url = without_final_slash(configured_index());
  settings.http.certificate_file = environment::get(Variable::certificate_file).value_or("");
  for (const std::string& url : {settings.hub_endpoint, settings.index_url})
    if (!url.starts_with("http://") && !url.starts_with("https://"))
      fail(ErrorKind::usage, "a web address expected for downloads, got \"{}\"", printable(url));
  return settings;
}

}  // namespace bittern::model_store
