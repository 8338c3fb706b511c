// `bittern bench kernels`: every entry of every kernel table that this machine can run, and whole
// linear layers of each number format through the backend, timed in short slices against limits
// measured in the same run.
//
//   entries   one thread, working set in cache: what the instructions cost
//   linears   all threads, a working set far beyond the caches: what a model sees
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "bench/limits.h"
#include "bench/samples.h"
#include "codec/codec.h"
#include "kernel/kernel.h"

namespace bittern::bench {

struct KernelResult {
  std::string name;  // "ternary_dots 8 rows", "linear Q4_0"
  std::string isa;   // of the table; of a linear layer the kernel it says it runs
  std::string shape;
  int threads = 1;
  Spread seconds;                        // of a call
  double bytes = 0.0, operations = 0.0;  // of a call
  Arithmetic arithmetic = Arithmetic::float32;
  double share = 0.0;        // of the limit that binds; 0: none is known
  std::string bound;         // "memory" or "int8": that limit
  bool selected = false;     // what a model runs on this machine
  bool scalar_only = false;  // a slot without SIMD on a machine that has it
};

struct KernelBenchOptions {
  double seconds_per_kernel = 0.05;
  double seconds_per_linear = 0.3;
  std::vector<codec::Id> codecs;  // of the linear layers
  std::vector<int64_t> rows;      // of activations: {1, 16, 256}
  int64_t out_size = 6912, in_size = 2560;
  int64_t working_set_bytes = int64_t{256} << 20;
  bool entries = true, linears = true;
};

// The tables that this machine can run, best first, `selected` among them.
std::vector<const kernel::Table*> runnable_tables(uint64_t features);

std::vector<KernelResult> measure_entries(const kernel::Table& selected, uint64_t features,
                                          const Limits& one_thread,
                                          const KernelBenchOptions& options,
                                          const std::function<void()>& measured);

// Throws Error{resources} where the working set does not fit.
std::vector<KernelResult> measure_linears(backend::Backend& backend, const kernel::Table& selected,
                                          ThreadPool& pool, const Limits& limits,
                                          const KernelBenchOptions& options,
                                          const std::function<void()>& measured);

}  // namespace bittern::bench
