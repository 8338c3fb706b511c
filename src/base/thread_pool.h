// A fixed pool that runs parallel regions. The caller is worker 0. Workers set MXCSR (no
// flush-to-zero, round to nearest) so that results do not depend on who ran before. Work is
// split by the caller into tasks whose results are independent: any thread count, same bits.
#pragma once

#include <cstdint>
#include <memory>

namespace bittern {

class ThreadPool {
 public:
  explicit ThreadPool(int thread_count);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int thread_count() const;

  // Calls body(task, worker) for every task in [0, task_count), statically split into contiguous
  // runs; returns when all are done. Allocates nothing. `body` must not throw.
  template <typename Body>
  void run(int64_t task_count, const Body& body) {
    run_erased(task_count, &body, [](const void* erased, int64_t task, int worker) {
      (*static_cast<const Body*>(erased))(task, worker);
    });
  }

 private:
  using Call = void (*)(const void* body, int64_t task, int worker);
  void run_erased(int64_t task_count, const void* body, Call call);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bittern
