// Adapters of requests in one engine: each text as it is alone, whatever adapters its neighbours
// have; prefixes shared among the same adapters only; the registry by name.
#include "engine/adapters.h"

#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "backend/cpu/cpu_backend.h"
#include "base/random.h"
#include "engine/allocation_count.h"
#include "engine/engine.h"
#include "engine/repeat_drafter.h"
#include "engine/sequence_runner.h"
#include "kernel/select.h"
#include "throws.h"

namespace bittern::engine {
namespace {

using Chosen = std::vector<std::pair<std::string, float>>;

std::filesystem::path adapter_path(const std::string& name) {
  return std::filesystem::path(BITTERN_TEST_DATA) / "adapters" / name;
}

// The tiny llama, with room for several pages.
format::Checkpoint long_llama() {
  const std::filesystem::path folder = std::filesystem::path(BITTERN_TEST_DATA) / "models/llama";
  format::Checkpoint checkpoint = format::open_checkpoint(folder);
  const std::filesystem::path config = folder / "config.dynamic.json";
  checkpoint.config = json::Document::parse(read_text_file(config, 1 << 20), config.string());
  return checkpoint;
}

struct Loaded {
  explicit Loaded(int threads = 2) : pool(threads) {
    backend::CpuOptions options;
    options.inline_work = 0;
    backend = backend::make_cpu_backend(pool, kernel::select(Log(Log::Level::quiet)), options);
    model::LoadOptions load;
    load.plan.context = 256;
    model = model::Model::load(long_llama(), *backend, load);
    adapters = std::make_unique<Adapters>(*model, *backend);
    adapters->load("patterns", adapter_path("llama_patterns"));
    adapters->load("plain", adapter_path("llama_plain/adapter.gguf"));
  }

