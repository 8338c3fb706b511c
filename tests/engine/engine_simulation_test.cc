// The engine under random schedules: arrivals, lengths, priorities, tenants, adapters, shared
// prefixes, cancels and too few pages, on a model whose tokens hash what its pages hold and on a
// virtual clock. After every step the invariants hold; at the end every request has ended once,
// with the tokens that it would have had alone.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/random.h"
#include "engine/engine.h"
#include "engine/fake_model.h"

namespace bittern::engine {
namespace {

constexpr uint64_t kSchedules = 10000;
constexpr int64_t kVocab = 24;

struct Plan {
  Request request;
  int64_t arrival = 0;  // at this turn
  int64_t cancel = -1;  // at this turn; -1: never
};

// What one choice was told.
struct Heard {
  std::vector<int32_t> tokens;
  std::vector<LogProbabilities> prompt_log_probabilities;
  std::optional<Ending> ending;
  double last_time = -1.0, longest_gap = 0.0;
};

struct Alone {
  std::vector<int32_t> tokens;
  FinishReason reason = FinishReason::max_tokens;
  double score = 0.0;
};

// The text of a choice when nothing else runs: the rule, in its plainest form.
Alone run_alone(const FakeModel& model, const Request& request, int64_t choice, int64_t context) {
  SamplingOptions sampling = request.sampling;
  sampling.seed += static_cast<uint64_t>(choice);
  Sampler sampler(sampling, kVocab);
  for (const int32_t token : request.prompt) sampler.accept(token);
  Alone alone;
  std::vector<int32_t> tokens = request.prompt;
  std::vector<float> logits(kVocab);
  const int64_t room = context - std::ssize(request.prompt);
  const int64_t limit = std::min(room, request.max_tokens.value_or(room));
  alone.reason = request.max_tokens && *request.max_tokens <= room ? FinishReason::max_tokens
                                                                   : FinishReason::context_full;
  double score = 0.0;
  while (std::ssize(alone.tokens) < limit) {
    model.logits_after(tokens, logits.data(), request.adapters.get());
    const int32_t token = sampler.sample(logits.data(), std::ssize(alone.tokens));
    sampler.accept(token);
    if (request.best_of > request.choices)
      score += log_probabilities(logits.data(), kVocab, token, 0).chosen.value;
    tokens.push_back(token);
    alone.tokens.push_back(token);
    if (std::ranges::find(request.stop_tokens, token) != request.stop_tokens.end()) {
      alone.reason = FinishReason::stop_token;
      break;
    }
  }
  alone.score = alone.tokens.empty() ? -INFINITY : score / static_cast<double>(alone.tokens.size());
  return alone;
}

// One of a few, in an object of its own.
std::shared_ptr<const model::AdapterSet> some_adapters(int64_t which) {
  const auto adapter = std::make_shared<model::Adapter>();
  adapter->identity = which == 0 ? "first" : "second";
  return std::make_shared<model::AdapterSet>(
      std::vector<model::AdapterSet::Entry>{{adapter, which == 2 ? 0.5f : 1.0f}});
}

// Knows the model, and is wrong every few tokens.
class HalfRight final : public Drafter {
 public:
  explicit HalfRight(const FakeModel& model) : model_(model) {}
  Guesses guess(std::span<const int32_t> tokens, const GuessLimits& limits) override {
    std::vector<int32_t> text(tokens.begin(), tokens.end()), guesses;
    std::vector<float> logits(kVocab);
    while (std::ssize(guesses) < limits.most && text.size() % 5 != 0) {
      model_.logits_after(text, logits.data());
      const auto best = std::ranges::max_element(logits) - logits.begin();
      guesses.push_back(static_cast<int32_t>((best + (text.size() % 7 == 0)) % kVocab));
      text.push_back(guesses.back());
    }
    return {guesses, 0.8};
  }

 private:
  const FakeModel& model_;
};

class Schedule {
 public:
  explicit Schedule(uint64_t seed) : draw_(seed) {
    limits_.vocab_size = kVocab;
    limits_.page_count = between(4, 24);
    limits_.context = between(100, 400);
    limits_.max_rows = between(8, 96);
    options_.max_sequences = between(1, 8);
    limits_.max_logit_rows = options_.max_sequences + between(0, 8);
    context_ = std::min(limits_.context, limits_.page_count * backend::kPageTokens);
    guesses_ = chance(30);
    const int64_t count = between(1, 12);
    for (int64_t index = 0; index < count; ++index) plans_.push_back(make_plan());
  }

