// The candidates of this build, best first, and the choice among them.
#include "kernel/select.h"

#include <array>

#include "base/cpu.h"
#include "base/environment.h"
#include "base/error.h"

namespace bittern::kernel {
namespace {

#if defined(__x86_64__)
constexpr uint64_t kAvx2Features = cpu::kAvx2 | cpu::kFma | cpu::kF16c;
constexpr uint64_t kAvx512Features = kAvx2Features | cpu::kAvx512F | cpu::kAvx512BW |
                                     cpu::kAvx512VL | cpu::kAvx512DQ | cpu::kAvx512Vnni;

constexpr std::array kCandidates = {
    Candidate{&avx512_table, kAvx512Features},
    Candidate{&avxvnni_table, kAvx2Features | cpu::kAvxVnni},
    Candidate{&avx2_table, kAvx2Features},
    Candidate{&scalar_table, 0},
};
#else
constexpr std::array kCandidates = {Candidate{&scalar_table, 0}};
#endif

const Table& forced_table(uint64_t features, const std::string& name) {
  std::string known;
  for (const Candidate& candidate : kCandidates) {
    if (name != candidate.table->name) {
      known += fmt::format("{}{}", known.empty() ? "" : ", ", candidate.table->name);
      continue;
    }
    const uint64_t missing = candidate.features & ~features;
    if (missing != 0) {
      fail(ErrorKind::unsupported, "BITTERN_ISA={}: this machine lacks {}", name,
           fmt::join(cpu::feature_names(missing), ", "));
    }
    if (const auto broken = self_test(*candidate.table)) {
      fail(ErrorKind::unsupported,
           "BITTERN_ISA={}: {} gives other results than the scalar kernel on this machine", name,
           *broken);
    }
    return *candidate.table;
  }
  fail(ErrorKind::usage, "BITTERN_ISA={}: expected one of {}", printable(name), known);
}

}  // namespace

std::span<const Candidate> candidates() { return kCandidates; }

const DenseTernary* select_dense(const Table& table, uint64_t features) {
  const DenseTernary* dense = table.ternary->dense;
  if (dense == nullptr) return nullptr;
  if (dense->needs_vbmi && (features & cpu::kAvx512Vbmi) == 0) return nullptr;
  return dense_works(*dense) ? dense : nullptr;
}

const Table& select(uint64_t features, const std::optional<std::string>& forced, const Log& log) {
  if (forced) return forced_table(features, *forced);
  for (const Candidate& candidate : kCandidates) {
    if ((candidate.features & ~features) != 0) continue;
    const auto broken = self_test(*candidate.table);
    if (!broken) return *candidate.table;
    log.warning("kernels {}: {} fails its self-test on this machine; using the next table",
                candidate.table->name, *broken);
  }
  return scalar_table;
}

const Table& select(const Log& log) {
  return select(cpu::detect_features(), environment::get(environment::Variable::isa), log);
}

}  // namespace bittern::kernel
