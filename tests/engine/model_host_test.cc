#include "engine/model_host.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "engine/fake_model.h"
#include "throws.h"

namespace bittern::engine {
namespace {

constexpr StepLimits kLimits = {
    .vocab_size = 30, .context = 200, .page_count = 10, .max_rows = 16, .max_logit_rows = 8};

// Models a, b, c ... of 10 bytes each; "huge" of 1000; nothing else.
class FakeLoader final : public ModelLoader {
 public:
  int64_t bytes(const std::string& name) override {
    if (name == "huge") return 1000;
    if (name.size() != 1) bad_input("no model {}", name);
    return 10;
  }
  LoadedModel load(const std::string& name) override {
    ++loads;
    if (name == "x") bad_input("x.gguf: damaged");
    if (on_load) on_load();
    ++alive;
    return {.owner = std::shared_ptr<void>(nullptr, [this](void*) { --alive; }),
            .model = std::make_unique<FakeModel>(kLimits),
            .tokenizer = nullptr};
  }
  std::atomic<int> loads = 0, alive = 0;
  std::function<void()> on_load;
};

class ModelHostTest : public testing::Test {
 protected:
  FakeLoader loader_;
  std::atomic<double> now_ = 0.0;
  HostOptions options_ = {.memory_bytes = 25,
                          .keep_alive = 60.0,
                          .wait_seconds = 0.0,
                          .engine = {.max_sequences = 4, .clock = [this] { return now_.load(); }}};

  static Request request() {
    Request request;
    request.prompt = {1, 2, 3};
    request.max_tokens = 5;
    return request;
  }
};

TEST_F(ModelHostTest, LoadsOnceAndKeeps) {
  ModelHost host(loader_, options_);
  const auto first = host.acquire("a");
  EXPECT_EQ(host.acquire("a"), first);
  EXPECT_EQ(loader_.loads, 1);
  EXPECT_EQ(host.loaded().size(), 1u);
}

TEST_F(ModelHostTest, TheOneLongestUnusedMakesRoom) {
  ModelHost host(loader_, options_);
  (void)host.acquire("a");
  now_ = 1.0;
  (void)host.acquire("b");
  now_ = 2.0;
  (void)host.acquire("a");
  (void)host.acquire("c");
  const auto loaded = host.loaded();
  ASSERT_EQ(loaded.size(), 2u);
  EXPECT_EQ(loaded[0].name, "a");
  EXPECT_EQ(loaded[1].name, "c");
  EXPECT_EQ(loader_.alive, 2);
}

TEST_F(ModelHostTest, WhatIsInUseStays) {
  ModelHost host(loader_, options_);
  const auto held = host.acquire("a");
  std::optional<Ending> ending;
  host.acquire("b")->engine().submit(request(), [&](Delta delta) { ending = delta.ending; });
  EXPECT_EQ(test::message_of([&] { (void)host.acquire("c"); }),
            "model c: no room beside the models in use");
  EXPECT_FALSE(host.unload("a"));
  EXPECT_FALSE(host.unload("b"));
  while (host.step()) {
  }
  EXPECT_TRUE(ending);
  (void)host.acquire("c");
  EXPECT_TRUE(host.unload("c"));
  EXPECT_TRUE(host.unload("never loaded"));
}

TEST_F(ModelHostTest, KeepAliveRunsFromTheEndOfTheLastUse) {
  ModelHost host(loader_, options_);
  (void)host.acquire("a");
  (void)host.acquire("b", -1.0);
  auto held = host.acquire("a");
  now_ = 100.0;
  host.step();
  EXPECT_EQ(host.loaded().size(), 2u);
  held.reset();
  now_ = 159.0;
  host.step();
  EXPECT_EQ(host.loaded().size(), 2u);
  now_ = 160.0;
  host.step();
  ASSERT_EQ(host.loaded().size(), 1u);
  EXPECT_EQ(host.loaded()[0].name, "b");
  EXPECT_EQ(host.loaded()[0].expires_in, -1.0);
  (void)host.acquire("b", 0.0);
  host.step();
  EXPECT_TRUE(host.loaded().empty());
  EXPECT_EQ(loader_.alive, 0);
}

TEST_F(ModelHostTest, WhatCannotBeLoadedLeavesNothing) {
  ModelHost host(loader_, options_);
  EXPECT_EQ(test::message_of([&] { (void)host.acquire("nobody"); }), "no model nobody");
  EXPECT_EQ(test::message_of([&] { (void)host.acquire("x"); }), "x.gguf: damaged");
  EXPECT_EQ(test::message_of([&] { (void)host.acquire("huge"); }),
            "model huge: 1000 bytes needed, 25 are for models");
  (void)host.acquire("a");
  (void)host.acquire("b");
  EXPECT_EQ(host.loaded().size(), 2u);
}

TEST_F(ModelHostTest, WhileOneLoadsOthersRunAndWhoWantsTheSameWaits) {
  ModelHost host(loader_, options_);
  const auto running = host.acquire("a");
  std::atomic<bool> loading = false, go_on = false;
  loader_.on_load = [&] {
    loading = true;
    while (!go_on) std::this_thread::yield();
  };
  std::shared_ptr<HostedModel> one, two;
  std::thread first([&] { one = host.acquire("b"); });
  std::thread second([&] { two = host.acquire("b"); });
  while (!loading) std::this_thread::yield();
  std::optional<Ending> ending;
  running->engine().submit(request(), [&](Delta delta) { ending = delta.ending; });
  while (host.step()) {
  }
  EXPECT_TRUE(ending);
  go_on = true;
  first.join();
  second.join();
  EXPECT_EQ(one, two);
  EXPECT_EQ(loader_.loads, 2);
}

// Models in turn, a step each: every request ends as it does alone.
TEST_F(ModelHostTest, InterleavedRequestsStayExact) {
  ModelHost host(loader_, options_);
  std::thread steps([&] { host.run(); });
  std::map<std::string, std::vector<int32_t>> heard;
  std::atomic<int> ended = 0;
  const auto a = host.acquire("a"), b = host.acquire("b");
  for (const auto& model : {a, b}) {
    model->engine().submit(request(), [&, name = model->name()](Delta delta) {
      heard[name].insert(heard[name].end(), delta.tokens.begin(), delta.tokens.end());
      ended += delta.ending.has_value();
    });
  }
  while (ended < 2) std::this_thread::yield();
  host.stop();
  steps.join();
  EXPECT_EQ(heard["a"].size(), 5u);
  EXPECT_EQ(heard["a"], heard["b"]);
}

}  // namespace
}  // namespace bittern::engine
