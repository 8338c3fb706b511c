// Every task exactly once, whatever the counts and however the threads wait; who has nothing left
// helps; default float mode in every worker and the caller's own mode restored. Run under
// ThreadSanitizer by preset tsan.

#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <bit>
#include <functional>
#include <limits>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/float_mode.h"
#include "throws.h"

namespace bittern {
namespace {

constexpr Waiting kWaitings[] = {Waiting::spin, Waiting::sleep};

// Waits for another thread; false where it does not come in a time that only a hang takes.
bool wait_until(const std::function<bool()>& holds) {
  const double end = monotonic_seconds() + 60.0;
  while (!holds()) {
    if (monotonic_seconds() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(ThreadPool, EveryTaskOnce) {
  for (const Waiting waiting : kWaitings) {
    for (int threads = 1; threads <= 5; ++threads) {
      ThreadPool pool(threads, waiting);
      ASSERT_EQ(pool.thread_count(), threads);
      for (const int64_t count : {0, 1, 2, 3, 4, 5, 6, 7, 31, 64, 97, 1000}) {
        std::vector<int> runs(static_cast<size_t>(count), 0);
        std::vector<int> worker_of(static_cast<size_t>(count), -1);
        // Plain ints on purpose: a task run twice, or a region that ends early, is a data race
        // that ThreadSanitizer names.
        pool.run(count, [&](int64_t task, int worker) {
          runs[static_cast<size_t>(task)] += 1;
          worker_of[static_cast<size_t>(task)] = worker;
        });
        for (size_t i = 0; i < runs.size(); ++i) {
          ASSERT_EQ(runs[i], 1) << threads << " threads, task " << i << " of " << count;
          ASSERT_GE(worker_of[i], 0);
          ASSERT_LT(worker_of[i], threads);
        }
      }
    }
  }
}

// As many tasks as threads, each of which waits for all: every worker comes and takes one.
TEST(ThreadPool, EveryWorkerTakesPart) {
  for (const Waiting waiting : kWaitings) {
    ThreadPool pool(4, waiting);
    for (int region = 0; region < 50; ++region) {
      std::atomic<int> inside{0};
      std::vector<int> seen(4, 0);  // by worker: one at a time, so no atomic
      pool.run(4, [&](int64_t, int worker) {
        ++seen[static_cast<size_t>(worker)];
        ++inside;
        EXPECT_TRUE(wait_until([&] { return inside.load() == 4; }));
      });
      ASSERT_EQ(seen, std::vector<int>(4, 1)) << "region " << region;
    }
  }
}

// The first task ends when the last of its share and the last of the other's are done, and the
// other share's first one when the first task has begun: so each worker begins with its own, and
// only the one that is done can do the rest of the other's.
TEST(ThreadPool, AWorkerThatIsDoneHelps) {
  constexpr int64_t kTasks = 100;
  for (const Waiting waiting : kWaitings) {
    ThreadPool pool(2, waiting);
    std::vector<std::atomic<int>> begun(kTasks), done(kTasks);
    std::vector<int> worker_of(kTasks, -1);
    pool.run(kTasks, [&](int64_t task, int worker) {
      worker_of[static_cast<size_t>(task)] = worker;
      ++begun[static_cast<size_t>(task)];
      if (task == kTasks / 2) {
        EXPECT_TRUE(wait_until([&] { return begun[0] == 1; }));
      }
      if (task == 0) {
        EXPECT_TRUE(wait_until([&] { return done[kTasks / 2 - 1] == 1 && done[kTasks - 1] == 1; }))
            << "nobody helped";
      }
      ++done[static_cast<size_t>(task)];
    });
    EXPECT_NE(worker_of[0], worker_of[kTasks / 2 - 1]);
    EXPECT_NE(worker_of[0], worker_of[kTasks - 1]);
  }
}

TEST(ThreadPool, ManyShortRegionsFollowEachOther) {
  for (const Waiting waiting : kWaitings) {
    ThreadPool pool(3, waiting);
    std::vector<int64_t> sums(7, 0);
    for (int64_t region = 0; region < 20000; ++region)
      pool.run(7, [&](int64_t task, int) { sums[static_cast<size_t>(task)] += region; });
    for (const int64_t sum : sums) EXPECT_EQ(sum, 20000 * 19999 / 2);
  }
}

TEST(ThreadPool, SpinsOnlyWhereEveryThreadHasAProcessor) {
  EXPECT_EQ(waiting_for(2, 2, std::nullopt), Waiting::spin);
  EXPECT_EQ(waiting_for(2, 8, 2.0), Waiting::spin);
  EXPECT_EQ(waiting_for(3, 2, std::nullopt), Waiting::sleep);
  EXPECT_EQ(waiting_for(2, 8, 1.5), Waiting::sleep);
}

TEST(ThreadPool, MorePoolsThanOneAndPoolsThatNeverRun) {
  ThreadPool first(2);
  ThreadPool idle(4);
  ThreadPool second(3);
  std::atomic<int> total{0};
  first.run(10, [&](int64_t, int) { second.run(1, [&](int64_t, int) { ++total; }); });
  second.run(10, [&](int64_t, int) { ++total; });
  EXPECT_EQ(total.load(), 20);
}

TEST(ThreadPool, CallersOnSeveralThreadsTakeTurns) {
  ThreadPool pool(3);
  constexpr int64_t kRegions = 2000, kTasks = 7;
  const auto regions_of = [&](std::vector<int64_t>& sums) {
    for (int64_t region = 0; region < kRegions; ++region)
      pool.run(kTasks, [&](int64_t task, int) { sums[static_cast<size_t>(task)] += region; });
  };
  std::vector<int64_t> mine(kTasks), others(kTasks);
  std::thread other([&] { regions_of(others); });
  regions_of(mine);
  other.join();
  for (const auto& sums : {mine, others})
    for (const int64_t sum : sums) EXPECT_EQ(sum, kRegions * (kRegions - 1) / 2);
}

TEST(ThreadPool, ARegionInsideARegionIsABug) {
  ThreadPool pool(2);
  std::string message;
  pool.run(2, [&](int64_t task, int) {
    if (task == 0) message = test::message_of([&] { pool.run(2, [](int64_t, int) {}); });
  });
  EXPECT_NE(message.find("a region was started inside another one"), std::string::npos) << message;
}

TEST(ThreadPool, NeedsAThread) {
  EXPECT_EQ(test::thrown_by([] { ThreadPool pool(0); })->kind, ErrorKind::internal);
}

#if defined(__x86_64__)

constexpr uint32_t kFlushDenormals = 0x8040;  // FTZ and DAZ

// Half the smallest normal number: a denormal, or zero where denormals are flushed.
// As bits: under the flushing mode the comparison itself would take a denormal for zero.
uint32_t half_of_smallest() {
  volatile float smallest = std::numeric_limits<float>::min();
  return std::bit_cast<uint32_t>(smallest * 0.5f);
}

TEST(ThreadPool, WorkersKeepDenormalsWhateverTheCallerSet) {
  const uint32_t former = _mm_getcsr();
  _mm_setcsr(former | kFlushDenormals);
  const bool flushed_before = half_of_smallest() == 0;
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);  // threads inherit the mode of their maker
    std::vector<uint32_t> results(3, 0);
    std::atomic<int> inside{0};
    pool.run(3, [&](int64_t task, int) {
      ++inside;  // every worker takes one
      EXPECT_TRUE(threads == 1 || wait_until([&] { return inside.load() == 3; }));
      results[static_cast<size_t>(task)] = half_of_smallest();
    });
    for (const uint32_t result : results) EXPECT_EQ(result, 0x00400000u) << threads << " threads";
  }
  const uint32_t after = _mm_getcsr();
  _mm_setcsr(former);
  EXPECT_TRUE(flushed_before);
  EXPECT_EQ(after & kFlushDenormals, kFlushDenormals) << "the caller's mode is given back";
}

#endif

}  // namespace
}  // namespace bittern
