// How a region runs. The caller writes the job, then raises `region`; each worker that sees the
// new number runs its share and lowers `pending`; the caller runs share 0 and waits for zero.
// Both waits spin for kSpinSeconds, since the next region of a decode step follows within
// microseconds, and then sleep. Sleeping cannot miss a wake: the sleeper counts itself before it
// looks at the number again, the waker changes the number before it looks at the count (both
// sequentially consistent), so at least one of them sees the other.

#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/float_mode.h"

namespace bittern {
namespace {

constexpr double kSpinSeconds = 40e-6;
constexpr int kPausesPerLook = 16;  // between two looks at the clock

inline void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// A number that threads wait on: a short spin, then sleep.
class Signal {
 public:
  // Returns when ready() holds. `spin`: worth spinning, every thread has its own core.
  template <typename Ready>
  void wait(const Ready& ready, bool spin) {
    if (spin && spin_until(ready)) return;
    sleepers_.fetch_add(1);
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, ready);
    }
    sleepers_.fetch_sub(1);
  }

  // To be called after the change that makes ready() hold.
  void notify() {
    if (sleepers_.load() == 0) return;
    { const std::scoped_lock lock(mutex_); }  // a sleeper is past its look, or has yet to look
    wake_.notify_all();
  }

 private:
  template <typename Ready>
  static bool spin_until(const Ready& ready) {
    const double end = monotonic_seconds() + kSpinSeconds;
    do {
      for (int i = 0; i < kPausesPerLook; ++i) {
        if (ready()) return true;
        pause();
      }
    } while (monotonic_seconds() < end);
    return false;
  }

  std::atomic<int> sleepers_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace

struct ThreadPool::State {
  int thread_count = 1;
  bool spin = true;

  // The job; written by the caller before `region` rises, constant while it runs.
  int64_t task_count = 0;
  const void* body = nullptr;
  Call call = nullptr;
  bool stop = false;

  alignas(64) std::atomic<uint64_t> region{0};
  alignas(64) std::atomic<int> pending{0};
  std::atomic<bool> running{false};
  Signal started;
  Signal finished;
  std::vector<std::thread> workers;

  ~State() {
    stop = true;
    region.fetch_add(1);
    started.notify();
    for (std::thread& worker : workers) worker.join();
  }

  // The first (task_count % thread_count) workers take one task more.
  void run_share(int worker) const {
    const int64_t each = task_count / thread_count;
    const int64_t extra = task_count % thread_count;
    const int64_t begin = worker * each + std::min<int64_t>(worker, extra);
    const int64_t end = begin + each + (worker < extra ? 1 : 0);
    for (int64_t task = begin; task < end; ++task) call(body, task, worker);
  }

  void work(int worker) {
    const DefaultFloatMode mode;
    for (uint64_t seen = 0;;) {
      started.wait([&] { return region.load() != seen; }, spin);
      ++seen;  // the caller waits for all workers, so no region can be missed
      if (stop) return;
      run_share(worker);
      if (pending.fetch_sub(1) == 1) finished.notify();
    }
  }
};

ThreadPool::ThreadPool(int thread_count) : state_(std::make_unique<State>()) {
  BITTERN_CHECK(thread_count >= 1, "{} threads", thread_count);
  state_->thread_count = thread_count;
  // Spinning on a core that another thread needs only delays that thread.
  state_->spin = thread_count <= static_cast<int>(std::thread::hardware_concurrency());
  try {
    for (int worker = 1; worker < thread_count; ++worker)
      state_->workers.emplace_back([state = state_.get(), worker] { state->work(worker); });
  } catch (const std::system_error& error) {
    fail(ErrorKind::resources, "cannot start {} threads: {}", thread_count, error.what());
  }
}

ThreadPool::~ThreadPool() = default;

int ThreadPool::thread_count() const { return state_->thread_count; }

void ThreadPool::run_erased(int64_t task_count, const void* body, Call call) {
  State& state = *state_;
  const DefaultFloatMode mode;
  if (state.thread_count == 1 || task_count <= 1) {
    for (int64_t task = 0; task < task_count; ++task) call(body, task, 0);
    return;
  }
  BITTERN_CHECK(!state.running.exchange(true), "a region was started inside another one");
  state.task_count = task_count;
  state.body = body;
  state.call = call;
  state.pending.store(state.thread_count - 1);
  state.region.fetch_add(1);
  state.started.notify();
  state.run_share(0);
  state.finished.wait([&] { return state.pending.load() == 0; }, state.spin);
  state.running.store(false);
}

}  // namespace bittern
