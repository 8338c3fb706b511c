// The program's entry: one place where everything that went wrong becomes one line and an exit
// status (README, "Exit status").
#include <new>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "cli/output.h"
#include "cli/program.h"

namespace {

int report(bittern::ErrorKind kind, std::string_view message) {
  bittern::Log().info("bittern: {}", message);
  return static_cast<int>(kind);
}

}  // namespace

int main(int argument_count, char** arguments) {
  using bittern::ErrorKind;
  bittern::cli::end_quietly_on_broken_pipe();
  bittern::interrupt::install();
  try {
    const std::vector<std::string> words(arguments + (argument_count > 0 ? 1 : 0),
                                         arguments + argument_count);
    return bittern::cli::run_program(words);
  } catch (const bittern::Error& error) {
    return report(error.kind(), error.message());
  } catch (const std::bad_alloc&) {
    return report(ErrorKind::resources, "out of memory; a smaller --context needs less");
  } catch (const std::exception& error) {
    return report(ErrorKind::internal, fmt::format("{} (a bug, please report it)", error.what()));
  }
}
