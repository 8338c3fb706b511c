#include "bench/limits.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "base/region.h"
#include "bench/read_streams.h"
#include "kernel/select.h"

namespace bittern::bench {
namespace {

constexpr int kStreamCounts[] = {1, 2, 4, 8, 16};
constexpr int64_t kDistances[] = {0, 512, 1024, 2048, 4096};
constexpr int64_t kStreamSkew = 65 * 64;      // an odd number of lines
constexpr int64_t kReadSliceBytes = 1 << 20;  // per thread
constexpr int64_t kLeastBufferBytes = 16 << 20;
constexpr double kComputeSliceSeconds = 1e-4;
constexpr double kStartWaitSeconds = 0.05;

// How many of this build's kernel tables come after one, the next best ones; -1 where it has none
// of that name. Each has the instructions of those.
int rank_of(std::string_view isa) {
  const auto tables = kernel::candidates();
  const auto found = std::ranges::find(
      tables, isa, [](const kernel::Candidate& candidate) { return candidate.table->name; });
  return static_cast<int>(tables.end() - found) - 1;
}

// Lets the threads begin together, so that none has the machine to itself. A thread that does not
// come (a pool that gave both tasks to one worker) is waited for a moment only.
class Start {
 public:
  explicit Start(int threads) : missing_(threads) {}
  void wait() {
    missing_.fetch_sub(1);
    const double until = monotonic_seconds() + kStartWaitSeconds;
    while (missing_.load() > 0 && monotonic_seconds() < until) {
    }
  }

 private:
  std::atomic<int> missing_;
};

// Rates of slices of `work` each, on all threads at once for `seconds`: slice(thread) does one.
template <typename Slice>
Spread rates_of_slices(ThreadPool& pool, double work, double seconds, const Slice& slice) {
  const int threads = pool.thread_count();
  std::vector<std::vector<double>> rates(static_cast<size_t>(threads));
  for (auto& own : rates) own.reserve(1 << 16);
  Start start(threads);
  pool.run(threads, [&](int64_t thread, int) {
    auto& own = rates[static_cast<size_t>(thread)];
    slice(static_cast<int>(thread));  // not timed: clocks rise, pages are found
    start.wait();
    double now = monotonic_seconds();
    const double until = now + seconds;
    do {
      slice(static_cast<int>(thread));
      const double end = monotonic_seconds();
      own.push_back(work / std::max(end - now, 1e-9));
      now = end;
    } while (now < until && own.size() < own.capacity());
  });
  Spread total;
  for (const auto& own : rates) total = add(total, spread_of(own));
  return total;
}

// A buffer in huge pages, a part for each thread, every page written.
class Buffer {
 public:
  Buffer(ThreadPool& pool, int64_t wanted) : threads_(pool.thread_count()) {
    const int64_t bytes =
        std::max(kLeastBufferBytes, std::min(wanted, memory::available_bytes() / 4));
    const int64_t unit = kReadSliceBytes * threads_;
    region_ = Region(std::max<int64_t>(1, bytes / unit) * unit, "bandwidth measurement");
    pool.run(threads_, [&](int64_t thread, int) {
      std::memset(part(static_cast<int>(thread)), 0x5a, static_cast<size_t>(part_bytes()));
    });
  }
  int64_t bytes() const { return region_.bytes(); }
  int64_t part_bytes() const { return region_.bytes() / threads_; }
  std::byte* part(int thread) const { return region_.data() + thread * part_bytes(); }

 private:
  int threads_;
  Region region_;
};

Spread measure_read(ThreadPool& pool, const Buffer& buffer, const ReadLimit& how, double seconds) {
  // Streams a power of two apart would share a set of every cache.
  const int64_t stride = buffer.part_bytes() / how.streams - kStreamSkew;
  const int64_t piece = kReadSliceBytes / how.streams;
  std::vector<int64_t> place(static_cast<size_t>(pool.thread_count()), 0);
  return rates_of_slices(pool, static_cast<double>(kReadSliceBytes), seconds, [&](int thread) {
    int64_t& at = place[static_cast<size_t>(thread)];
    read_streams({.base = buffer.part(thread) + at,
                  .stride = stride,
                  .bytes = piece,
                  .distance = how.prefetch_bytes},
                 how.streams, how.vector_bytes);
    at += piece;
    if (at + piece > stride) at = 0;
  });
}

ReadLimit best_read(ThreadPool& pool, int vector_bytes, const LimitOptions& options) {
  const Buffer buffer(pool, options.buffer_bytes);
  ReadLimit best;
  for (const int streams : kStreamCounts) {
    for (const int64_t distance : kDistances) {
      ReadLimit how{.bytes_per_second = {},
                    .streams = streams,
                    .prefetch_bytes = distance,
                    .vector_bytes = vector_bytes,
                    .buffer_bytes = buffer.bytes()};
      how.bytes_per_second = measure_read(pool, buffer, how, options.probe_seconds);
      if (how.bytes_per_second.median > best.bytes_per_second.median) best = how;
    }
  }
  // The best of many probes is in part luck: once more, longer.
  best.bytes_per_second = measure_read(pool, buffer, best, options.final_seconds);
  return best;
}

Spread measure_compute(ThreadPool& pool, const PeakLoop& loop, double seconds) {
  constexpr int64_t kTrialRounds = 2000;
  loop.run(kTrialRounds);
  const double started = monotonic_seconds();
  loop.run(kTrialRounds);
  const double each = std::max(monotonic_seconds() - started, 1e-9) / kTrialRounds;
  const int64_t rounds = std::max<int64_t>(1, static_cast<int64_t>(kComputeSliceSeconds / each));
  return rates_of_slices(pool, static_cast<double>(rounds * loop.operations_per_round), seconds,
                         [&](int) { loop.run(rounds); });
}

int vector_bytes_of(std::string_view isa, uint64_t features) {
  if (rank_of(isa) >= rank_of("avx512") && (features & cpu::kAvx512F) != 0) return 64;
  return rank_of(isa) >= rank_of("avx2") && (features & cpu::kAvx2) != 0 ? 32 : 16;
}

}  // namespace

std::optional<double> Limits::compute_rate(Arithmetic arithmetic) const {
  std::optional<double> best;
  for (const ComputeLimit& row : compute) {
    if (row.arithmetic != arithmetic || !row.selected) continue;
    best = std::max(best.value_or(0.0), row.operations_per_second.median);
  }
  return best;
}

Limits measure_limits(ThreadPool& pool, std::string_view isa, uint64_t features,
                      const LimitOptions& options) {
  Limits limits{.threads = pool.thread_count(), .read = {}, .compute = {}};
  limits.read = best_read(pool, vector_bytes_of(isa, features), options);
  for (const PeakLoop& loop : peak_loops()) {
    if ((loop.features & ~features) != 0) continue;
    limits.compute.push_back(
        {.name = loop.name,
         .isa = loop.isa,
         .arithmetic = loop.arithmetic,
         .operations_per_second = measure_compute(pool, loop, options.probe_seconds),
         .selected = rank_of(loop.isa) <= rank_of(isa)});
  }
  return limits;
}

void measure_read_again(ThreadPool& pool, const LimitOptions& options, Limits& limits) {
  const Buffer buffer(pool, options.buffer_bytes);
  const Spread again = measure_read(pool, buffer, limits.read, options.final_seconds);
  if (again.median > limits.read.bytes_per_second.median) limits.read.bytes_per_second = again;
}

}  // namespace bittern::bench
