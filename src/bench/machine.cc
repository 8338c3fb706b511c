#include "bench/machine.h"

#include <fmt/format.h>

#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "base/cgroup.h"
#include "base/cpu.h"
#include "base/memory.h"

namespace bittern::bench {
namespace {

// The word in brackets of "always [madvise] never".
std::string chosen_word(const std::string& line) {
  const size_t open = line.find('[');
  const size_t close = line.find(']', open);
  if (open == std::string::npos || close == std::string::npos) return "";
  return line.substr(open + 1, close - open - 1);
}

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool is_virtual_machine() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("flags")) return line.find(" hypervisor") != std::string::npos;
  }
  return false;
}

std::string compiler_name() {
#if defined(__clang__)
  std::string name =
      fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  std::string name = fmt::format("g++ {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
#if defined(__OPTIMIZE__)
  return name + ", optimised";
#else
  return name + ", not optimised";
#endif
}

}  // namespace

Machine describe_machine() {
  Machine machine;
  machine.processor = cpu::model_name();
  machine.features = cpu::feature_names(cpu::detect_features());
  machine.logical_processors = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  machine.usable_cores = cpu::usable_core_count();
  machine.cpu_quota = cgroup::cpu_quota();
  machine.virtual_machine = is_virtual_machine();
  machine.memory_bytes = int64_t{::sysconf(_SC_PHYS_PAGES)} * ::sysconf(_SC_PAGESIZE);
  machine.available_bytes = memory::available_bytes();
  machine.huge_pages = chosen_word(first_line("/sys/kernel/mm/transparent_hugepage/enabled"));
  struct utsname name {};
  if (::uname(&name) == 0)
    machine.system = fmt::format("{} {} {}", name.sysname, name.release, name.machine);
  machine.compiler = compiler_name();
  return machine;
}

// "cpu  user nice system idle iowait irq softirq steal guest guest_nice"; guest time is counted in
// user already.
StealClock read_steal() {
  std::istringstream line(first_line("/proc/stat"));
  std::string label;
  line >> label;
  StealClock clock;
  constexpr int kSteal = 7;
  double ticks = 0.0;
  for (int field = 0; field <= kSteal && line >> ticks; ++field) {
    clock.total += ticks;
    if (field == kSteal) clock.stolen = ticks;
  }
  return clock;
}

std::optional<double> stolen_share(const StealClock& from, const StealClock& to) {
  if (to.total <= from.total) return std::nullopt;
  return (to.stolen - from.stolen) / (to.total - from.total);
}

}  // namespace bittern::bench
