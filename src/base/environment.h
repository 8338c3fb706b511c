// The environment variables Bittern reads: all of them, in one table. Nothing else in the tree
// calls getenv, so that `help` can list them and no behaviour hides.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bittern::environment {

enum class Variable {
  isa,               // BITTERN_ISA
  ternary,           // BITTERN_TERNARY
  models,            // BITTERN_MODELS
  home,              // BITTERN_HOME
  data_home,         // XDG_DATA_HOME
  user_home,         // HOME
  hub_endpoint,      // HF_ENDPOINT
  hub_token,         // HF_TOKEN
  index_url,         // PIP_INDEX_URL
  pip_config,        // PIP_CONFIG_FILE
  config_home,       // XDG_CONFIG_HOME
  certificate_file,  // SSL_CERT_FILE
  https_proxy,       // https_proxy
  no_proxy,          // no_proxy
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
