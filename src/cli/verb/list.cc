// bittern list: the models that are here, or that the catalogue offers.
#include <algorithm>

#include "backend/cpu/pack_folder.h"
#include "base/error.h"
#include "base/json_write.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/verb/store_json.h"
#include "store/bundled.h"
#include "store/catalogue.h"

namespace bittern::cli {
namespace {

using model_store::CatalogueRow;
using model_store::Installed;

constexpr size_t kNameColumn = 24, kSizeColumn = 9, kLicenceColumn = 20;

std::string row_text(std::string_view name, int64_t bytes, std::string_view licence,
                     std::string_view rest) {
  std::string text = fmt::format("{:<{}} {:>{}}  {:<{}} {}", name, kNameColumn,
                                 bytes > 0 ? format_bytes(static_cast<double>(bytes)) : "?",
                                 kSizeColumn, licence, kLicenceColumn, rest);
  text.resize(text.find_last_not_of(' ') + 1);
  return text + '\n';
}

std::string header_text(std::string_view rest) {
  return fmt::format("{:<{}} {:>{}}  {:<{}} {}\n", "name", kNameColumn, "size", kSizeColumn,
                     "licence", kLicenceColumn, rest);
}

JsonBuilder row_json(const CatalogueRow& row, bool installed) {
  return {{"name", row.name},
          {"summary", row.summary},
          {"bytes", row.bytes() > 0 ? JsonBuilder(row.bytes()) : JsonBuilder(nullptr)},
          {"licence", row.licence},
          {"licence_url", row.licence_url},
          {"verified", row.bundled() || row.has_digests()},
          {"installed", installed}};
}

class List final : public Command {
 public:
  void declare(Flags& flags) override {
    flags.toggle({"--available", "", "What bittern pull has a name for."}, &available_);
    flags.toggle({"--names", "", "Nothing but the names, one a line."}, &names_);
    flags.toggle({"--json", "", "One JSON document."}, &json_);
  }

  int run(const Log& log) override {
    if (names_ && json_) fail(ErrorKind::usage, "list: --names and --json exclude each other");
    write_output(available_ ? available(log) : installed(log));
    return 0;
  }

 private:
  bool available_ = false, names_ = false, json_ = false;

  std::vector<Installed> models(const Log& log) const {
    return model_store::Home::from_environment().list(
        [&](const std::string& problem) { log.warning("{}", problem); });
  }

  std::string installed(const Log& log) const {
    const std::vector<Installed> list = models(log);
    if (json_) {
      JsonBuilder document = JsonBuilder::array();
      for (const Installed& model : list) document.push_back(installed_json(model));
      return to_text(document, 2) + "\n";
    }
    std::string text;
    if (names_) {
      for (const Installed& model : list) text += model.name + "\n";
      return text;
    }
    if (list.empty()) {
      log.info("no models here yet; bittern list --available shows what bittern pull has");
      return "";
    }
    text = header_text("source");
    for (const Installed& model : list)
      text += row_text(model.name, model.bytes(),
                       model.licence.empty() ? "see source" : model.licence, model.source);
    say_packed(log);
    return text;
  }

  static void say_packed(const Log& log) {
    int64_t bytes = 0;
    const auto packs =
        backend::PackFolder(model_store::Home::from_environment().packed()).list();
    for (const auto& pack : packs) bytes += pack.bytes;
    if (packs.empty()) return;
    log.info("packed weights kept for loading: {} in {} file{}; bittern rm --packed removes them",
             format_bytes(static_cast<double>(bytes)), packs.size(), packs.size() == 1 ? "" : "s");
  }

  std::string available(const Log& log) const {
    const std::vector<Installed> here = models(log);
    const auto is_here = [&](const CatalogueRow& row) {
      if (row.bundled()) return model_store::bundled_model(row.model).has_value();
      return std::any_of(here.begin(), here.end(),
                         [&](const Installed& model) { return model.name == row.name; });
    };
    JsonBuilder document = JsonBuilder::array();
    std::string text = names_ ? "" : header_text("what");
    for (const CatalogueRow& row : model_store::catalogue()) {
      if (names_) {
        text += fmt::format("{}\n", row.name);
        continue;
      }
      document.push_back(row_json(row, is_here(row)));
      text += row_text(row.name, row.bytes(), row.licence,
                       row.bundled()       ? "comes with Bittern"
                       : is_here(row)      ? "here"
                       : row.has_digests() ? ""
                                           : "digest as the hub says");
      text += fmt::format("  {}\n", row.summary);
    }
    return json_ ? to_text(document, 2) + "\n" : text;
  }
};

}  // namespace

std::unique_ptr<Command> make_list() { return std::make_unique<List>(); }

}  // namespace bittern::cli
