// The sampler against numpy (tools/golden/sampler.py), and the properties that make a draw
// repeatable.
#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/file_map.h"
#include "base/json.h"
#include "base/random.h"
#include "engine/exponential.h"
#include "engine/log_probability.h"
#include "throws.h"

namespace bittern::engine {
namespace {

constexpr uint64_t kSeed = 20261121;

std::vector<float> random_logits(random::Sequence& random, size_t count) {
  std::vector<float> logits(count);
  for (float& logit : logits) logit = static_cast<float>(random.uniform() * 20.0 - 10.0);
  return logits;
}

SamplingOptions options_of(const json::Value& value) {
  SamplingOptions options;
  const auto number = [&](std::string_view key) { return *value.get_number(key); };
  options.repeat_last_n = *value.get_integer("repeat_last_n");
  options.repeat_penalty = number("repeat_penalty");
  options.frequency_penalty = number("frequency_penalty");
  options.presence_penalty = number("presence_penalty");
  options.top_k = *value.get_integer("top_k");
  options.top_p = number("top_p");
  options.min_p = number("min_p");
  options.temperature = number("temperature");
  for (const json::Value& entry : value.find("logit_bias")->elements("logit_bias")) {
    const auto pair = entry.elements("logit_bias");
    options.logit_bias.push_back({static_cast<int32_t>(pair[0].as_integer("token")),
                                  pair[1].is(json::Kind::string)
                                      ? -INFINITY
                                      : static_cast<float>(pair[1].as_number("bias"))});
  }
  return options;
}

TEST(Sampler, LeavesTheCandidatesAndProbabilitiesOfNumpy) {
  const std::string path = BITTERN_TEST_DATA "/engine/sampler.json";
  const auto document = json::Document::parse(read_text_file(path, 1 << 24), path);
  const auto cases = document->root().find("cases")->elements("cases");
  ASSERT_EQ(cases.size(), 78u);
  for (size_t index = 0; index < cases.size(); ++index) {
    SCOPED_TRACE(index);
    std::vector<float> logits;
    for (const json::Value& logit : cases[index].find("logits")->elements("logits"))
      logits.push_back(static_cast<float>(logit.as_number("logit")));
    Sampler sampler(options_of(*cases[index].find("options")), static_cast<int64_t>(logits.size()));
    for (const json::Value& token : cases[index].find("history")->elements("history"))
      sampler.accept(static_cast<int32_t>(token.as_integer("token")));

    const auto tokens = cases[index].find("tokens")->elements("tokens");
    const auto probabilities = cases[index].find("probabilities")->elements("probabilities");
    for (int round = 0; round < 2; ++round) {  // a second call finds nothing changed
      const std::span<const Candidate> left = sampler.distribution(logits.data());
      ASSERT_EQ(left.size(), tokens.size());
      for (size_t place = 0; place < left.size(); ++place) {
        EXPECT_EQ(left[place].token, tokens[place].as_integer("token")) << place;
        EXPECT_NEAR(left[place].probability, probabilities[place].as_number("p"), 1e-12) << place;
      }
    }
  }
}

TEST(Sampler, DrawsByTheInverseOfTheDistributionFunction) {
  random::Sequence random(kSeed);
  const std::vector<float> logits = random_logits(random, 50);
  Sampler sampler({.top_k = 0, .top_p = 1.0, .min_p = 0.0, .temperature = 2.0, .seed = 9}, 50);
  for (int64_t index = 0; index < 200; ++index) {
    double left = random::uniform(9, 0, static_cast<uint64_t>(index));
    int32_t expected = -1;
    for (const Candidate& candidate : sampler.distribution(logits.data())) {
      expected = candidate.token;
      if ((left -= candidate.probability) < 0) break;
    }
    EXPECT_EQ(sampler.sample(logits.data(), index), expected) << index;
  }
}

TEST(Sampler, DrawsAsOftenAsTheProbabilitiesSay) {
  random::Sequence random(kSeed);
  const std::vector<float> logits = random_logits(random, 8);
  Sampler sampler({.top_k = 0, .top_p = 1.0, .min_p = 0.0, .temperature = 3.0, .seed = 4}, 8);
  constexpr int kDraws = 20000;
  std::vector<int> counts(8);
  for (int64_t index = 0; index < kDraws; ++index)
    ++counts[static_cast<size_t>(sampler.sample(logits.data(), index))];
  double chi_squared = 0;
  for (const Candidate& candidate : sampler.distribution(logits.data())) {
    const double expected = candidate.probability * kDraws;
    const double off = counts[static_cast<size_t>(candidate.token)] - expected;
    chi_squared += off * off / expected;
  }
  EXPECT_LT(chi_squared, 24.3);  // the 0.1 % point of 7 degrees of freedom
}

TEST(Sampler, SameSeedSameTokensWhateverWasDrawnBefore) {
  random::Sequence random(kSeed);
  const std::vector<float> logits = random_logits(random, 1000);
  const SamplingOptions options{.temperature = 1.5, .seed = 77};
  Sampler forwards(options, 1000);
  Sampler backwards(options, 1000);
  std::vector<int32_t> first(64), second(64);
  for (int64_t index = 0; index < 64; ++index)
    first[static_cast<size_t>(index)] = forwards.sample(logits.data(), index);
  for (int64_t index = 63; index >= 0; --index)
    second[static_cast<size_t>(index)] = backwards.sample(logits.data(), index);
  EXPECT_EQ(first, second);

  Sampler other({.temperature = 1.5, .seed = 78}, 1000);
  std::vector<int32_t> third(64);
  for (int64_t index = 0; index < 64; ++index)
    third[static_cast<size_t>(index)] = other.sample(logits.data(), index);
  EXPECT_NE(first, third);
}

TEST(Sampler, NeverChoosesARowThatPadsTheVocabulary) {
  random::Sequence random(kSeed);
  std::vector<float> logits = random_logits(random, 96);
  std::fill(logits.begin() + 90, logits.end(), 1000.0f);
  for (const double temperature : {0.0, 100.0}) {
    Sampler sampler({.top_k = 0, .top_p = 1.0, .min_p = 0.0, .temperature = temperature}, 90);
    for (int64_t index = 0; index < 500; ++index)
      ASSERT_LT(sampler.sample(logits.data(), index), 90);
  }
}

TEST(Sampler, TiesGoToTheLowestId) {
  std::vector<float> logits(20, 1.0f);
  logits[3] = logits[11] = logits[17] = 5.0f;
  Sampler greedy({.temperature = 0.0}, 20);
  EXPECT_EQ(greedy.sample(logits.data(), 0), 3);
  Sampler two({.top_k = 2, .temperature = 1.0}, 20);
  const auto left = two.distribution(logits.data());
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].token, 3);
  EXPECT_EQ(left[1].token, 11);
}

