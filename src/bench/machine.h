// What a figure was measured on: without it a speed means nothing. Facts of the machine and of
// this process's share of it; no host name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bittern::bench {

struct Machine {
  std::string processor;              // "AMD EPYC"
  std::vector<std::string> features;  // as base/cpu.h names them
  int logical_processors = 0;
  int usable_cores = 0;             // inside affinity and quota
  std::optional<double> cpu_quota;  // of the control group, in cores
  bool virtual_machine = false;
  int64_t memory_bytes = 0, available_bytes = 0;
  std::string huge_pages;  // "madvise", or empty where the system does not say
  std::string system;      // "Linux 6.1.0 x86_64"
  std::string compiler;    // "g++ 12.2.0, optimised"
};

Machine describe_machine();

// The processor time of all processors since the start, by the system's count: what others on the
// same host took away ("steal") against all there was.
struct StealClock {
  double stolen = 0.0, total = 0.0;
};
StealClock read_steal();
// The share of processor time stolen between two readings, 0 to 1; nothing where not known.
std::optional<double> stolen_share(const StealClock& from, const StealClock& to);

}  // namespace bittern::bench
