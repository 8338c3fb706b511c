// A fixed pool that runs parallel regions. The caller is worker 0; callers on several threads take
// turns. Workers set MXCSR (no flush-to-zero, round to nearest) so that results do not depend on
// who ran before. Work is split by the caller into tasks whose results are independent: whoever
// runs one, same bits.
//
// Each worker has a contiguous share of a region's tasks, so that it streams through memory that
// is its own; one that is done helps the worker that has the most left. So a slow core of a hybrid
// processor, or one that another process holds, delays a region by the few tasks it has taken,
// never by its share.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

namespace bittern {

// How threads wait for the next region: those of a decode step follow one another within
// microseconds, and waking a thread costs several.
enum class Waiting : uint8_t {
  spin,  // a short while, then sleep
  sleep
};

// Spinning pays where every thread has a processor of its own; it takes time from the other
// threads where it has not, and it burns a quota that is smaller than the threads.
Waiting waiting_for(int thread_count, int processor_count, std::optional<double> quota);

class ThreadPool {
 public:
  // Waits as affinity and the control group's quota suggest.
  explicit ThreadPool(int thread_count);
  ThreadPool(int thread_count, Waiting waiting);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int thread_count() const;

  // Calls body(task, worker) once for every task in [0, task_count), below 2^31; returns when all
  // are done. A worker runs one task at a time. Allocates nothing. `body` must not throw.
  template <typename Body>
  void run(int64_t task_count, const Body& body) {
    run_erased(task_count, &body, [](const void* erased, int64_t first, int64_t end, int worker) {
      for (int64_t task = first; task < end; ++task)
        (*static_cast<const Body*>(erased))(task, worker);
    });
  }

 private:
  using Call = void (*)(const void* body, int64_t first, int64_t end, int worker);
  void run_erased(int64_t task_count, const void* body, Call call);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bittern