TEST(Sampler, ABannedTokenIsAsOneOfMinusInfinity) {
  random::Sequence random(kSeed);
  const SamplingOptions ways[] = {{.temperature = 0.0},
                                  {.top_k = 7},
                                  {.top_n_sigma = 1.5, .top_k = 0},
                                  {.repeat_penalty = 1.5, .top_n_sigma = 2.0},
                                  {.top_k = 0, .typical_p = 0.8, .min_p = 0.0}};
  for (const SamplingOptions& way : ways) {
    for (int round = 0; round < 20; ++round) {
      const std::vector<float> logits = random_logits(random, 200);
      std::vector<float> without = logits;
      SamplingOptions banning = way;
      // The best of them, and others in any order.
      const auto best = std::ranges::max_element(logits) - logits.begin();
      for (const auto token : {best, std::ptrdiff_t{150}, std::ptrdiff_t{3}, std::ptrdiff_t{70}}) {
        banning.logit_bias.push_back({static_cast<int32_t>(token), -INFINITY});
        without[static_cast<size_t>(token)] = -INFINITY;
      }
      Sampler bans(banning, 200), plain(way, 200);
      for (Sampler* sampler : {&bans, &plain}) sampler->accept(20);
      const auto left = bans.distribution(logits.data());
      const auto expected = plain.distribution(without.data());
      ASSERT_EQ(left.size(), expected.size());
      for (size_t i = 0; i < left.size(); ++i) {
        EXPECT_EQ(left[i].token, expected[i].token);
        EXPECT_EQ(left[i].probability, expected[i].probability);
      }
    }
  }
}

TEST(Sampler, NotANumberIsNeverChosenAndNothingLeftIsAnError) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> logits{kNan, 1.0f, -INFINITY, 0.5f, kNan};
  for (const double temperature : {0.0, 1.0}) {
    Sampler sampler({.temperature = temperature}, 5);
    for (int64_t index = 0; index < 50; ++index) {
      const int32_t token = sampler.sample(logits.data(), index);
      ASSERT_TRUE(token == 1 || token == 3) << token;
    }
    const std::vector<float> none{kNan, -INFINITY, kNan, -INFINITY, kNan};
    const auto thrown = test::thrown_by([&] { sampler.sample(none.data(), 0); });
    ASSERT_TRUE(thrown);
    EXPECT_EQ(thrown->kind, ErrorKind::bad_input);
  }
}

