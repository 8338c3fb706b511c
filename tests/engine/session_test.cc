// A session of the example model, and a host of real ones on shared threads.
#include "engine/session.h"

#include <gtest/gtest.h>

#include <thread>

#include "engine/session_loader.h"
#include "format/checkpoint.h"
#include "model/bind.h"
#include "throws.h"

namespace bittern::engine {
namespace {

const std::string kExample = std::string(BITTERN_SOURCE) + "/models/bittern-stories.gguf";
const Log kQuiet(Log::Level::quiet);

format::Checkpoint open(const std::string& name) { return format::open_checkpoint(name); }

std::string text_of(Engine& engine, const text::Tokenizer& tokenizer, uint64_t seed,
                    const std::function<bool()>& step) {
  Request request;
  request.prompt = tokenizer.encode("Once upon a time", {});
  request.sampling.seed = seed;
  request.max_tokens = 60;
  std::string text;
  bool ended = false;
  engine.submit(std::move(request), [&](const Delta& delta) {
    text += delta.text;
    ended = delta.ending.has_value();
  });
  while (!ended) step();
  return text;
}

TEST(Session, ContextIsTheModelsOrWhatWasAskedFor) {
  EXPECT_EQ(load_session(open(kExample), {.threads = 1}, kQuiet).options.context, 512);
  const Session session = load_session(open(kExample), {.context = 100, .sequences = 3}, kQuiet);
  EXPECT_EQ(session.options.context, 100);
  EXPECT_EQ(session.positions, 300);
  EXPECT_EQ(session.make_step_model(1000)->limits().page_count, 5);
  EXPECT_EQ(session.make_step_model(64)->limits().page_count, 1);
  const auto refused =
      test::thrown_by([] { load_session(open(kExample), {.context = 513}, kQuiet); });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::usage);
}

TEST(Session, MorePositionsThanMemoryIsLeftFor) {
  // Far more than any machine has: cut, but never below one context.
  const Session session =
      load_session(open(kExample), {.context = 512, .sequences = int64_t{1} << 20}, kQuiet);
  EXPECT_GE(session.positions, 512);
  EXPECT_LT(session.positions, int64_t{512} << 20);
}

TEST(Session, AnEncoderIsRefusedWhereLogitsAreWanted) {
  const auto refused = test::thrown_by(
      [] { load_session(open(std::string(BITTERN_TEST_DATA) + "/models/bert"), {}, kQuiet); });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::unsupported);
}

TEST(Session, ACoarseHeadIsRefusedWhereThereIsNone) {
  const auto refused = test::thrown_by([] {
    load_session(open(kExample), {.cut_logits = true, .head = backend::HeadPlane::always}, kQuiet);
  });
  ASSERT_TRUE(refused);
  EXPECT_NE(refused->message.find("coarse head: expected an output layer"), std::string::npos);
}

TEST(SessionLoader, ModelsShareThreadsAndNothingElse) {
  SessionLoader loader(open, {.context = 128, .threads = 2}, kQuiet);
  EXPECT_GT(loader.bytes(kExample), 1 << 20);
  EXPECT_TRUE(test::thrown_by([&] { loader.load("nowhere.gguf"); }));
  std::vector<std::string> alone;
  {
    const Session session = load_session(open(kExample), {.context = 128, .threads = 1}, kQuiet);
    const auto model = session.make_step_model(session.positions);
    Engine engine(*model, &session.tokenizer(), {});
    for (const uint64_t seed : {1, 2})
      alone.push_back(text_of(engine, session.tokenizer(), seed, [&] { return engine.step(); }));
  }
  ModelHost host(loader, {.memory_bytes = int64_t{1} << 30, .engine = {}});
  const auto first = host.acquire(kExample);
  // A second one is loaded, on another thread, while the first runs.
  const std::string link = std::string(BITTERN_SOURCE) + "/models/./bittern-stories.gguf";
  std::shared_ptr<HostedModel> second;
  std::thread loading([&] { second = host.acquire(link); });
  EXPECT_EQ(text_of(first->engine(), *first->tokenizer(), 1, [&] { return host.step(); }),
            alone[0]);
  loading.join();
  EXPECT_EQ(text_of(second->engine(), *second->tokenizer(), 2, [&] { return host.step(); }),
            alone[1]);
}

}  // namespace
}  // namespace bittern::engine
