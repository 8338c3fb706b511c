// A verb of the command line: a name, one line of help, and a Command that declares its flags and
// does the work. One file per verb in cli/verb/, one row per verb in cli/verb/table.cc.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/log.h"
#include "cli/flags.h"

namespace bittern::cli {

class Command {
 public:
  virtual ~Command() = default;
  // Declares the flags; --help, --quiet and --verbose are every verb's.
  virtual void declare(Flags& flags) = 0;
  // Does the work and returns the exit status. Throws Error.
  virtual int run(const Log& log) = 0;
};

struct Verb {
  std::string_view name;
  std::string_view summary;
  std::unique_ptr<Command> (*make)();
};

// The table, in the order in which help lists it.
std::span<const Verb> verbs();
const Verb* find_verb(std::string_view name);
// Throws Error{usage} naming the nearest verb.
const Verb& require_verb(std::string_view name);

// A verb with its flags declared: what both running and explaining it begin with.
struct DeclaredVerb {
  explicit DeclaredVerb(const Verb& verb);
  std::unique_ptr<Command> command;
  std::unique_ptr<Flags> flags;
  bool quiet = false;
  bool verbose = false;
};

// The page of `bittern help` without a verb.
std::string general_help();

// What the file cli/verb/NAME.cc offers.
std::unique_ptr<Command> make_run();
std::unique_ptr<Command> make_show();
std::unique_ptr<Command> make_tokenize();
std::unique_ptr<Command> make_detokenize();
std::unique_ptr<Command> make_eval();
std::unique_ptr<Command> make_bench();
std::unique_ptr<Command> make_batch();
std::unique_ptr<Command> make_embed();
std::unique_ptr<Command> make_pull();
std::unique_ptr<Command> make_list();
std::unique_ptr<Command> make_rm();
std::unique_ptr<Command> make_completion();
std::unique_ptr<Command> make_help();
std::unique_ptr<Command> make_version();

}  // namespace bittern::cli