  void run() {
    FakeModel model(limits_);
    options_.clock = [&model] { return model.now; };
    if (guesses_)
      options_.make_drafter = [&model](const Request&) {
        return std::make_unique<HalfRight>(model);
      };
    Engine engine(model, nullptr, options_);
    heard_.resize(plans_.size());
    std::vector<int64_t> ids(plans_.size());
    int64_t turn = 0;
    for (const int64_t last = 20000; turn < last; ++turn) {
      for (size_t index = 0; index < plans_.size(); ++index) {
        if (plans_[index].arrival == turn)
          ids[index] = engine.submit(plans_[index].request, [this, index, &model](Delta delta) {
            hear(index, std::move(delta), model.now);
          });
        if (plans_[index].cancel == turn) engine.cancel(ids[index]);
      }
      engine.step();
      engine.check();
      if (!engine.has_work() && turn > last_event_) break;
    }
    ASSERT_LT(turn, 20000) << "it does not end";
    const EngineStats stats = engine.stats();
    EXPECT_EQ(stats.used_pages, 0);
    EXPECT_EQ(stats.queued_requests, 0);
    EXPECT_EQ(stats.finished_requests, std::ssize(plans_));
    preemptions_ = stats.preemptions;
    accepted_ = stats.accepted_guesses;
    for (size_t index = 0; index < plans_.size(); ++index) expect_as_alone(model, index);
    if (preemptions_ == 0 && !guesses_) expect_steady_decoding(model);
  }

  int64_t preemptions() const { return preemptions_; }
  int64_t accepted() const { return accepted_; }

 private:
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(draw_.below(static_cast<uint64_t>(high - low + 1)));
  }
  bool chance(int64_t percent) { return between(1, 100) <= percent; }

  Plan make_plan() {
    Plan plan;
    Request& request = plan.request;
    const int64_t length = std::min(between(1, between(1, 300)), context_);
    const int64_t family = between(0, 2);  // prompts of one family begin alike
    const int64_t alike = between(0, length);
    for (int64_t place = 0; place < length; ++place)
      request.prompt.push_back(static_cast<int32_t>(place < alike ? (place * 7 + family) % kVocab
                                                                  : between(0, kVocab - 1)));
    if (chance(90)) request.max_tokens = between(0, 40);
    request.sampling.temperature = chance(50) ? 0.0 : 1.0;
    request.sampling.top_k = chance(30) ? 8 : 0;
    request.sampling.top_p = 1.0;
    request.sampling.min_p = 0.0;
    if (chance(20)) request.sampling.logit_bias = {{5, 3.0f}, {7, -INFINITY}};
    request.sampling.seed = draw_.bits();
    if (chance(20)) request.sampling.repeat_penalty = 1.3;
    if (chance(30)) request.stop_tokens = {static_cast<int32_t>(between(0, kVocab - 1))};
    if (chance(25)) request.choices = between(1, 4);
    if (chance(15)) request.best_of = request.choices + between(0, 3);
    if (chance(15)) request.prompt_log_probability_count = between(0, 3);
    request.priority = chance(30) ? static_cast<int32_t>(between(-1, 2)) : 0;
    request.tenant = std::string(1, static_cast<char>('a' + between(0, 2)));
    request.reuse_prefix = chance(90);
    if (chance(30)) request.adapters = some_adapters(between(0, 2));
    plan.arrival = between(0, 60);
    if (chance(15)) plan.cancel = plan.arrival + between(0, 60);
    last_event_ = std::max({last_event_, plan.arrival, plan.cancel});
    return plan;
  }

  void hear(size_t index, Delta delta, double now) {
    Heard& heard = heard_[index][delta.choice];
    ASSERT_FALSE(heard.ending) << "news after the end";
    if (!delta.tokens.empty()) {
      if (heard.last_time >= 0.0)
        heard.longest_gap = std::max(heard.longest_gap, now - heard.last_time);
      heard.last_time = now;
    }
    heard.tokens.insert(heard.tokens.end(), delta.tokens.begin(), delta.tokens.end());
    for (auto& values : delta.prompt_log_probabilities)
      heard.prompt_log_probabilities.push_back(std::move(values));
    heard.ending = std::move(delta.ending);
  }

