// How a region runs. The caller writes the job and every worker's share (a range of tasks in one
// atomic word), then raises `region`. Whoever works takes tasks from the front of its own share, a
// part of what is left at a time, and when that is empty from the back of the largest other one;
// each part is one compare-and-swap. `pending` counts the tasks that are not done: the caller
// returns when it is zero, whether or not every worker came.
//
// A worker that comes late finds empty shares, or those of a later region; both are right, because
// the job is read after tasks have been taken, and a job stands as long as one of its tasks is not
// done.
//
// Waiting is a short spin, then a futex (std::atomic::wait); the only lock is the one by which
// callers take turns. The system may wake a worker on the processor that the caller keeps busy and
// leave it there for seconds, so one that wakes up looks where the others run and moves to a
// processor of its own.

#include "base/thread_pool.h"

#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/cgroup.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/float_mode.h"

namespace bittern {
namespace {

constexpr double kSpinSeconds = 50e-6;
constexpr int kPausesPerLook = 16;  // between two looks at the clock
// Of what is left of a share its worker takes this part at once, and so does a helper.
constexpr uint32_t kParts = 4;

inline void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

template <typename Ready>
bool spin_until(const Ready& ready) {
  const double end = monotonic_seconds() + kSpinSeconds;
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      if (ready()) return true;
      pause();
    }
  } while (monotonic_seconds() < end);
  return false;
}

#if defined(__linux__)
int current_processor() { return sched_getcpu(); }

// Moves this thread, for now, to a processor that it may use and that `taken` does not hold. Where
// that is refused it stays.
template <typename Taken>
void move_to_free_processor(const Taken& taken) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (!CPU_ISSET(processor, &allowed) || taken(processor)) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    if (sched_setaffinity(0, sizeof one, &one) == 0)
      sched_setaffinity(0, sizeof allowed, &allowed);  // it may be moved again
    return;
  }
}
#else
int current_processor() { return -1; }
template <typename Taken>
void move_to_free_processor(const Taken&) {}
#endif

struct Range {
  uint32_t begin = 0, end = 0;
  uint32_t size() const { return end - begin; }
};

// The tasks that are left of a worker's share, on a cache line of its own.
class alignas(64) Share {
 public:
  std::atomic<int> processor{-1};  // where the worker was last seen

  void fill(Range range) { word_.store(pack(range), std::memory_order_release); }
  uint32_t left() const { return unpack(word_.load(std::memory_order_relaxed)).size(); }

  // Some tasks from the front, or from the back; an empty range where there are none.
  Range take(bool front) {
    uint64_t word = word_.load(std::memory_order_relaxed);
    for (;;) {
      const Range all = unpack(word);
      if (all.size() == 0) return {};
      const uint32_t count = (all.size() + kParts - 1) / kParts;
      const Range taken =
          front ? Range{all.begin, all.begin + count} : Range{all.end - count, all.end};
      const Range rest = front ? Range{taken.end, all.end} : Range{all.begin, taken.begin};
      if (word_.compare_exchange_weak(word, pack(rest), std::memory_order_acquire,
                                      std::memory_order_relaxed))
        return taken;
    }
  }

 private:
  static uint64_t pack(Range range) { return uint64_t{range.end} << 32 | range.begin; }
  static Range unpack(uint64_t word) {
    return {static_cast<uint32_t>(word), static_cast<uint32_t>(word >> 32)};
  }

  std::atomic<uint64_t> word_{0};
};

}  // namespace

Waiting waiting_for(int thread_count, int processor_count, std::optional<double> quota) {
  const bool own_processors = thread_count <= processor_count && (!quota || thread_count <= *quota);
  return own_processors ? Waiting::spin : Waiting::sleep;
}

// The pool whose region this thread runs a part of.
thread_local const void* own_pool = nullptr;

struct ThreadPool::State {
  State(int threads, Waiting waiting)
      : thread_count(threads),
        spin(waiting == Waiting::spin),
        shares(static_cast<size_t>(threads)) {}

  ~State() {
    stop.store(true);
    region.fetch_add(1);
    region.notify_all();
    for (std::thread& worker : workers) worker.join();
  }

  int thread_count;
  bool spin;

