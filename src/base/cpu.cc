#include "base/cpu.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <set>
#include <string_view>

#include "base/cgroup.h"
#include "base/vector_ports.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace bittern::cpu {
namespace {

struct FeatureName {
  Feature feature;
  std::string_view name;
};

constexpr std::array kNames{
    FeatureName{kAvx2, "avx2"},
    FeatureName{kFma, "fma"},
    FeatureName{kF16c, "f16c"},
    FeatureName{kAvx512F, "avx512f"},
    FeatureName{kAvx512BW, "avx512bw"},
    FeatureName{kAvx512VL, "avx512vl"},
    FeatureName{kAvx512DQ, "avx512dq"},
    FeatureName{kAvx512Vnni, "avx512vnni"},
    FeatureName{kAvx512Vbmi, "avx512vbmi"},
    FeatureName{kAvx512Bf16, "avx512bf16"},
    FeatureName{kGfni, "gfni"},
    FeatureName{kDualPorts, "dual-ports"},
    FeatureName{kAvxVnni, "avxvnni"},
    FeatureName{kAmxTile, "amx-tile"},
    FeatureName{kAmxInt8, "amx-int8"},
    FeatureName{kAmxBf16, "amx-bf16"},
    FeatureName{kAmxPermission, "amx-permission"},
    FeatureName{kDotProd, "dotprod"},
    FeatureName{kI8mm, "i8mm"},
};

// The logical processors on which this process may run; empty where the system does not say.
std::vector<int> allowed_processors() {
  // The kernel refuses a set smaller than its own, so grow until it fits.
  for (size_t set_count = 1; set_count <= 64; set_count *= 2) {
    std::vector<cpu_set_t> sets(set_count);
    const size_t bytes = set_count * sizeof(cpu_set_t);
    if (sched_getaffinity(0, bytes, sets.data()) == 0) {
      std::vector<int> processors;
      for (size_t i = 0; i < bytes * 8; ++i)
        if (CPU_ISSET_S(i, bytes, sets.data())) processors.push_back(static_cast<int>(i));
      return processors;
    }
    if (errno != EINVAL) break;
  }
  return {};
}

// Text that is the same for the logical processors of one physical core and no others.
std::string core_of(int processor) {
  std::ifstream file(
      fmt::format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", processor));
  std::string siblings;
  if (!std::getline(file, siblings)) return std::to_string(processor);
  return siblings;
}

#if defined(__x86_64__)

struct Registers {
  uint32_t a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d);  // zeros where there is no such leaf
  return r;
}

// Which register states the operating system saves when it switches threads.
uint64_t saved_states() {
  uint32_t low = 0;
  uint32_t high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

bool bit(uint32_t word, int index) { return (word >> index & 1u) != 0; }

#elif defined(__aarch64__)

// Words of the auxiliary vector and their bits: Linux, Documentation/arch/arm64/elf_hwcaps.rst.
constexpr unsigned long kCpuidReadable = 1ul << 11, kAsimdDp = 1ul << 20;  // AT_HWCAP
constexpr unsigned long kMatrixInt8 = 1ul << 13;                           // AT_HWCAP2

// Implementer and part of MIDR_EL1 (Linux, arch/arm64/include/asm/cputype.h).
struct PartName {
  uint32_t implementer, part;
  std::string_view name;
};

constexpr PartName kPartNames[] = {
    {0x41, 0xd05, "Arm Cortex-A55"},    {0x41, 0xd0b, "Arm Cortex-A76"},
    {0x41, 0xd0c, "Arm Neoverse N1"},   {0x41, 0xd40, "Arm Neoverse V1"},
    {0x41, 0xd49, "Arm Neoverse N2"},   {0x41, 0xd4f, "Arm Neoverse V2"},
    {0x41, 0xd84, "Arm Neoverse V3"},   {0x41, 0xd8e, "Arm Neoverse N3"},
    {0x41, 0xd41, "Arm Cortex-A78"},    {0x41, 0xd44, "Arm Cortex-X1"},
    {0xc0, 0xac3, "Ampere Altra AC03"}, {0xc0, 0xac4, "AmpereOne AC04"},
};

#endif

}  // namespace

#if defined(__x86_64__)

// Bit numbers: Intel SDM volume 2A, CPUID; XCR0: volume 1, 13.3.
uint64_t detect_features() {
  const Registers leaf1 = cpuid(1, 0);
  if (!bit(leaf1.c, 27)) return 0;  // OSXSAVE: without it XGETBV faults
  const uint64_t states = saved_states();
  const auto saved = [&](uint64_t mask) { return (states & mask) == mask; };
  const bool avx = saved(0x6);             // XMM, YMM
  const bool avx512 = avx && saved(0xe0);  // mask registers, high halves, ZMM16-31
  const bool amx = saved(0x60000);         // tile configuration, tile data
  const Registers leaf7 = cpuid(7, 0);
  const Registers leaf71 = cpuid(7, 1);
  uint64_t features = 0;
  const auto add = [&](bool present, Feature feature) {
    if (present) features |= feature;
  };
  add(avx && bit(leaf1.c, 12), kFma);
  add(avx && bit(leaf1.c, 29), kF16c);
  add(avx && bit(leaf7.b, 5), kAvx2);
  add(avx && bit(leaf71.a, 4), kAvxVnni);
  add(avx512 && bit(leaf7.b, 16), kAvx512F);
  add(avx512 && bit(leaf7.b, 17), kAvx512DQ);
  add(avx512 && bit(leaf7.b, 30), kAvx512BW);
  add(avx512 && bit(leaf7.b, 31), kAvx512VL);
  add(avx512 && bit(leaf7.c, 1), kAvx512Vbmi);
  add(avx512 && bit(leaf7.c, 11), kAvx512Vnni);
  add(avx512 && bit(leaf71.a, 5), kAvx512Bf16);
  add(avx512 && bit(leaf7.c, 8), kGfni);
  add((features & kAvx512Vnni) != 0 && vector_ports_are_multipliers(), kDualPorts);
  add(amx && bit(leaf7.d, 24), kAmxTile);
  add(amx && bit(leaf7.d, 25), kAmxInt8);
  add(amx && bit(leaf7.d, 22), kAmxBf16);
  add((features & kAmxTile) != 0 && allow_tiles(), kAmxPermission);
  return features;
}

std::string model_name() {
  std::array<char, 48> brand{};
  for (uint32_t part = 0; part < 3; ++part) {
    const Registers r = cpuid(0x80000002u + part, 0);
    std::memcpy(brand.data() + part * sizeof r, &r, sizeof r);
  }
  std::string name(brand.data(), strnlen(brand.data(), brand.size()));
  const size_t begin = name.find_first_not_of(' ');
  if (begin == std::string::npos) return "unknown x86-64";
  return name.substr(begin, name.find_last_not_of(' ') - begin + 1);
}

#elif defined(__aarch64__)

uint64_t detect_features() {
  uint64_t features = 0;
  if ((getauxval(AT_HWCAP) & kAsimdDp) != 0) features |= kDotProd;
  if ((getauxval(AT_HWCAP2) & kMatrixInt8) != 0) features |= kI8mm;
  return features;
}

std::string model_name() {
  if ((getauxval(AT_HWCAP) & kCpuidReadable) == 0) return "unknown aarch64";
  uint64_t identity = 0;
  asm("mrs %0, midr_el1" : "=r"(identity));  // the kernel answers for it
  const auto implementer = static_cast<uint32_t>(identity >> 24 & 0xff);
  const auto part = static_cast<uint32_t>(identity >> 4 & 0xfff);
  for (const PartName& row : kPartNames)
    if (row.implementer == implementer && row.part == part) return std::string(row.name);
  return fmt::format("aarch64, implementer {:#x}, part {:#x}", implementer, part);
}

#else

uint64_t detect_features() { return 0; }
std::string model_name() { return "unknown"; }

#endif

// Linux keeps the tile data of a thread only once its process has asked for it (arch_prctl(2),
// Documentation/arch/x86/xstate.rst); without that the first tile instruction is a SIGILL.
bool allow_tiles() {
#if defined(__x86_64__)
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  static const bool allowed = ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return allowed;
#else
  return false;
#endif
}

std::vector<std::string> feature_names(uint64_t features) {
  std::vector<std::string> names;
  for (const FeatureName& row : kNames)
    if ((features & row.feature) != 0) names.emplace_back(row.name);
  return names;
}

int allowed_processor_count() { return std::max(1, static_cast<int>(allowed_processors().size())); }

int usable_core_count() {
  std::set<std::string> cores;
  for (const int processor : allowed_processors()) cores.insert(core_of(processor));
  int count = std::max(1, static_cast<int>(cores.size()));
  if (const auto quota = cgroup::cpu_quota(); quota && *quota < count)
    count = std::max(1, static_cast<int>(std::ceil(*quota)));
  return count;
}

}  // namespace bittern::cpu
