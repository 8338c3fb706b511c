// kernel_studies            prints every study as a table of times
// kernel_studies --check    only compares every version with the first; exit 1 where one differs
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>

#include "base/clock.h"
#include "base/cpu.h"
#include "bench/samples.h"
#include "study.h"

namespace bittern::study {

uint64_t cpu_features() { return cpu::detect_features(); }

bool has_avx2() {
  constexpr uint64_t kNeeded = cpu::kAvx2 | cpu::kFma;
  return (cpu::detect_features() & kNeeded) == kNeeded;
}

bool has_avx512_vnni() {
  constexpr uint64_t kNeeded = cpu::kAvx512F | cpu::kAvx512BW | cpu::kAvx512VL | cpu::kAvx512Vnni;
  return has_avx2() && (cpu::detect_features() & kNeeded) == kNeeded;
}

namespace {

constexpr double kSeconds = 0.3;  // of each version
constexpr int kRounds = 15;       // of turns

bool agrees(const Version& version, const std::vector<float>& truth) {
  const std::vector<float> got = version.result();
  if (got.size() != truth.size()) return false;
  double largest = 0.0;
  for (const float value : truth) largest = std::max(largest, std::abs(double{value}));
  for (size_t i = 0; i < truth.size(); ++i) {
    const double error = std::abs(double{got[i]} - double{truth[i]});
    if (!(error <= version.tolerance * largest)) return false;
  }
  return true;
}

bool check(const Study& study) {
  std::vector<float> truth;
  bool all = true;
  for (const Version& version : study.versions) {
    version.run();
    if (truth.empty()) truth = version.result();
    if (agrees(version, truth)) continue;
    fmt::print("{}: {} differs from {}\n", study.name, version.name, study.versions[0].name);
    all = false;
  }
  return all;
}

void print_times(const Study& study) {
  std::vector<std::vector<double>> seconds(study.versions.size());
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < study.versions.size(); ++i) {
      const double end = monotonic_seconds() + kSeconds / kRounds;
      do {
        const double start = monotonic_seconds();
        study.versions[i].run();
        seconds[i].push_back(monotonic_seconds() - start);
      } while (monotonic_seconds() < end);
    }
  }
  fmt::print("\n{}, {}\n{:<26} {:>10} {:>8} {:>9} {:>8}  {}\n", study.name, study.shape, "version",
             "median us", "Gop/s", "GB/s", "times v0", "idea");
  double first = 0.0;
  for (size_t i = 0; i < study.versions.size(); ++i) {
    const Version& version = study.versions[i];
    const double median = bench::spread_of(seconds[i]).median;
    if (i == 0) first = median;
    fmt::print("{:<26} {:>10.1f} {:>8.1f} {:>9.1f} {:>8.1f}  {}\n", version.name, median * 1e6,
               study.operations / median / 1e9, version.bytes / median / 1e9, first / median,
               version.idea);
  }
}

int run(bool only_check) {
  bool all = true;
  for (const Study& study :
       {ternary_study(1), ternary_study(64), q4_study(1), q4_study(64), attention_study()}) {
    all = check(study) && all;
    if (!only_check) print_times(study);
  }
  return all ? 0 : 1;
}

}  // namespace
}  // namespace bittern::study

int main(int count, char** arguments) {
  const bool only_check = count == 2 && std::string_view(arguments[1]) == "--check";
  if (count > 1 && !only_check) {
    fmt::print(stderr, "usage: {} [--check]\n", arguments[0]);
    return 2;
  }
  return bittern::study::run(only_check);
}