  // The job: written while no task is left, read by those who have taken one.
  const void* body = nullptr;
  Call call = nullptr;
  std::vector<Share> shares;

  // 32 bits: what a futex holds.
  alignas(64) std::atomic<uint32_t> region{0};
  std::atomic<bool> stop{false};
  alignas(64) std::atomic<uint32_t> pending{0};
  alignas(64) std::mutex callers;
  std::vector<std::thread> workers;

  void run_range(Range range, int worker) const { call(body, range.begin, range.end, worker); }

  // Whose share has the most left; null where all are empty.
  Share* fullest() {
    Share* found = nullptr;
    uint32_t most = 0;
    for (Share& share : shares) {
      const uint32_t left = share.left();
      if (left <= most) continue;
      most = left;
      found = &share;
    }
    return found;
  }

  // Runs tasks as long as any are left to take.
  void run_tasks(int worker) {
    uint32_t done = 0;
    Share& own = shares[static_cast<size_t>(worker)];
    for (Range range = own.take(true); range.size() > 0; range = own.take(true)) {
      run_range(range, worker);
      done += range.size();
    }
    while (Share* other = fullest()) {
      const Range range = other->take(false);
      if (range.size() == 0) continue;
      run_range(range, worker);
      done += range.size();
    }
    if (done > 0 && pending.fetch_sub(done) == done) pending.notify_one();
  }

  // Each worker alone on its processor, as far as they are known.
  void spread(int worker) {
    Share& own = shares[static_cast<size_t>(worker)];
    const auto taken = [&](int processor) {
      return std::any_of(shares.begin(), shares.end(), [&](const Share& share) {
        return &share != &own && share.processor.load(std::memory_order_relaxed) == processor;
      });
    };
    if (taken(current_processor())) move_to_free_processor(taken);
    own.processor.store(current_processor(), std::memory_order_relaxed);
  }

  void work(int worker) {
    const DefaultFloatMode mode;
    own_pool = this;
    for (uint32_t seen = 0;;) {
      const auto risen = [&] { return region.load(std::memory_order_acquire) != seen; };
      if (!spin || !spin_until(risen)) {
        region.wait(seen);
        if (spin) spread(worker);
      }
      seen = region.load();
      if (stop.load()) return;
      run_tasks(worker);
    }
  }

  void wait_for_all() {
    const auto finished = [&] { return pending.load(std::memory_order_acquire) == 0; };
    if (spin && spin_until(finished)) return;
    for (uint32_t left = pending.load(); left != 0; left = pending.load()) pending.wait(left);
  }

  // The first (task_count % thread_count) workers have one task more.
  void fill_shares(uint32_t task_count) {
    const auto threads = static_cast<uint32_t>(thread_count);
    const uint32_t each = task_count / threads, extra = task_count % threads;
    uint32_t begin = 0;
    for (uint32_t worker = 0; worker < threads; ++worker) {
      const uint32_t end = begin + each + (worker < extra ? 1 : 0);
      shares[worker].fill({begin, end});
      begin = end;
    }
  }
};

ThreadPool::ThreadPool(int thread_count)
    : ThreadPool(thread_count,
                 waiting_for(thread_count, cpu::allowed_processor_count(), cgroup::cpu_quota())) {}

ThreadPool::ThreadPool(int thread_count, Waiting waiting) {
  BITTERN_CHECK(thread_count >= 1, "{} threads", thread_count);
  state_ = std::make_unique<State>(thread_count, waiting);
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
    call(body, 0, task_count, 0);
    return;
  }
  BITTERN_CHECK(task_count <= INT32_MAX, "{} tasks", task_count);
  BITTERN_CHECK(own_pool != &state, "a region was started inside another one");
  const std::lock_guard turn(state.callers);
  const void* const outer = std::exchange(own_pool, &state);
  state.body = body;
  state.call = call;
  state.pending.store(static_cast<uint32_t>(task_count));
  state.fill_shares(static_cast<uint32_t>(task_count));
  state.shares[0].processor.store(current_processor(), std::memory_order_relaxed);
  state.region.fetch_add(1);
  state.region.notify_all();
  state.run_tasks(0);
  state.wait_for_all();
  own_pool = outer;
}

}  // namespace bittern
