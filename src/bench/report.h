// What a benchmark tells: one structure, four forms. Numbers stand unrounded in JSON and CSV.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json_write.h"
#include "bench/kernel_bench.h"
#include "bench/limits.h"
#include "bench/machine.h"
#include "bench/throughput.h"

namespace bittern::bench {

struct Report {
  std::string model;    // path, or "--shape NAME"
  std::string weights;  // "q4_0, head q6_k" of made-up ones; empty for a file
  std::string backend;
  std::vector<std::string> kernels;
  std::string kv_type;
  int threads = 0;
  int64_t context = 0;
  double load_seconds = 0.0;
  int64_t peak_memory_bytes = 0;
  Machine machine;
  std::optional<double> stolen;  // share of processor time, during the run
  std::optional<Limits> limits;  // nothing where not measured
  std::vector<Result> results;
  std::vector<KernelResult> kernel_results;  // of `bench kernels`, instead of results
};

// The shares of the limits that a result reached; nothing where a limit is not known.
struct Shares {
  std::optional<double> memory, compute;
};
Shares shares_of(const Result& result, const std::optional<Limits>& limits);

JsonBuilder to_json(const Report& report);
std::string to_csv(const Report& report);
std::string to_table(const Report& report);
std::string to_svg(const Report& report);

}  // namespace bittern::bench
