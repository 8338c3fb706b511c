// bittern rm: takes a model, or what an unfinished pull has left, out of the store.
#include "base/error.h"
#include "base/progress.h"
#include "base/suggest.h"
#include "cli/command.h"
#include "store/catalogue.h"
#include "store/home.h"
#include "store/paths.h"

namespace bittern::cli {
namespace {

class Remove final : public Command {
 public:
  void declare(Flags& flags) override {
    flags.arguments("NAME", &names_, "Models as bittern list names them.");
  }

  int run(const Log& log) override {
    if (names_.empty()) fail(ErrorKind::usage, "rm: NAME is missing; see: bittern help rm");
    const model_store::Home home = model_store::Home::from_environment();
    for (const std::string& name : names_) remove(home, name, log);
    return 0;
  }

 private:
  std::vector<std::string> names_;

  static void remove(const model_store::Home& home, const std::string& name, const Log& log) {
    std::error_code error;
    if (!model_store::is_model_name(name) ||
        !(std::filesystem::exists(home.folder(name), error) ||
          std::filesystem::exists(home.unfinished(name), error)))
      reject(home, name);
    std::filesystem::create_directories(home.unfinished(name).parent_path(), error);
    const model_store::Lock lock(home.lock_file(name), [&] {
      log.info("{}: somebody is pulling it; waiting for that", name);
    });
    const auto bytes = home.remove(name);
    if (!bytes) reject(home, name);
    log.info("{}: removed, {} free again", name, format_bytes(static_cast<double>(*bytes)));
  }

  [[noreturn]] static void reject(const model_store::Home& home, const std::string& name) {
    const model_store::CatalogueRow* row = model_store::find_in_catalogue(name);
    if (row != nullptr && row->bundled())
      fail(ErrorKind::usage, "{} comes with Bittern and is not in the store", name);
    const auto installed = home.list([](const std::string&) {});
    std::vector<std::string_view> names;
    for (const auto& model : installed) names.push_back(model.name);
    const auto nearest = suggest(name, names);
    bad_input("{}: no such model is installed{}", printable(name),
              nearest ? fmt::format("; did you mean {}?", *nearest) : "");
  }
};

}  // namespace

std::unique_ptr<Command> make_rm() { return std::make_unique<Remove>(); }

}  // namespace bittern::cli
