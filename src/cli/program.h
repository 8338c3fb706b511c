// The program: a verb and its flags in, an exit status out.
#pragma once

#include <span>
#include <string>

namespace bittern::cli {

// `arguments` without the program's own name. Returns the exit status; throws Error for what
// went wrong.
int run_program(std::span<const std::string> arguments);

}  // namespace bittern::cli
