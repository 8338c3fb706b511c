#include "base/environment.h"

#include <array>
#include <cstdlib>

namespace bittern::environment {
namespace {

constexpr std::array kTable{
    Row{Variable::isa, "BITTERN_ISA", "kernels to use (scalar, avx2, avx512); refused if absent"},
    Row{Variable::models, "BITTERN_MODELS", "folder of real checkpoints for the acceptance tests"},
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
