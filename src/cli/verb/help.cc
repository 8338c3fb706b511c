// bittern help: the verbs, or one verb. --json lists every verb with its flags, from the same
// declarations that parse them (shell completion and the tests read it).
#include "base/environment.h"
#include "base/error.h"
#include "base/json_write.h"
#include "cli/command.h"
#include "cli/man_page.h"
#include "cli/output.h"

namespace bittern::cli {
namespace {

JsonBuilder flags_json(const Flags& flags) {
  JsonBuilder arguments = JsonBuilder::array();
  for (const Flags::Argument& argument : flags.declared_arguments())
    arguments.push_back({{"name", argument.name},
                         {"required", argument.required},
                         {"repeated", argument.repeated},
                         {"help", argument.help}});
  JsonBuilder list = JsonBuilder::array();
  for (const FlagSpec& flag : flags.declared_flags())
    list.push_back({{"names", flag.names}, {"value", flag.value_name}, {"help", flag.help}});
  return {{"arguments", std::move(arguments)}, {"flags", std::move(list)}};
}

JsonBuilder verbs_json() {
  JsonBuilder list = JsonBuilder::array();
  for (const Verb& verb : verbs()) {
    JsonBuilder row = {{"verb", verb.name}, {"summary", verb.summary}};
    row.update(flags_json(*DeclaredVerb(verb).flags));
    list.push_back(std::move(row));
  }
  return list;
}

class Help final : public Command {
 public:
  void declare(Flags& flags) override {
    flags.argument("VERB", &verb_, false, "The verb to explain; all of them by default.");
    flags.toggle({"--json", "", "Every verb with its arguments and flags as JSON."}, &json_);
    flags.toggle({"--man", "", "The manual page, as roff."}, &man_);
  }
  int run(const Log&) override {
    if (json_ && verb_)
      fail(ErrorKind::usage, "help: --json lists all verbs; leave {} out", *verb_);
    if (man_) {
      if (json_ || verb_) fail(ErrorKind::usage, "help: --man stands alone");
      write_output(man_page());
    } else if (json_) {
      write_output(to_text(verbs_json(), 2) + "\n");
    } else {
      write_output(verb_ ? DeclaredVerb(require_verb(*verb_)).flags->help() : general_help());
    }
    return 0;
  }

 private:
  std::optional<std::string> verb_;
  bool json_ = false, man_ = false;
};

}  // namespace

std::string general_help() {
  std::string text = "bittern VERB ...: run and measure low-bit language models on the CPU\n\n";
  for (const Verb& verb : verbs()) text += fmt::format("  {:<14}{}\n", verb.name, verb.summary);
  text +=
      "\n  bittern help VERB       explains a verb and its flags\n"
      "  bittern run MODEL \"Once upon a time\"\n\nEnvironment:\n";
  for (const environment::Row& row : environment::table())
    text += fmt::format("  {:<18}{}\n", row.name, wrap(row.meaning, 80, 20));
  text +=
      "\nExit status: 0 done, 1 the answer is no, 2 wrong usage, 3 bad input,\n"
      "4 not enough resources, 5 unsupported here, 70 a bug, 130 interrupted.\n";
  return text;
}

std::unique_ptr<Command> make_help() { return std::make_unique<Help>(); }

}  // namespace bittern::cli
