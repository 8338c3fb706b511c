// The environment variables Bittern reads: all of them, in one table. Nothing else in the tree
// calls getenv, so that `help` can list them and no behaviour hides.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bittern::environment {

enum class Variable {
  isa,     // BITTERN_ISA
  models,  // BITTERN_MODELS
};

struct Row {
  Variable variable;
  std::string_view name;
  std::string_view meaning;  // one line, shown by `bittern help`
};

// The table, in the order of Variable.
std::span<const Row> table();
std::string_view name(Variable variable);

// The variable's value; nothing where it is unset or empty.
std::optional<std::string> get(Variable variable);

}  // namespace bittern::environment
