// Completion scripts for shells, made from the verbs and their flags.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace bittern::cli {

struct CompletionShell {
  std::string_view name;
  std::string (*script)();
};

std::span<const CompletionShell> completion_shells();

}  // namespace bittern::cli