TEST(Sampler, PenaltiesForgetTokensThatLeftTheWindow) {
  const std::vector<float> logits{2.0f, 1.9f, 0.0f, 0.0f};
  Sampler sampler({.repeat_last_n = 3, .repeat_penalty = 4.0, .temperature = 0.0}, 4);
  sampler.accept(0);
  EXPECT_EQ(sampler.sample(logits.data(), 0), 1);
  sampler.accept(2);
  sampler.accept(2);
  EXPECT_EQ(sampler.sample(logits.data(), 0), 1);
  sampler.accept(3);  // pushes 0 out
  EXPECT_EQ(sampler.sample(logits.data(), 0), 0);
}

TEST(SamplingOptions, ComeFromTheModelThenFromTheProject) {
  const auto defaults = [](const model::GenerationDefaults& generation) {
    return default_sampling(generation, "model.gguf");
  };
  const SamplingOptions plain = defaults({});
  EXPECT_EQ(plain.temperature, 0.8);
  EXPECT_EQ(plain.top_k, 40);
  EXPECT_EQ(plain.top_p, 0.95);
  EXPECT_EQ(plain.min_p, 0.05);

  model::GenerationDefaults stated;
  stated.temperature = 0.6;
  stated.repetition_penalty = 1.1;
  EXPECT_EQ(defaults(stated).temperature, 0.6);
  EXPECT_EQ(defaults(stated).repeat_penalty, 1.1);
  EXPECT_EQ(defaults(stated).top_k, 40);

  stated.do_sample = true;  // transformers' defaults for what is left out
  EXPECT_EQ(defaults(stated).temperature, 0.6);
  EXPECT_EQ(defaults(stated).top_k, 50);
  EXPECT_EQ(defaults(stated).top_p, 1.0);
  EXPECT_EQ(defaults(stated).min_p, 0.0);

  stated.do_sample = false;
  EXPECT_EQ(defaults(stated).temperature, 0.0);

  stated.top_p = 1.5;
  EXPECT_EQ(test::message_of([&] { defaults(stated); }),
            "model.gguf: top-p: 0 to 1 expected, got 1.5");
}

TEST(SamplingOptions, OutOfRangeIsNamed) {
  const auto message = [](SamplingOptions options) {
    return test::message_of([&] { validate(options, ErrorKind::bad_input, "model"); });
  };
  EXPECT_EQ(message({}), "(nothing thrown)");
  EXPECT_EQ(message({.top_p = 1.5}), "model: top-p: 0 to 1 expected, got 1.5");
  EXPECT_EQ(message({.min_p = -0.5}), "model: min-p: 0 to 1 expected, got -0.5");
  EXPECT_EQ(message({.top_k = -1}), "model: top-k: 0 or more expected, got -1");
  EXPECT_EQ(message({.temperature = INFINITY}),
            "model: temperature: a finite number expected, got inf");
  EXPECT_EQ(message({.repeat_penalty = 0.0}), "model: repeat-penalty: more than 0 expected, got 0");
  EXPECT_EQ(message({.logit_bias = {{1, INFINITY}}}),
            "model: logit-bias: a number or -inf expected, got inf");
}

TEST(Exponential, AgreesWithTheLibraryToTwoUnitsInTheLastPlace) {
  random::Sequence random(kSeed);
  for (int draw = 0; draw < 200000; ++draw) {
    const double x = -random.uniform() * (draw % 2 == 0 ? 1.0 : 700.0);
    const double expected = std::exp(x);
    EXPECT_NEAR(exp_nonpositive(x), expected, expected * 0x1p-51) << x;
  }
  EXPECT_EQ(exp_nonpositive(0.0), 1.0);
  EXPECT_EQ(exp_nonpositive(-0.0), 1.0);
  EXPECT_EQ(exp_nonpositive(-709.0), 0.0);
  EXPECT_EQ(exp_nonpositive(-INFINITY), 0.0);
  EXPECT_TRUE(std::isnan(exp_nonpositive(std::numeric_limits<double>::quiet_NaN())));
}

TEST(LogProbability, IsTheLogarithmOfTheSoftmax) {
  const std::vector<float> logits{0.0f, std::numbers::ln2_v<float>, 0.0f, -INFINITY, 90.0f};
  const LogProbabilities result = log_probabilities(logits.data(), 4, 2, 3);
  EXPECT_NEAR(result.chosen.value, std::log(0.25), 1e-7);
  ASSERT_EQ(result.top.size(), 3u);
  EXPECT_EQ(result.top[0].token, 1);
  EXPECT_NEAR(result.top[0].value, std::log(0.5), 1e-7);
  EXPECT_EQ(result.top[1].token, 0);  // before its equal, 2
  EXPECT_EQ(result.top[2].token, 2);
  EXPECT_EQ(log_probabilities(logits.data(), 4, 0, 9).top.size(), 4u);
  EXPECT_EQ(log_probabilities(logits.data(), 4, 3, 0).chosen.value, -INFINITY);
}

}  // namespace
}  // namespace bittern::engine
