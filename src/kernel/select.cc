// The candidates of this build, best first, and the choice among them.
#include "kernel/select.h"

#include <array>

#include "base/cpu.h"
#include "base/environment.h"
#include "base/error.h"
#include "kernel/bf16.h"

namespace bittern::kernel {
namespace {

#if defined(__x86_64__)
constexpr uint64_t kAvx2Features = cpu::kAvx2 | cpu::kFma | cpu::kF16c;
constexpr uint64_t kAvx512Features = kAvx2Features | cpu::kAvx512F | cpu::kAvx512BW |
                                     cpu::kAvx512VL | cpu::kAvx512DQ | cpu::kAvx512Vnni;
constexpr uint64_t kAmxFeatures =
    kAvx512Features | cpu::kAmxTile | cpu::kAmxInt8 | cpu::kAmxPermission;

constexpr std::array kCandidates = {
    Candidate{&amx_table, kAmxFeatures},
    Candidate{&avx512dual_table, kAvx512Features, cpu::kDualPorts},
    Candidate{&avx512_table, kAvx512Features},
    Candidate{&avxvnni_table, kAvx2Features | cpu::kAvxVnni},
    Candidate{&avx2_table, kAvx2Features},
    Candidate{&scalar_table, 0},
};
#elif defined(__aarch64__)
constexpr std::array kCandidates = {
    Candidate{&neoni8mm_table, cpu::kDotProd | cpu::kI8mm},
    Candidate{&neon_table, cpu::kDotProd},
    Candidate{&scalar_table, 0},
};
#else
constexpr std::array kCandidates = {Candidate{&scalar_table, 0}};
#endif

uint64_t bf16_features(Bf16Needs needs) {
  switch (needs) {
    case Bf16Needs::nothing:
      return 0;
    case Bf16Needs::avx512_bf16:
      return cpu::kAvx512Bf16;
    case Bf16Needs::amx_bf16:
      return cpu::kAvx512Bf16 | cpu::kAmxTile | cpu::kAmxBf16 | cpu::kAmxPermission;
  }
  return 0;
}

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
  uint64_t needs = 0;
  if (dense->needs_vbmi) needs |= cpu::kAvx512Vbmi;
  if (dense->needs_gfni) needs |= cpu::kGfni;
  if ((needs & ~features) != 0) return nullptr;
  return dense_works(*dense) ? dense : nullptr;
}

const Bf16Kernels& supported_bf16(const Bf16Kernels& first, uint64_t features) {
  const Bf16Kernels* kernels = &first;
  while ((bf16_features(kernels->needs) & ~features) != 0) kernels = kernels->fallback;
  return *kernels;
}

const Bf16Kernels& select_bf16(const Table& table, uint64_t features) {
  const Bf16Kernels* kernels = &supported_bf16(*table.bf16, features);
  while (kernels->fallback != nullptr && !bf16_works(*kernels))
    kernels = &supported_bf16(*kernels->fallback, features);
  return *kernels;
}

const Table& select(uint64_t features, const std::optional<std::string>& forced, const Log& log) {
  if (forced) return forced_table(features, *forced);
  for (const Candidate& candidate : kCandidates) {
    const uint64_t missing = candidate.features & ~features;
    if (missing == cpu::kAmxPermission) {
      log.warning(
          "kernels {}: the system refuses this process the tile registers (arch_prctl "
          "ARCH_REQ_XCOMP_PERM); using the next table",
          candidate.table->name);
    }
    if (missing != 0 || (candidate.suits & ~features) != 0) continue;
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
