// The engine's answers on the example model: as a plain loop gives them one by one, whatever runs
// beside; and its manners: stops, cancels, full queues, bad requests.
#include "engine/engine.h"

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <thread>

#include "backend/cpu/cpu_backend.h"
#include "engine/fake_model.h"
#include "engine/fake_tokenizer.h"
#include "engine/plain_generation.h"
#include "engine/repeat_drafter.h"
#include "engine/sequence_runner.h"
#include "kernel/select.h"
#include "throws.h"

namespace bittern::engine {
namespace {

struct Heard {
  std::vector<int32_t> tokens;
  std::string text;
  std::vector<LogProbabilities> log_probabilities, prompt_log_probabilities;
  std::optional<Ending> ending;
};
using Answers = std::map<int64_t, Heard>;  // by choice

std::string refused(const std::function<void()>& body, ErrorKind kind) {
  const auto thrown = test::thrown_by(body);
  if (!thrown) return "(nothing thrown)";
  EXPECT_EQ(thrown->kind, kind);
  return thrown->message;
}

Sink listen(Answers& answers) {
  return [&answers](Delta delta) {
    Heard& heard = answers[delta.choice];
    EXPECT_FALSE(heard.ending);
    heard.text += delta.text;
    heard.tokens.insert(heard.tokens.end(), delta.tokens.begin(), delta.tokens.end());
    std::ranges::move(delta.log_probabilities, std::back_inserter(heard.log_probabilities));
    std::ranges::move(delta.prompt_log_probabilities,
                      std::back_inserter(heard.prompt_log_probabilities));
    heard.ending = std::move(delta.ending);
  };
}

void run(Engine& engine) {
  while (engine.step()) engine.check();
}

class EngineOnModel : public testing::TestWithParam<backend::KvType> {
 protected:
  EngineOnModel()
      : backend_(backend::make_cpu_backend(pool_, kernel::select(Log(Log::Level::quiet)))),
        model_(model::Model::load(
            format::open_checkpoint(BITTERN_SOURCE "/models/bittern-stories.gguf"), *backend_)) {}

  const text::Tokenizer& tokenizer() const { return *model_->tokenizer; }

  std::unique_ptr<StepModel> step_model(int64_t pages, int64_t rows = 48) {
    return make_step_model(
        *model_, *backend_, pool_,
        {.kv_type = GetParam(), .page_count = pages, .max_rows = rows, .max_logit_rows = 24});
  }

  Request request(std::string_view prompt, uint64_t seed) const {
    Request request;
    request.prompt = tokenizer().encode(prompt);
    request.max_tokens = 40;
    request.sampling.seed = seed;
    request.sampling.temperature = seed % 2 == 0 ? 0.0 : 0.9;
    return request;
  }

  PlainGeneration alone(const Request& request) {
    SequenceRunner runner(*model_, *backend_, {.context = 256, .kv_type = GetParam()});
    return generate_plainly(request, runner, tokenizer());
  }

