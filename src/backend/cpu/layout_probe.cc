// The probe: a region larger than caches, read in slices by turns as T2 and as T1.6; the medians
// count. Its bytes are valid as both.
//
// The file of what was measured: a line for each machine,
//   RATIO <tab> DESCRIPTION
// the last one of a description counts. Who cannot read or write it measures again.
#include "backend/cpu/layout_probe.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/environment.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/region.h"
#include "kernel/pack.h"
#include "kernel/select.h"

namespace bittern::backend {
namespace {

constexpr int64_t kProbeBytes = int64_t{64} << 20;
constexpr int64_t kSliceBytes = int64_t{2} << 20;
constexpr int64_t kColumns = 2560;
// Slices of each layout that a median needs. Who has them after the first time is done; who has not
// after the second, on a busy machine, has measured nothing.
constexpr size_t kLeastSlices = 8;
constexpr double kSeconds = 0.05, kMostSeconds = 0.2;
constexpr int64_t kLeastPackedBytes = int64_t{64} << 20;
constexpr std::string_view kFileName = "layouts";
constexpr int64_t kFileMost = 1 << 16;

// Seconds for a weight, slice by slice.
struct Times {
  std::vector<double> seconds;
  double median() {
    const auto middle = seconds.begin() + static_cast<ptrdiff_t>(seconds.size() / 2);
    std::nth_element(seconds.begin(), middle, seconds.end());
    return *middle;
  }
};

class Probe {
 public:
  explicit Probe(ThreadPool& pool)
      : pool_(pool), region_(kProbeBytes, "the probe of layouts"), codes_(kColumns, 1) {
    pool_.run(kProbeBytes / kSliceBytes, [&](int64_t slice, int) {
      std::fill_n(region_.data() + slice * kSliceBytes, kSliceBytes,
                  std::byte{kernel::kT2ZeroByte});
    });
  }

  using Dots = void (*)(const kernel::TernaryDots&);
  void measure(int64_t slice, int64_t strip_bytes, Dots dots, Times& times) {
    constexpr int64_t kTogether = kernel::kTernaryStrips;
    const int64_t strips = kSliceBytes / strip_bytes / kTogether * kTogether;
    const auto* first = reinterpret_cast<const uint8_t*>(region_.data()) + slice * kSliceBytes;
    const int32_t sum = kColumns;
    const double start = monotonic_seconds();
    pool_.run(strips / kTogether, [&](int64_t task, int) {
      int32_t out[kTogether * kernel::kStripRows];
      dots({.strips = first + task * kTogether * strip_bytes,
            .strip_count = kTogether,
            .strip_bytes = strip_bytes,
            .columns = kColumns,
            .codes = codes_.data(),
            .sums = &sum,
            .rows = 1,
            .out = out});
    });
    const auto weights = static_cast<double>(strips * kernel::kStripRows * kColumns);
    times.seconds.push_back((monotonic_seconds() - start) / weights);
  }

 private:
  ThreadPool& pool_;
  Region region_;
  std::vector<int8_t> codes_;
};

// What the measurement is true for.
std::string describe(const kernel::Table& table, int threads) {
  struct utsname system {};
  ::uname(&system);
  return fmt::format("{}, {} {}, {} threads, {} {}", cpu::model_name(), system.sysname,
                     system.release, threads, table.ternary->name, table.ternary->dense->name);
}

std::optional<double> remembered(const std::filesystem::path& file, const std::string& machine) {
  std::ifstream in(file);
  std::optional<double> ratio;
  int64_t read = 0;
  for (std::string line; read < kFileMost && std::getline(in, line);) {
    read += static_cast<int64_t>(line.size()) + 1;
    const size_t tab = line.find('\t');
    if (tab == std::string::npos || line.substr(tab + 1) != machine) continue;
    const double value = std::strtod(line.c_str(), nullptr);
    if (value > 0.01 && value < 100) ratio = value;
  }
  return ratio;
}

void remember(const std::filesystem::path& file, const std::string& machine, double ratio) {
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  if (std::filesystem::file_size(file, error) > kFileMost && !error)
    std::filesystem::remove(file, error);
  std::ofstream(file, std::ios::app) << fmt::format("{:.3f}\t{}\n", ratio, machine);
}

std::optional<TernaryLayout> forced_layout(const kernel::DenseTernary* dense) {
  const auto name = environment::get(environment::Variable::ternary);
  if (!name) return std::nullopt;
  const auto variable = environment::name(environment::Variable::ternary);
  if (*name == "T2") return TernaryLayout::t2;
  if (*name != "T1.6")
    fail(ErrorKind::usage, "{}={}: T2 or T1.6 expected", variable, printable(*name));
  if (dense == nullptr)
    fail(ErrorKind::unsupported, "{}=T1.6: these kernels have none for it", variable);
  return TernaryLayout::t16;
}

}  // namespace

std::optional<double> speed_of_dense(ThreadPool& pool, const kernel::TernaryKernels& t2,
                                     const kernel::DenseTernary& t16) {
  if (memory::available_bytes() < 2 * kProbeBytes) return std::nullopt;
  const double start = monotonic_seconds();
  Probe probe(pool);
  Times two, dense;
  for (int64_t slice = 0; slice < kProbeBytes / kSliceBytes; ++slice) {
    if (slice % 2 == 0)
      probe.measure(slice, kernel::t2_strip_bytes(kColumns), t2.dots, two);
    else
      probe.measure(slice, kernel::t16_strip_bytes(kColumns), t16.dots, dense);
    const double time = monotonic_seconds() - start;
    const bool enough = dense.seconds.size() >= kLeastSlices;
    if (time > (enough ? kSeconds : kMostSeconds)) break;
  }
  if (dense.seconds.size() < kLeastSlices) return std::nullopt;
  return two.median() / dense.median();
}

TernaryLayout choose_ternary_layout(ThreadPool& pool, const kernel::Table& table,
                                    const std::optional<std::filesystem::path>& folder,
                                    int64_t packed_bytes, const Log& log) {
  const kernel::DenseTernary* dense = kernel::select_dense(table, cpu::detect_features());
  if (const auto forced = forced_layout(dense)) return *forced;
  if (dense == nullptr) return TernaryLayout::t2;
  if (!folder || packed_bytes < kLeastPackedBytes) return TernaryLayout::t16;
  const std::string machine = describe(table, pool.thread_count());
  const std::filesystem::path file = *folder / kFileName;
  std::optional<double> ratio = remembered(file, machine);
  const bool known = ratio.has_value();
  if (!known) ratio = speed_of_dense(pool, *table.ternary, *dense);
  if (!ratio) return TernaryLayout::t16;
  if (!known) remember(file, machine, *ratio);
  const auto layout = *ratio >= 1 ? TernaryLayout::t16 : TernaryLayout::t2;
  log.detail("ternary layout {}: T1.6 is {:.2f} times as fast as T2 ({})",
             layout == TernaryLayout::t2 ? "T2" : "T1.6", *ratio,
             known ? "measured before" : "measured now");
  return layout;
}

}  // namespace bittern::backend
