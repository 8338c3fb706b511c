#include "base/environment.h"

#include <array>
#include <cstdlib>

namespace bittern::environment {
namespace {

constexpr std::array kTable{
    Row{Variable::isa, "BITTERN_ISA",
        "kernels to use (scalar, avx2, avxvnni, avx512, amx, neon, neoni8mm); refused if absent"},
    Row{Variable::ternary, "BITTERN_TERNARY",
        "layout of ternary weights (T2, T1.6); the faster one here by default"},
    Row{Variable::models, "BITTERN_MODELS", "folder of real checkpoints for the acceptance tests"},
    Row{Variable::home, "BITTERN_HOME", "where pulled models are kept"},
    Row{Variable::data_home, "XDG_DATA_HOME", "its folder bittern is used without BITTERN_HOME"},
    Row{Variable::user_home, "HOME", ".local/share/bittern in it is used without either"},
    Row{Variable::hub_endpoint, "HF_ENDPOINT", "the hub (https://huggingface.co)"},
    Row{Variable::hub_token, "HF_TOKEN", "token for gated and private repositories of the hub"},
    Row{Variable::index_url, "PIP_INDEX_URL", "Python package index (https://pypi.org/simple)"},
    Row{Variable::pip_config, "PIP_CONFIG_FILE", "pip.conf whose index-url is used instead"},
    Row{Variable::config_home, "XDG_CONFIG_HOME", "folder of pip/pip.conf (~/.config)"},
    Row{Variable::certificate_file, "SSL_CERT_FILE", "certificates that downloads trust"},
    Row{Variable::https_proxy, "https_proxy", "proxy for downloads"},
    Row{Variable::no_proxy, "no_proxy", "hosts that are reached without the proxy"},
};

}  // namespace

std::span<const Row> table() { return kTable; }

std::string_view name(Variable variable) { return kTable[static_cast<size_t>(variable)].name; }

std::optional<std::string> get(Variable variable) {
  const char* value = std::getenv(name(variable).data());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

}  // namespace bittern::environment
