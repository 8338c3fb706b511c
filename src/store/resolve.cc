#include "store/resolve.h"

#include "base/error.h"
#include "base/progress.h"
#include "base/suggest.h"
#include "store/bundled.h"
#include "store/catalogue.h"
#include "store/home.h"
#include "store/hub.h"
#include "store/paths.h"

namespace bittern::model_store {
namespace {

namespace fs = std::filesystem;

// The store, where the environment names one.
std::optional<Home> any_home() {
  try {
    return Home::from_environment();
  } catch (const Error&) {
    return std::nullopt;
  }
}

[[noreturn]] void not_installed(const CatalogueRow& row) {
  bad_input(
      "{}: not installed; bittern pull {} fetches it{}", row.name, row.name,
      row.bytes() > 0 ? fmt::format(" ({})", format_bytes(static_cast<double>(row.bytes()))) : "");
}

// Nothing that is here is called so: what could be meant?
void suggest_name(const std::string& model, const std::vector<Installed>& installed) {
  std::vector<std::string_view> names;
  for (const Installed& known : installed) names.push_back(known.name);
  for (const CatalogueRow& row : catalogue()) names.push_back(row.name);
  if (const auto nearest = suggest(model, names))
    bad_input("{}: no such file or model; did you mean {}?", model, *nearest);
  if (!model.ends_with(".gguf") && !model.ends_with(".safetensors"))
    bad_input("{}: no such file or model; bittern list shows the models that are here", model);
}

}  // namespace

bool is_remote(std::string_view model) {
  return model.starts_with(kHubPrefix) || model.starts_with("https://") ||
         model.starts_with("http://");
}

fs::path resolve_model(const std::string& model) {
  std::error_code error;
  if (fs::exists(model, error)) return model;
  if (model.starts_with(kHubPrefix))
    bad_input("{}: not here; bittern pull {} fetches it", printable(model), printable(model));
  if (is_remote(model)) bad_input("{}: only bittern show reads remote files", printable(model));
  if (!is_model_name(model)) return model;
  const auto home = any_home();
  if (home)
    if (const auto installed = home->find(model)) return installed->model_path();
  if (const CatalogueRow* row = find_in_catalogue(model)) {
    if (!row->bundled()) not_installed(*row);
    if (const auto path = bundled_model(row->model)) return *path;
    bad_input("{}: comes with Bittern, but is not where this program lies", row->name);
  }
  suggest_name(model, home ? home->list([](const std::string&) {}) : std::vector<Installed>());
  return model;
}

}  // namespace bittern::model_store
