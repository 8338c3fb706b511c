// Every task exactly once, in contiguous runs per worker, whatever the counts; default float mode
// in every worker and the caller's own mode restored. Run under ThreadSanitizer by preset tsan.

#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <bit>
#include <limits>

#include "base/float_mode.h"
#include "throws.h"

namespace bittern {
namespace {

TEST(ThreadPool, EveryTaskOnceAndInContiguousRuns) {
  for (int threads = 1; threads <= 5; ++threads) {
    ThreadPool pool(threads);
    ASSERT_EQ(pool.thread_count(), threads);
    for (const int64_t count : {0, 1, 2, 3, 4, 5, 6, 7, 31, 64, 97}) {
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
        if (i > 0) {
          ASSERT_GE(worker_of[i], worker_of[i - 1]) << "static, contiguous split";
        }
      }
      if (count >= threads) {
        ASSERT_EQ(worker_of.back(), threads - 1) << "every worker has a share";
      }
    }
  }
}

TEST(ThreadPool, ManyShortRegionsFollowEachOther) {
  ThreadPool pool(3);
  std::vector<int64_t> sums(3, 0);
  for (int64_t region = 0; region < 20000; ++region)
    pool.run(3, [&](int64_t task, int) { sums[static_cast<size_t>(task)] += region; });
  for (const int64_t sum : sums) EXPECT_EQ(sum, 20000 * 19999 / 2);
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
    pool.run(3,
             [&](int64_t task, int) { results[static_cast<size_t>(task)] = half_of_smallest(); });
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
