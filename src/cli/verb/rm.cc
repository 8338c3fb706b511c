// bittern rm: takes a model, or what an unfinished pull has left, out of the store, and with it the
// packed weights that loading it has kept.
#include "backend/cpu/pack_folder.h"
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
    flags.toggle({"--packed", "",
                  "Remove packed weights only, which the next load makes again: of these models, or "
                  "all."},
                 &packed_);
  }

  int run(const Log& log) override {
    if (names_.empty() && !packed_)
      fail(ErrorKind::usage, "rm: NAME is missing; see: bittern help rm");
    const model_store::Home home = model_store::Home::from_environment();
    if (names_.empty())
      say_packed("packed weights", backend::PackFolder(home.packed()).remove(nullptr), log);
    for (const std::string& name : names_) {
      if (packed_) {
        if (!home.find(name)) reject(home, name);
        say_packed(name + ": packed weights", remove_packed(home, name), log);
      } else {
        remove(home, name, log);
      }
    }
    return 0;
  }

 private:
  std::vector<std::string> names_;
  bool packed_ = false;

  static void say_packed(std::string_view what, int64_t bytes, const Log& log) {
    log.info("{}: removed, {} free again", what, format_bytes(static_cast<double>(bytes)));
  }

  // Packs that were made of the files of an installed model.
  static int64_t remove_packed(const model_store::Home& home, const std::string& name) {
    std::vector<std::string> digests;
    try {
      if (const auto model = home.find(name))
        for (const auto& file : model->files) digests.push_back(file.sha256);
    } catch (const Error&) {
      // A damaged manifest: nobody knows its files; the packs go when room is needed.
    }
    return digests.empty() ? 0 : backend::PackFolder(home.packed()).remove(&digests);
  }

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
    const int64_t packed_bytes = remove_packed(home, name);
    const auto bytes = home.remove(name);
    if (!bytes) reject(home, name);
    say_packed(name, *bytes + packed_bytes, log);
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
