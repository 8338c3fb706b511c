#include "cli/program.h"

#include "base/error.h"
#include "cli/command.h"
#include "cli/output.h"

namespace bittern::cli {
namespace {

constexpr int kDone = 0;

}  // namespace

int run_program(std::span<const std::string> arguments) {
  if (arguments.empty()) {
    Log().info("{}", general_help());
    return static_cast<int>(ErrorKind::usage);
  }
  std::string name = arguments.front();
  if (name == "--help" || name == "-h") name = "help";
  if (name == "--version") name = "version";
  if (name.starts_with('-'))
    fail(ErrorKind::usage, "a verb comes first, got {}; see: bittern help", printable(name));

  DeclaredVerb verb(require_verb(name));
  if (!verb.flags->parse(arguments.subspan(1))) {
    write_output(verb.flags->help());
    return kDone;
  }
  if (verb.quiet && verb.verbose)
    fail(ErrorKind::usage, "{}: --quiet and --verbose exclude each other", name);
  const Log log(verb.quiet     ? Log::Level::quiet
                : verb.verbose ? Log::Level::verbose
                               : Log::Level::normal);
  return verb.command->run(log);
}

}  // namespace bittern::cli
