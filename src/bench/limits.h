// The limits of this machine, measured: how many bytes a second its memory gives and how many
// operations its arithmetic units do, with the threads that a run will use. A speed is reported as
// a share of them, and only of those of the same run: shared machines change from minute to
// minute.
//
//   read     every combination of stream count and prefetch distance over one large buffer of huge
//            pages; the best one's median
//   compute  register-only loops (peak_loops.h)
//
// All threads run at once and each times its own short slices; the rates add up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "bench/peak_loops.h"
#include "bench/samples.h"

namespace bittern::bench {

struct ReadLimit {
  Spread bytes_per_second;
  int streams = 0;
  int64_t prefetch_bytes = 0;
  int vector_bytes = 0;
  int64_t buffer_bytes = 0;
};

struct ComputeLimit {
  std::string_view name, isa;
  Arithmetic arithmetic = Arithmetic::int8;
  Spread operations_per_second;
  bool selected = false;  // the kernels that run may use it
};

struct Limits {
  int threads = 0;
  ReadLimit read;
  std::vector<ComputeLimit> compute;  // all that the machine has

  // Bytes a second; the median.
  double read_rate() const { return read.bytes_per_second.median; }
  // Operations a second of the best loop that the selected kernels may use; nothing where there is
  // none.
  std::optional<double> compute_rate(Arithmetic arithmetic) const;
};

struct LimitOptions {
  int64_t buffer_bytes = int64_t{1} << 30;  // cut to a quarter of what is available
  double probe_seconds = 0.03;              // of each combination and each loop
  double final_seconds = 0.2;               // of the best combination, once more
};

// `isa`: name of the selected kernel table; `features`: of this machine.
Limits measure_limits(ThreadPool& pool, std::string_view isa, uint64_t features,
                      const LimitOptions& options = {});

// Measures the best reading once more, at the end of a run, and keeps the higher one.
void measure_read_again(ThreadPool& pool, const LimitOptions& options, Limits& limits);

}  // namespace bittern::bench
