// The thread behind a model: steps and calls in turn, what is thrown goes to whoever asked, and an
// engine that breaks tells its requests.
#include "api/engine_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <stdexcept>
#include <vector>

#include "api/outbox.h"
#include "base/float_mode.h"
#include "engine/fake_model.h"
#include "throws.h"

namespace bittern::api {
namespace {

engine::StepLimits limits() {
  return {
      .vocab_size = 50, .context = 4096, .page_count = 200, .max_rows = 32, .max_logit_rows = 16};
}

engine::Request request(int64_t tokens) {
  engine::Request made;
  made.prompt = {1, 2, 3};
  made.max_tokens = tokens;
  return made;
}

// A fake model, its engine and the thread that runs it.
struct Running {
  explicit Running(std::function<void(std::span<const model::BatchRow>)> observe = {}) {
    model.observe = std::move(observe);
    thread.start(&engine);
  }
  ~Running() { thread.stop(); }

  std::shared_ptr<Outbox> submit(int64_t tokens) {
    auto outbox = std::make_shared<Outbox>(1);
    outboxes.push_back(outbox);
    last_id =
        engine.submit(request(tokens), [outbox](engine::Delta delta) { outbox->push(delta); });
    return outbox;
  }

  engine::FakeModel model{limits()};
  std::vector<std::shared_ptr<Outbox>> outboxes;
  EngineThread thread{[this](const std::string& message) {
    for (const auto& outbox : outboxes) outbox->fail(message);
  }};
  engine::Engine engine{model, nullptr, {.wake = [this] { thread.wake(); }}};
  int64_t last_id = 0;
};

int64_t token_count(Outbox& outbox) {
  int64_t count = 0;
  while (auto delta = outbox.take(-1)) count += std::ssize(delta->tokens);
  return count;
}

TEST(EngineThread, RunsWhatIsSubmitted) {
  Running running;
  for (int64_t tokens = 1; tokens < 20; ++tokens)
    EXPECT_EQ(token_count(*running.submit(tokens)), tokens);
}

TEST(EngineThread, CallsComeBetweenStepsAndGiveBackWhatTheyThrow) {
  std::atomic<bool> in_step = false;
  Running running([&](std::span<const model::BatchRow>) {
    in_step = true;
    std::this_thread::yield();
    in_step = false;
  });
  const auto outbox = running.submit(3000);
  for (int i = 0; i < 100; ++i) {
    bool seen = true;
    running.thread.run([&] { seen = in_step; });
    EXPECT_FALSE(seen);
  }
  const auto thrown =
      test::thrown_by([&] { running.thread.run([] { fail(ErrorKind::resources, "none left"); }); });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->message, "none left");
  EXPECT_THROW(running.thread.run([] { throw std::out_of_range("x"); }), std::out_of_range);
  EXPECT_EQ(token_count(*outbox), 3000);
}

TEST(EngineThread, AnEngineThatBreaksTellsItsRequestsAndCallsGoOn) {
  int64_t rows_seen = 0;
  Running running([&](std::span<const model::BatchRow> rows) {
    rows_seen += std::ssize(rows);
    if (rows_seen > 10) throw std::logic_error("broken");
  });
  const auto outbox = running.submit(1000);
  int64_t pieces = 0;
  const auto thrown = test::thrown_by([&] {
    while (outbox->take(-1)) ++pieces;
  });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::internal);
  EXPECT_EQ(thrown->message, "broken");
  EXPECT_GT(pieces, 3);  // what came before is delivered
  EXPECT_TRUE(outbox->has_ended());
  bool called = false;
  running.thread.run([&] { called = true; });
  EXPECT_TRUE(called);
}

TEST(EngineThread, StopEndsWhatWasCancelledAndRefusesCalls) {
  Running running;
  const auto outbox = running.submit(4000);
  ASSERT_TRUE(outbox->take(-1));
  running.engine.cancel(running.last_id);
  running.thread.stop();
  std::optional<engine::Delta> last;
  while (auto delta = outbox->take(-1)) last = std::move(delta);
  ASSERT_TRUE(last && last->ending);
  EXPECT_EQ(last->ending->reason, engine::FinishReason::interrupted);
  EXPECT_TRUE(outbox->is_over());
  EXPECT_EQ(test::message_of([&] { running.thread.run([] {}); }), "model: it was freed");
  running.thread.stop();
}

#if defined(__x86_64__)
TEST(EngineThread, ComputesInTheDefaultFloatModeWhateverTheCallersIs) {
  constexpr unsigned kFlushToZero = 0x8000;
  const DefaultFloatMode restored;
  _mm_setcsr(_mm_getcsr() | kFlushToZero);
  Running running;
  volatile float small = std::numeric_limits<float>::min();
  float half = 0;
  running.thread.run([&] { half = small / 2; });
  EXPECT_GT(half, 0.0f);
  EXPECT_NE(_mm_getcsr() & kFlushToZero, 0u);
}
#endif

TEST(Outbox, WaitsAndForgets) {
  Outbox outbox(2);
  EXPECT_FALSE(outbox.take(0));
  EXPECT_FALSE(outbox.take(1));
  EXPECT_FALSE(outbox.is_over());
  outbox.push({.choice = 1, .text = "a"});
  outbox.push({.choice = 1, .ending = engine::Ending{}});
  EXPECT_EQ(outbox.take(std::numeric_limits<int64_t>::max())->text, "a");
  EXPECT_FALSE(outbox.has_ended());
  outbox.push({.choice = 0, .ending = engine::Ending{}});
  EXPECT_TRUE(outbox.has_ended());
  EXPECT_FALSE(outbox.is_over());
  EXPECT_TRUE(outbox.take(-1));
  EXPECT_TRUE(outbox.take(-1));
  EXPECT_TRUE(outbox.is_over());
  EXPECT_FALSE(outbox.take(-1));
  outbox.fail("too late");
  EXPECT_FALSE(outbox.take(-1));

  Outbox abandoned(1);
  abandoned.abandon();
  abandoned.push({.text = "unheard"});
  EXPECT_FALSE(abandoned.take(0));
  EXPECT_TRUE(abandoned.has_ended());
}

}  // namespace
}  // namespace bittern::api