  ThreadPool pool;
  std::unique_ptr<backend::Backend> backend;
  std::unique_ptr<model::Model> model;
  std::unique_ptr<Adapters> adapters;
};

struct Heard {
  std::vector<int32_t> tokens;
  std::vector<float> log_probabilities;
  Usage usage;
  bool operator==(const Heard& other) const {
    return tokens == other.tokens && log_probabilities == other.log_probabilities;
  }
};

Sink listen(Heard& heard) {
  return [&heard](Delta delta) {
    heard.tokens.insert(heard.tokens.end(), delta.tokens.begin(), delta.tokens.end());
    for (const LogProbabilities& values : delta.log_probabilities)
      heard.log_probabilities.push_back(static_cast<float>(values.chosen.value));
    if (delta.ending) heard.usage = delta.ending->usage;
  };
}

// Who asks for what: nothing, either adapter, one of them weakly, both in either order.
const std::vector<Chosen> kUsers = {{},
                                    {{"patterns", 1.0f}},
                                    {{"plain", 1.0f}},
                                    {{"plain", -0.25f}},
                                    {{"patterns", 1.0f}, {"plain", 0.5f}},
                                    {{"plain", 0.5f}, {"patterns", 1.0f}},
                                    {{"patterns", 1.0f}},
                                    {}};

Request request_of(const Loaded& loaded, size_t user) {
  random::Sequence draw(user % 3);
  Request request;
  for (int64_t place = 0; place < 70 + 20 * static_cast<int64_t>(user % 3); ++place)
    request.prompt.push_back(static_cast<int32_t>(draw.below(90)));
  request.max_tokens = 12;
  request.sampling.seed = user;
  request.sampling.temperature = user % 2 == 0 ? 0.0 : 1.0;
  request.top_log_probability_count = 0;
  request.adapters = loaded.adapters->choose(kUsers[user]);
  return request;
}

struct Way {
  backend::KvType type;
  int threads = 2;
  int64_t rows = 32, pages = 40;
  bool guesses = false;
  bool without = false;  // the same requests, no adapters
};

std::vector<Heard> run(const Way& way, const std::vector<size_t>& users) {
  Loaded loaded(way.threads);
  const auto model = make_step_model(
      *loaded.model, *loaded.backend, loaded.pool,
      {.kv_type = way.type, .page_count = way.pages, .max_rows = way.rows, .max_logit_rows = 16});
  EngineOptions options = {.max_sequences = 8};
  if (way.guesses) options.make_drafter = repeat_drafters();
  Engine engine(*model, nullptr, std::move(options));
  std::vector<Heard> heard(users.size());
  for (size_t i = 0; i < users.size(); ++i) {
    Request request = request_of(loaded, users[i]);
    if (way.without) request.adapters = nullptr;
    engine.submit(std::move(request), listen(heard[i]));
  }
  while (engine.step()) engine.check();
  return heard;
}

class AdaptersInOneEngine : public testing::TestWithParam<backend::KvType> {};

TEST_P(AdaptersInOneEngine, ATextIsWhatItIsAlone) {
  std::vector<Heard> alone;
  std::vector<size_t> all;
  for (size_t user = 0; user < kUsers.size(); ++user) {
    alone.push_back(run({.type = GetParam(), .threads = 1, .rows = 256}, {user}).front());
    all.push_back(user);
  }
  const auto without = run({.type = GetParam(), .without = true}, all);
  for (size_t user = 0; user < all.size(); ++user)
    EXPECT_EQ(without[user] == alone[user], kUsers[user].empty()) << user;
  random::Sequence draw(11);
  for (const int threads : {1, 2, 3}) {
    for (const bool guesses : {false, true}) {
      const int64_t rows = 8 + static_cast<int64_t>(draw.below(60));
      // With 9 pages some have to wait, and give up their pages for others.
      const int64_t pages = guesses ? 9 : 40;
      SCOPED_TRACE(fmt::format("{} threads, {} rows, {} pages", threads, rows, pages));
      const auto together = run({GetParam(), threads, rows, pages, guesses}, all);
      for (size_t user = 0; user < all.size(); ++user)
        EXPECT_TRUE(together[user] == alone[user]) << "user " << user;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kv, AdaptersInOneEngine,
                         testing::Values(backend::KvType::f16, backend::KvType::int8),
                         [](const auto& type) {
                           return type.param == backend::KvType::f16 ? "f16" : "int8";
                         });

TEST(AdaptersAndPrefixes, AreSharedAmongTheSameOnly) {
  Loaded loaded;
  const auto model = make_step_model(*loaded.model, *loaded.backend, loaded.pool,
                                     {.page_count = 60, .max_rows = 64, .max_logit_rows = 8});
  Engine engine(*model, nullptr, {.max_sequences = 4});
  const auto cached = [&](const Chosen& chosen) {
    Request request = request_of(loaded, 2);  // one prompt for all
    request.adapters = loaded.adapters->choose(chosen);
    Heard heard;
    engine.submit(request, listen(heard));
    while (engine.step()) engine.check();
    return heard.usage.cached_tokens;
  };
  std::vector<Chosen> known;
  for (const Chosen& user : kUsers) {
    const bool is_known = std::ranges::find(known, user) != known.end();
    EXPECT_EQ(cached(user), is_known ? backend::kPageTokens : 0) << known.size();
    known.push_back(user);
  }
  EXPECT_EQ(cached({{"patterns", 0.0f}}), backend::kPageTokens) << "nothing is added";
  // The same file under another name is the same.
  loaded.adapters->load("again", adapter_path("llama_patterns"));
  EXPECT_EQ(cached({{"again", 1.0f}}), backend::kPageTokens);
}

TEST(AdaptersOfRequests, ThoseOfAnotherModelAreRefused) {
  Loaded loaded, other;
  const auto model = make_step_model(*loaded.model, *loaded.backend, loaded.pool,
                                     {.page_count = 8, .max_rows = 8, .max_logit_rows = 8});
  Engine engine(*model, nullptr, {.max_sequences = 4});
  Request request = request_of(other, 1);
  EXPECT_EQ(test::message_of([&] { engine.submit(request, [](Delta) {}); }),
            "adapters: expected those of this model, got another's");
}

TEST(AdaptersOfRequests, LiveUntilTheLastThatUsesThemHasEnded) {
  Loaded loaded;
  const auto model = make_step_model(*loaded.model, *loaded.backend, loaded.pool,
                                     {.page_count = 8, .max_rows = 16, .max_logit_rows = 8});
  Engine engine(*model, nullptr, {.max_sequences = 4});
  Heard heard;
  Request request = request_of(loaded, 1);
  const std::weak_ptr<const model::AdapterSet> held = request.adapters;
  engine.submit(std::move(request), listen(heard));
  ASSERT_TRUE(engine.step());
  loaded.adapters->unload("patterns");
  while (engine.step()) EXPECT_FALSE(held.expired() && engine.has_work());
  EXPECT_TRUE(held.expired());
  EXPECT_TRUE(heard == run({.type = backend::KvType::f16}, {1}).front());
}

TEST(AdaptersOfRequests, TakeNoMemoryInDecoding) {
  if (!test::allocations_are_counted()) GTEST_SKIP() << "ThreadSanitizer replaces operator new";
  Loaded loaded;
  const auto set = loaded.adapters->choose(kUsers[4]);
  SequenceRunner runner(*loaded.model, *loaded.backend,
                        {.context = 64, .max_rows = 8, .adapters = set.get()});
  const std::vector<int32_t> prompt = {5, 17, 2};
  runner.step(prompt, 1);
  const int64_t before = test::allocation_count();
  for (int32_t token = 0; token < 20; ++token) runner.step({&token, 1}, 1);
  EXPECT_EQ(test::allocation_count(), before);
}

// --- The registry -------------------------------------------------------------------------------

TEST(AdaptersByName, AreListed) {
  Loaded loaded;
  const std::vector<AdapterFacts> facts = loaded.adapters->list();
  ASSERT_EQ(facts.size(), 2u);
  EXPECT_EQ(facts[0].name, "patterns");
  EXPECT_EQ(facts[0].path, adapter_path("llama_patterns"));
  EXPECT_EQ(facts[0].base_model, "tests/data/models/llama");
  EXPECT_EQ(facts[0].rank, 6);
  EXPECT_EQ(facts[0].layer_count, 14);
  EXPECT_GT(facts[0].resident_bytes, 0);
  EXPECT_EQ(facts[1].name, "plain");
  EXPECT_EQ(facts[1].rank, 5);
  EXPECT_EQ(facts[1].layer_count, 10);
  loaded.adapters->unload("patterns");
  EXPECT_EQ(loaded.adapters->list().size(), 1u);
  EXPECT_FALSE(loaded.adapters->has("patterns"));
  EXPECT_TRUE(loaded.adapters->has("plain"));
}

TEST(AdaptersByName, RefusesTakenAndUnknownNames) {
  Loaded loaded;
  Adapters& adapters = *loaded.adapters;
  const auto message = [](const auto& body) { return test::message_of(body); };
  EXPECT_EQ(message([&] { adapters.load("plain", adapter_path("llama_patterns")); }),
            "adapter 'plain': loaded already");
  EXPECT_EQ(message([&] { adapters.load("", adapter_path("llama_patterns")); }),
            "adapter: a name expected, got none");
  EXPECT_EQ(message([&] { adapters.unload("none"); }), "adapter 'none': not loaded");
  EXPECT_EQ(message([&] {
              (void)adapters.choose(Chosen{{"none", 1.0f}});
            }),
            "adapter 'none': not loaded");
  // A name whose file cannot be loaded is free again.
  EXPECT_EQ(test::thrown_by([&] { adapters.load("new", adapter_path("nothing")); })->kind,
            ErrorKind::bad_input);
  EXPECT_FALSE(adapters.has("new"));
  adapters.load("new", adapter_path("llama_plain"));
  EXPECT_TRUE(adapters.has("new"));
  EXPECT_EQ(adapters.choose({}), nullptr);
}

// While the engine steps.
TEST(AdaptersByName, ComeAndGoBesideSteps) {
  Loaded loaded;
  const auto model = make_step_model(*loaded.model, *loaded.backend, loaded.pool,
                                     {.page_count = 30, .max_rows = 32, .max_logit_rows = 8});
  Engine engine(*model, nullptr, {.max_sequences = 8});
  std::vector<Heard> heard(3 * kUsers.size());
  for (size_t i = 0; i < heard.size(); ++i)
    engine.submit(request_of(loaded, i % kUsers.size()), listen(heard[i]));
  std::thread others([&] {
    for (int turn = 0; turn < 20; ++turn) {
      loaded.adapters->load("passing", adapter_path("llama_plain"));
      loaded.adapters->unload("passing");
    }
  });
  while (engine.step()) {
  }
  others.join();
  for (size_t i = kUsers.size(); i < heard.size(); ++i)
    EXPECT_TRUE(heard[i] == heard[i % kUsers.size()]) << i;
}

}  // namespace
}  // namespace bittern::engine