  ThreadPool pool_{2};
  std::unique_ptr<backend::Backend> backend_;
  std::unique_ptr<model::Model> model_;
};

INSTANTIATE_TEST_SUITE_P(Kv, EngineOnModel,
                         testing::Values(backend::KvType::f16, backend::KvType::int8),
                         [](const auto& type) {
                           return type.param == backend::KvType::f16 ? "f16" : "int8";
                         });

constexpr std::string_view kLong =
    "Once upon a time there was a small bird that lived in the reeds by a lake. Every morning it "
    "called so loudly that the frogs woke up, and the frogs did not like it at all. One day the "
    "oldest of them swam to the reeds and asked the bird to sing more softly. The bird thought";

// Many at once, with far too few pages and a shared prefix: each as if it were alone.
TEST_P(EngineOnModel, WhatRunsBesideChangesNothing) {
  const auto model = step_model(9);
  Engine engine(*model, &tokenizer(), {.max_sequences = 5});
  std::vector<Request> requests;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    const auto prompt = seed % 3 == 0 ? kLong : kLong.substr(seed * 7, 30 + seed * 11);
    requests.push_back(request(prompt, seed));
    requests.back().top_log_probability_count = 2;
    requests.back().priority = seed == 7 ? 1 : 0;
    requests.back().reuse_prefix = seed != 9;
  }
  std::vector<Answers> answers(requests.size());
  for (size_t index = 0; index < requests.size(); ++index) {
    engine.submit(requests[index], listen(answers[index]));
    if (index % 2 == 0) engine.step();
  }
  run(engine);
  EXPECT_GT(engine.stats().preemptions, 0);
  EXPECT_EQ(engine.stats().used_pages, 0);
  for (size_t index = 0; index < requests.size(); ++index) {
    const PlainGeneration expected = alone(requests[index]);
    const Heard& heard = answers[index].at(0);
    EXPECT_EQ(heard.tokens, expected.tokens) << index;
    EXPECT_EQ(heard.text, expected.text);
    EXPECT_EQ(heard.ending->reason, expected.finish_reason);
    ASSERT_EQ(heard.log_probabilities.size(), expected.log_probabilities.size());
    for (size_t place = 0; place < expected.log_probabilities.size(); ++place)
      EXPECT_EQ(heard.log_probabilities[place].chosen.value,
                expected.log_probabilities[place].chosen.value);
  }
}

TEST_P(EngineOnModel, ChoicesAreTheRequestWithTheNextSeeds) {
  const auto model = step_model(40);
  Engine engine(*model, &tokenizer(), {.max_sequences = 3});
  Request many = request(kLong, 5);
  many.choices = 4;
  Answers answers;
  engine.submit(many, listen(answers));
  run(engine);
  ASSERT_EQ(answers.size(), 4u);
  for (const auto& [choice, heard] : answers) {
    Request one = many;
    one.sampling.seed += static_cast<uint64_t>(choice);
    const PlainGeneration expected = alone(one);
    EXPECT_EQ(heard.tokens, expected.tokens) << choice;
    EXPECT_EQ(heard.text, expected.text);
  }
  EXPECT_NE(answers[0].text, answers[1].text);
}

TEST_P(EngineOnModel, StopStringsEndTheTextBeforeThem) {
  const auto model = step_model(8);
  Engine engine(*model, &tokenizer(), {});
  const std::string whole = alone(request(kLong, 2)).text;
  ASSERT_GT(whole.size(), 20u);
  Request stopped = request(kLong, 2);
  stopped.stops = {whole.substr(9, 5), "never said"};
  Answers answers;
  engine.submit(stopped, listen(answers));
  run(engine);
  EXPECT_EQ(answers.at(0).ending->reason, FinishReason::stop_string);
  EXPECT_EQ(answers.at(0).ending->stop, stopped.stops[0]);
  EXPECT_EQ(answers.at(0).text, whole.substr(0, whole.find(stopped.stops[0])));
}

// Many at once under one grammar, some with guesses: each text matches, and is as it is alone.
TEST_P(EngineOnModel, WhatAGrammarAllows) {
  namespace grammar = chat::grammar;
  const auto trie = std::make_shared<grammar::TokenTrie>(tokenizer());
  const auto shared = std::make_shared<grammar::Constraint>(
      grammar::compile_regex("(red|green) bird[.!]{2,5}"), trie);
  const auto model = step_model(20);
  std::vector<std::string> texts[2];
  for (const bool together : {true, false}) {
    Engine engine(*model, &tokenizer(),
                  {.max_sequences = together ? 6 : 1, .make_drafter = repeat_drafters()});
    std::vector<Answers> answers(6);
    for (uint64_t seed = 0; seed < answers.size(); ++seed) {
      Request constrained = request(kLong.substr(0, 40 + seed), seed);
      constrained.constraint = shared;
      if (seed == 3) constrained.min_tokens = 60;  // more than there can be
      engine.submit(constrained, listen(answers[seed]));
    }
    run(engine);
    for (Answers& answer : answers) {
      EXPECT_EQ(answer[0].ending->reason, FinishReason::stop_token) << answer[0].text;
      EXPECT_TRUE(std::regex_match(answer[0].text, std::regex("(red|green) bird[.!]{2,5}")))
          << answer[0].text;
      texts[together].push_back(answer[0].text);
    }
  }
  EXPECT_EQ(texts[0], texts[1]);
}

TEST_P(EngineOnModel, MinTokensPutOffTheEnd) {
  const auto model = step_model(8);
  Engine engine(*model, &tokenizer(), {});
  Request eager = request(kLong, 4);
  int32_t end = 0;
  while (!tokenizer().is_end_of_generation(end)) ++end;
  eager.sampling.logit_bias = {{end, 100.0f}};
  Answers soon, late;
  engine.submit(eager, listen(soon));
  eager.min_tokens = 7;
  engine.submit(eager, listen(late));
  run(engine);
  EXPECT_EQ(soon.at(0).tokens, std::vector{end});
  EXPECT_EQ(late.at(0).tokens.size(), 8u);
  EXPECT_EQ(late.at(0).tokens.back(), end);
}

TEST_P(EngineOnModel, AKnownPrefixIsNotComputedAgain) {
  const auto model = step_model(8);
  Engine engine(*model, &tokenizer(), {});
  Answers first, second, foreign;
  engine.submit(request(kLong, 1), listen(first));
  run(engine);
  engine.submit(request(kLong, 1), listen(second));
  Request other = request(kLong, 1);
  other.tenant = "somebody else";
  engine.submit(other, listen(foreign));
  run(engine);
  EXPECT_EQ(first.at(0).ending->usage.cached_tokens, 0);
  EXPECT_EQ(second.at(0).ending->usage.cached_tokens, backend::kPageTokens);
  EXPECT_EQ(foreign.at(0).ending->usage.cached_tokens, 0) << "tenants share nothing";
  EXPECT_EQ(second.at(0).tokens, first.at(0).tokens);
  EXPECT_EQ(foreign.at(0).tokens, first.at(0).tokens);
}

class EngineManners : public testing::Test {
 protected:
  static constexpr StepLimits kLimits = {
      .vocab_size = 30, .context = 200, .page_count = 10, .max_rows = 16, .max_logit_rows = 8};
  static Request plain(size_t length = 5) {
    Request request;
    request.prompt.assign(length, 3);
    request.max_tokens = 10;
    return request;
  }
  FakeModel model_{kLimits};
  EngineOptions options_ = {.max_sequences = 4, .clock = [this] { return model_.now; }};
};

TEST_F(EngineManners, RefusesWhatCannotBeRunAndNamesIt) {
  Engine engine(model_, nullptr, options_);
  const auto refusal = [&](auto change) {
    Request request = plain();
    change(request);
    return refused([&] { engine.submit(request, {}); }, ErrorKind::usage);
  };
  EXPECT_EQ(refusal([](Request& r) { r.prompt.clear(); }), "prompt: at least one token expected");
  EXPECT_EQ(refusal([](Request& r) { r.prompt.assign(201, 1); }),
            "prompt: 201 tokens, the context has 200");
  EXPECT_EQ(refusal([](Request& r) { r.prompt = {30}; }),
            "prompt: token 30, the vocabulary has 30");
  EXPECT_EQ(refusal([](Request& r) { r.max_tokens = -1; }),
            "max_tokens: at least 0 expected, got -1");
  EXPECT_EQ(refusal([](Request& r) { r.choices = 0; }), "n: 1 to 128 expected, got 0");
  EXPECT_EQ(refusal([](Request& r) { r.choices = 3, r.best_of = 2; }),
            "best_of: 3 (n) to 128 expected, got 2");
  EXPECT_EQ(refusal([](Request& r) { r.stops = {""}; }), "stop: an empty string");
  EXPECT_EQ(refusal([](Request& r) { r.top_log_probability_count = 31; }),
            "log-probabilities: 0 to 30 expected, got 31");
  EXPECT_EQ(refusal([](Request& r) {
              r.sampling.logit_bias = {{-1, 1.0f}};
            }),
            "logit_bias: token -1, the vocabulary has 30");
  EXPECT_EQ(refusal([](Request& r) { r.min_tokens = -1; }),
            "min_tokens: at least 0 expected, got -1");
  Request constrained = plain();
  constrained.constraint = std::make_shared<chat::grammar::Constraint>(
      chat::grammar::compile_regex("a"),
      std::make_shared<chat::grammar::TokenTrie>(std::vector<std::string>{"a"},
                                                 std::vector<int32_t>{}));
  EXPECT_EQ(refused([&] { engine.submit(constrained, {}); }, ErrorKind::unsupported),
            "constraint: the model has no tokenizer");
  EXPECT_FALSE(engine.has_work());
}

TEST_F(EngineManners, AFullQueueIsAnErrorAndPassesAway) {
  options_.max_queued_requests = 2;
  Engine engine(model_, nullptr, options_);
  Answers answers[3];
  engine.submit(plain(), listen(answers[0]));
  engine.submit(plain(), listen(answers[1]));
  EXPECT_EQ(refused([&] { engine.submit(plain(), {}); }, ErrorKind::resources),
            "the queue is full: 2 requests wait");
  engine.step();
  engine.submit(plain(), listen(answers[2]));
  run(engine);
  for (const Answers& heard : answers) EXPECT_TRUE(heard.at(0).ending);
}

TEST_F(EngineManners, PromptsThatWaitAreBoundedByTokensToo) {
  options_.max_queued_tokens = 100;
  Engine engine(model_, nullptr, options_);
  Answers answers[2];
  engine.submit(plain(150), listen(answers[0]));  // alone it may be longer
  EXPECT_EQ(refused([&] { engine.submit(plain(), {}); }, ErrorKind::resources),
            "the queue is full: 150 tokens of prompts wait");
  run(engine);
}

TEST_F(EngineManners, ACancelledRequestEndsInTheNextStep) {
  Engine engine(model_, nullptr, options_);
  Answers queued, running, other;
  Request many = plain(100);
  many.choices = 2;
  const int64_t first = engine.submit(many, listen(running));
  engine.submit(plain(), listen(other));
  engine.step();
  const int64_t second = engine.submit(many, listen(queued));
  engine.cancel(first);
  engine.cancel(second);
  engine.cancel(second);
  engine.cancel(12345);
  engine.step();
  for (const Answers* heard : {&queued, &running}) {
    ASSERT_EQ(heard->size(), 2u);
    for (const auto& [choice, text] : *heard)
      EXPECT_EQ(text.ending->reason, FinishReason::interrupted);
  }
  run(engine);
  EXPECT_EQ(other.at(0).ending->reason, FinishReason::max_tokens);
  EXPECT_EQ(engine.stats().used_pages, 0);
  EXPECT_EQ(engine.stats().queued_requests, 0);
  EXPECT_EQ(engine.stats().finished_requests, 3);
}

// Its texts have not begun, or are half made: so many end as are picked.
TEST_F(EngineManners, ACancelledRequestForTheBestEndsAsManyTextsAsItWanted) {
  for (const int steps : {0, 1, 10}) {
    Engine engine(model_, nullptr, options_);
    Answers heard;
    Request request = plain(100);
    request.choices = 2;
    request.best_of = 4;
    const int64_t id = engine.submit(request, listen(heard));
    for (int step = 0; step < steps; ++step) engine.step();
    EXPECT_TRUE(heard.empty());
    engine.cancel(id);
    engine.step();
    ASSERT_EQ(heard.size(), 2u) << steps;
    for (const auto& [choice, text] : heard) {
      EXPECT_EQ(text.ending->reason, FinishReason::interrupted);
      EXPECT_EQ(text.ending->usage.prompt_tokens, 100);
      EXPECT_EQ(text.ending->usage.generated_tokens, std::ssize(text.tokens));
      EXPECT_EQ(text.tokens.empty(), steps < 10) << steps;
    }
    EXPECT_EQ(engine.stats().finished_requests, 1);
    EXPECT_EQ(engine.stats().used_pages, 0);
    EXPECT_FALSE(engine.has_work());
    engine.check();
  }
}

TEST_F(EngineManners, OneThatCannotGoOnFailsAlone) {
  Engine engine(model_, nullptr, options_);
  Answers banned, other;
  Request request = plain();
  for (int32_t token = 0; token < 30; ++token)
    request.sampling.logit_bias.push_back({token, -INFINITY});
  engine.submit(request, listen(banned));
  engine.submit(plain(), listen(other));
  run(engine);
  EXPECT_EQ(banned.at(0).ending->reason, FinishReason::failed);
  EXPECT_NE(banned.at(0).ending->error, "");
  EXPECT_EQ(other.at(0).tokens.size(), 10u);
}

TEST_F(EngineManners, NoTokensMayBeWanted) {
  Engine engine(model_, nullptr, options_);
  Answers scored;
  Request request = plain(40);
  request.max_tokens = 0;
  request.prompt_log_probability_count = 1;
  engine.submit(request, listen(scored));
  run(engine);
  EXPECT_TRUE(scored.at(0).tokens.empty());
  EXPECT_EQ(scored.at(0).prompt_log_probabilities.size(), 39u);
  EXPECT_EQ(scored.at(0).ending->reason, FinishReason::max_tokens);
}

// The prompt in steps as long as may be, then a row for each token but the last, of which nothing
// follows.
TEST_F(EngineManners, FeedsThePromptInStepsThenTokenByToken) {
  std::vector<size_t> rows;
  model_.observe = [&](std::span<const model::BatchRow> step) { rows.push_back(step.size()); };
  for (const int64_t limit : {1, 4}) {
    rows.clear();
    Engine engine(model_, nullptr, options_);
    Answers answers;
    Request request = plain(35);
    request.max_tokens = limit;
    engine.submit(request, listen(answers));
    run(engine);
    std::vector<size_t> expected = {16, 16, 3};
    expected.resize(2 + static_cast<size_t>(limit), 1);
    EXPECT_EQ(rows, expected);
    EXPECT_EQ(answers.at(0).tokens.size(), static_cast<size_t>(limit));
  }
}

// As a draft model may have more rows in its output layer.
TEST_F(EngineManners, GuessesOutsideTheVocabularyAreNotComputed) {
  class Wild final : public Drafter {
   public:
    Guesses guess(std::span<const int32_t>, const GuessLimits&) override {
      return {{3, 30, 4}, 0.99};
    }
  };
  options_.make_drafter = [](const Request&) { return std::make_unique<Wild>(); };
  Engine engine(model_, nullptr, options_);
  Answers answers;
  int64_t guesses = 0;
  model_.observe = [&](std::span<const model::BatchRow> rows) {
    for (const model::BatchRow& row : rows) EXPECT_LT(row.token, kLimits.vocab_size);
    if (rows.size() < 5) guesses += std::ssize(rows) - 1;
  };
  engine.submit(plain(), listen(answers));
  run(engine);
  EXPECT_GT(guesses, 0);
  EXPECT_EQ(answers.at(0).tokens.size(), 10u);
}

TEST_F(EngineManners, EndsWhereTheContextIsFull) {
  Engine engine(model_, nullptr, options_);
  Answers answers;
  Request request = plain(190);
  request.max_tokens = std::nullopt;
  engine.submit(request, listen(answers));
  run(engine);
  EXPECT_EQ(answers.at(0).ending->reason, FinishReason::context_full);
  EXPECT_EQ(answers.at(0).tokens.size(), 10u);
}

TEST_F(EngineManners, ItsLimitsAreWhatModelPagesAndVocabularyLeave) {
  const FakeTokenizer tokenizer;
  EXPECT_EQ(Engine(model_, nullptr, options_).context(), 200);
  EXPECT_EQ(Engine(model_, nullptr, options_).token_count(), 30);
  EXPECT_EQ(Engine(model_, &tokenizer, options_).token_count(), 10);
  StepLimits few_pages = kLimits;
  few_pages.page_count = 2;
  FakeModel model(few_pages);
  EXPECT_EQ(Engine(model, nullptr, options_).context(), 2 * backend::kPageTokens);
}

// The first token of a short request does not wait for a long prompt that came before it.
TEST_F(EngineManners, AShortRequestWaitsForOneChunkOfALongPrompt) {
  FakeModel model(
      {.vocab_size = 30, .context = 5000, .page_count = 100, .max_rows = 256, .max_logit_rows = 8});
  Engine engine(model, nullptr, {.max_sequences = 4, .clock = [&] { return model.now; }});
  Answers long_one, short_one;
  engine.submit(plain(4096), listen(long_one));
  engine.step();
  engine.submit(plain(20), listen(short_one));
  engine.step();
  EXPECT_EQ(short_one[0].tokens.size(), 1u);
  EXPECT_EQ(long_one[0].tokens.size(), 0u);
}

TEST_F(EngineManners, RequestsMayComeFromOtherThreads) {
  Engine engine(model_, nullptr, options_);
  constexpr int kThreads = 3, kEach = 20;
  std::vector<Answers> answers(kThreads * kEach);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int index = 0; index < kEach; ++index) {
        const int64_t id =
            engine.submit(plain(), listen(answers[static_cast<size_t>(thread * kEach + index)]));
        if (index % 4 == 0) engine.cancel(id);
        (void)engine.stats();
      }
    });
  }
  while (engine.stats().finished_requests < kThreads * kEach) engine.step();
  for (std::thread& thread : threads) thread.join();
  for (const Answers& heard : answers) EXPECT_TRUE(heard.at(0).ending);
}

}  // namespace
}  // namespace bittern::engine
