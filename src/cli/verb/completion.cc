// bittern completion: a script that completes verbs, flags and names of models in a shell, made
// from the declarations that parse them.
#include "cli/completion.h"
#include "base/error.h"
#include "cli/command.h"
#include "cli/output.h"

namespace bittern::cli {
namespace {

class Completion final : public Command {
 public:
  void declare(Flags& flags) override {
    flags.argument("SHELL", &shell_, true, "bash, zsh or fish.");
    flags.note(
        "bash: bittern completion bash > ~/.local/share/bash-completion/completions/bittern. "
        "zsh: into a file _bittern in a folder of $fpath. "
        "fish: > ~/.config/fish/completions/bittern.fish.");
  }
  int run(const Log&) override {
    for (const CompletionShell& shell : completion_shells())
      if (shell.name == *shell_) {
        write_output(shell.script());
        return 0;
      }
    fail(ErrorKind::usage, "completion: bash, zsh or fish expected, got \"{}\"",
         printable(*shell_));
  }

 private:
  std::optional<std::string> shell_;
};

}  // namespace

std::unique_ptr<Command> make_completion() { return std::make_unique<Completion>(); }

}  // namespace bittern::cli
