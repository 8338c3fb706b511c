// bittern pull: brings a model here. The result on stdout is where it lies.
#include "store/pull.h"

#include "base/json_write.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/verb/store_json.h"

namespace bittern::cli {
namespace {

class Pull final : public Command {
 public:
  void declare(Flags& flags) override {
    flags.argument("WHAT", &what_, true,
                   "A name of the catalogue (bittern list --available), or "
                   "hf:ORG/REPO[:FILE][@REVISION].");
    flags.text({"--name", "NAME", "How the model is called here."}, &name_);
    flags.toggle({"--again", "", "Fetch it even where it is here already."}, &again_);
    flags.toggle({"--json", "", "One JSON document."}, &json_);
    flags.note(
        "What is interrupted goes on where it was left when it is pulled again. Without :FILE the "
        "one GGUF file of the repository is fetched, or its SafeTensors with configuration and "
        "tokenizer; FILE may also be a part of one file's name (Q4_K_M).");
  }

  int run(const Log& log) override {
    const model_store::PullOptions options{name_.value_or(""), again_};
    const model_store::Pulled pulled =
        model_store::pull(*what_, options, model_store::Home::from_environment(),
                          model_store::Settings::from_environment(), log);
    const model_store::Installed& model = pulled.model;
    log.info("{}: {}, {}", model.name, format_bytes(static_cast<double>(model.bytes())),
             pulled.was_there ? "here already" : "done");
    write_output(json_ ? to_text(installed_json(model), 2) + "\n"
                       : model.model_path().string() + "\n");
    return 0;
  }

 private:
  std::optional<std::string> what_, name_;
  bool again_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_pull() { return std::make_unique<Pull>(); }

}  // namespace bittern::cli