  void expect_as_alone(const FakeModel& model, size_t index) {
    const Request& request = plans_[index].request;
    std::vector<Alone> expected;
    for (int64_t choice = 0; choice < std::max(request.choices, request.best_of); ++choice)
      expected.push_back(run_alone(model, request, choice, context_));
    ASSERT_EQ(std::ssize(heard_[index]), request.choices) << "request " << index;
    bool was_cancelled = false;
    for (const auto& [choice, heard] : heard_[index]) {
      ASSERT_TRUE(heard.ending) << "request " << index << " never ended";
      was_cancelled |= heard.ending->reason == FinishReason::interrupted;
    }
    EXPECT_TRUE(!was_cancelled || plans_[index].cancel >= 0);
    if (request.best_of > request.choices) {
      if (plans_[index].cancel >= 0) return;  // one that was interrupted may not be told
      std::ranges::stable_sort(expected, std::ranges::greater{}, &Alone::score);
    }
    for (const auto& [choice, heard] : heard_[index]) {
      const Alone& alone = expected[static_cast<size_t>(choice)];
      if (heard.ending->reason == FinishReason::interrupted) {
        ASSERT_LE(heard.tokens.size(), alone.tokens.size());
        EXPECT_TRUE(
            std::ranges::equal(heard.tokens, std::span(alone.tokens).first(heard.tokens.size())));
        continue;
      }
      EXPECT_EQ(heard.tokens, alone.tokens) << "request " << index << ", choice " << choice;
      EXPECT_EQ(heard.ending->reason, alone.reason);
      EXPECT_EQ(heard.ending->usage.prompt_tokens, std::ssize(request.prompt));
      EXPECT_EQ(heard.ending->usage.generated_tokens, std::ssize(alone.tokens));
    }
    if (!was_cancelled && request.best_of <= request.choices) expect_prompt_scores(model, index);
  }

  void expect_prompt_scores(const FakeModel& model, size_t index) {
    const Request& request = plans_[index].request;
    const auto& scores = heard_[index].at(0).prompt_log_probabilities;
    if (!request.prompt_log_probability_count) {
      EXPECT_TRUE(scores.empty());
      return;
    }
    ASSERT_EQ(scores.size(), request.prompt.size() - 1);
    std::vector<float> logits(kVocab);
    for (size_t place = 0; place < scores.size(); ++place) {
      model.logits_after(std::span(request.prompt).first(place + 1), logits.data(),
                         request.adapters.get());
      const auto expected = log_probabilities(logits.data(), kVocab, request.prompt[place + 1], 0);
      ASSERT_EQ(scores[place].chosen.token, expected.chosen.token);
      ASSERT_EQ(scores[place].chosen.value, expected.chosen.value);
    }
  }

  // Who decodes waits at most 4 steps of as many decoding rows. (A choice beside the first may have
  // to wait for a place after its first token.)
  void expect_steady_decoding(const FakeModel& model) {
    const double step =
        model.step_seconds + model.row_seconds * static_cast<double>(options_.max_sequences);
    for (size_t index = 0; index < plans_.size(); ++index) {
      const Request& request = plans_[index].request;
      if (std::max(request.choices, request.best_of) > 1) continue;
      EXPECT_LE(heard_[index].at(0).longest_gap, 4.0 * step) << "request " << index;
    }
  }

  random::Sequence draw_;
  StepLimits limits_;
  EngineOptions options_;
  int64_t context_ = 0;
  int64_t last_event_ = 0;
  std::vector<Plan> plans_;
  std::vector<std::map<int64_t, Heard>> heard_;
  bool guesses_ = false;
  int64_t preemptions_ = 0, accepted_ = 0;
};

TEST(EngineSimulation, EveryScheduleGivesEachRequestWhatItHasAlone) {
  uint64_t with_preemption = 0, with_guesses = 0;
  for (uint64_t seed = 0; seed < kSchedules; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Schedule schedule(seed);
    schedule.run();
    with_preemption += schedule.preemptions() > 0;
    with_guesses += schedule.accepted() > 0;
    if (HasFailure()) break;
  }
  // The schedules do what they are for.
  EXPECT_GT(with_preemption, kSchedules / 10);
  EXPECT_GT(with_guesses, kSchedules / 10);
}

}  // namespace
}  // namespace bittern::engine
