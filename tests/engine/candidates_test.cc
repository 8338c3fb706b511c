// The stages of the sampler one by one, against their definitions computed plainly.
#include "engine/candidates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/random.h"
#include "engine/sampler.h"
#include "throws.h"

namespace bittern::engine {
namespace {

using Tokens = std::vector<int32_t>;

Tokens tokens_of(std::span<const Candidate> list) {
  Tokens tokens;
  for (const Candidate& candidate : list) tokens.push_back(candidate.token);
  return tokens;
}

std::vector<double> softmax(const std::vector<float>& logits) {
  const double best = *std::ranges::max_element(logits);
  std::vector<double> shares;
  double total = 0.0;
  for (const float logit : logits) shares.push_back(std::exp(logit - best));
  for (const double share : shares) total += share;
  for (double& share : shares) share /= total;
  return shares;
}

std::vector<float> random_logits(random::Sequence& draw, size_t count) {
  std::vector<float> logits;
  for (size_t token = 0; token < count; ++token)
    logits.push_back(static_cast<float>(draw.uniform() * 8.0 - 4.0));
  return logits;
}

// Every stage off but the temperature.
SamplingOptions plain() {
  SamplingOptions options;
  options.top_k = 0;
  options.top_p = 1.0;
  options.min_p = 0.0;
  options.temperature = 1.0;
  return options;
}

TEST(SamplerStages, TopNSigmaKeepsWhatIsNearTheBest) {
  random::Sequence draw(3);
  for (int run = 0; run < 50; ++run) {
    const auto logits = random_logits(draw, 60);
    const double mean = std::accumulate(logits.begin(), logits.end(), 0.0) / 60.0;
    double variance = 0.0;
    for (const float logit : logits) variance += (logit - mean) * (logit - mean) / 60.0;
    const double least = *std::ranges::max_element(logits) - 0.7 * std::sqrt(variance);
    Tokens expected;
    for (int32_t token = 0; token < 60; ++token)
      if (logits[static_cast<size_t>(token)] >= least) expected.push_back(token);
    SamplingOptions options = plain();
    options.top_n_sigma = 0.7;
    Sampler sampler(options, 60);
    Tokens kept = tokens_of(sampler.distribution(logits.data()));
    // The same behind another stage, where it sees candidates and not the row.
    options.stages = {SamplerStage::min_p, SamplerStage::top_n_sigma};
    options.min_p = 1e-9;
    Sampler late(options, 60);
    EXPECT_EQ(tokens_of(late.distribution(logits.data())), kept);
    std::ranges::sort(kept);
    EXPECT_EQ(kept, expected) << "run " << run;
  }
}

TEST(SamplerStages, TypicalKeepsWhatSurprisesAsMuchAsExpected) {
  random::Sequence draw(4);
  for (int run = 0; run < 50; ++run) {
    const auto logits = random_logits(draw, 40);
    const auto shares = softmax(logits);
    double entropy = 0.0;
    for (const double share : shares) entropy -= share * std::log(share);
    Tokens order(40);
    std::iota(order.begin(), order.end(), 0);
    const auto distance = [&](int32_t token) {
      return std::abs(-std::log(shares[static_cast<size_t>(token)]) - entropy);
    };
    std::ranges::sort(order, {}, distance);
    double cumulative = 0.0;
    size_t kept = 0;
    while (kept < order.size()) {
      cumulative += shares[static_cast<size_t>(order[kept++])];
      if (cumulative > 0.6) break;
    }
    order.resize(kept);
    std::ranges::sort(order);
    SamplingOptions options = plain();
    options.typical_p = 0.6;
    Sampler sampler(options, 40);
    Tokens found = tokens_of(sampler.distribution(logits.data()));
    std::ranges::sort(found);
    EXPECT_EQ(found, order) << "run " << run;
  }
}

TEST(SamplerStages, XtcLeavesTheLeastOfTheTopChoices) {
  // Probabilities 0.5, 0.25, 0.125, ...
  std::vector<float> logits;
  for (int token = 0; token < 8; ++token)
    logits.push_back(static_cast<float>(-token * std::log(2.0)));
  SamplingOptions options = plain();
  options.xtc_probability = 1.0;
  options.xtc_threshold = 0.1;
  Sampler sampler(options, 8);
  EXPECT_EQ(tokens_of(sampler.distribution(logits.data())), (Tokens{2, 3, 4, 5, 6, 7}));
  options.xtc_threshold = 0.4;  // only one is above: it stays
  EXPECT_EQ(Sampler(options, 8).distribution(logits.data()).size(), 8u);
}

TEST(SamplerStages, XtcActsAsOftenAsAsked) {
  const std::vector<float> logits = {1.0f, 1.0f, -1.0f};
  SamplingOptions options = plain();
  options.xtc_probability = 0.25;
  Sampler sampler(options, 3);
  int acted = 0;
  for (int64_t index = 0; index < 4000; ++index)
    acted += sampler.distribution(logits.data(), index).size() < 3;
  EXPECT_NEAR(acted, 1000, 120);
  EXPECT_EQ(sampler.distribution(logits.data(), 7).size(),
            sampler.distribution(logits.data(), 7).size());
}

TEST(SamplerStages, DryLowersWhatGoesOnARepeat) {
  SamplingOptions options = plain();
  options.dry_multiplier = 0.8;
  options.dry_allowed_length = 2;
  DryPenalties dry(options, {});
  // "5 6 7 8" once; now "5 6 7" again: 8 goes on a repeat of three. "7 9" repeats only one.
  for (const int32_t token : {5, 6, 7, 8, 1, 7, 9, 5, 6, 7}) dry.accept(token);
  ASSERT_EQ(dry.penalties().size(), 1u);
  EXPECT_FLOAT_EQ(dry.penalties().at(8), static_cast<float>(0.8 * 1.75));
}

// Against the definition: for each earlier place, how far back both ends agree.
TEST(SamplerStages, DryFindsEveryRepeat) {
  random::Sequence draw(6);
  for (int run = 0; run < 100; ++run) {
    SamplingOptions options = plain();
    options.dry_multiplier = 1.0;
    options.dry_base = 2.0;
    options.dry_allowed_length = 1 + static_cast<int64_t>(draw.below(3));
    if (draw.below(2) == 0) options.dry_last_n = 20;
    DryPenalties dry(options, [](int32_t token) { return token == 0; });
    Tokens text;
    for (int place = 0; place < 50; ++place) {
      text.push_back(static_cast<int32_t>(draw.below(4)));
      dry.accept(text.back());
    }
    const auto size = std::ssize(text);
    const int64_t window = options.dry_last_n < 0 ? size : options.dry_last_n;
    std::map<int32_t, float> expected;
    for (int64_t end = size - window + 1; end < size; ++end) {
      int64_t length = 0;
      while (length < end - (size - window) && text[size_t(size - 1 - length)] != 0 &&
             text[size_t(size - 1 - length)] == text[size_t(end - 1 - length)])
        ++length;
      if (length < options.dry_allowed_length) continue;
      float& penalty = expected[text[size_t(end)]];
      penalty =
          std::max(penalty, static_cast<float>(std::pow(2.0, length - options.dry_allowed_length)));
    }
    const auto& found = dry.penalties();
    EXPECT_EQ((std::map<int32_t, float>(found.begin(), found.end())), expected) << "run " << run;
  }
}

TEST(SamplerStages, TheOrderIsTheCallers) {
  const std::vector<float> logits = {3.0f, 2.9f, 0.0f, -1.0f};
  SamplingOptions options = plain();
  options.top_p = 0.9;
  options.temperature = 100.0;
  // Divided first, all are about as likely: nearly everything is needed for 0.9.
  options.stages = {SamplerStage::temperature, SamplerStage::top_p};
  EXPECT_EQ(Sampler(options, 4).distribution(logits.data()).size(), 4u);
  options.stages = {SamplerStage::top_p, SamplerStage::temperature};
  EXPECT_EQ(Sampler(options, 4).distribution(logits.data()).size(), 2u);
  options.stages = {SamplerStage::temperature};
  EXPECT_EQ(Sampler(options, 4).distribution(logits.data()).size(), 4u) << "not in the order: off";
  options.repeat_penalty = 1e6;
  options.stages = {SamplerStage::top_k, SamplerStage::penalties};
  options.top_k = 2;
  Sampler late(options, 4);
  late.accept(0);
  EXPECT_EQ(tokens_of(late.distribution(logits.data())), (Tokens{1, 0})) << "of the two best";
}

TEST(SamplerStages, NamesAreReadAndUnknownOnesRefused) {
  EXPECT_EQ(parse_stages("top_k;typ_p,temperature", "x"),
            (std::vector{SamplerStage::top_k, SamplerStage::typical, SamplerStage::temperature}));
  EXPECT_TRUE(parse_stages("", "x").empty());
  for (const SamplerStage stage : kDefaultStages)
    EXPECT_EQ(parse_stages(stage_name(stage), "x"), std::vector{stage});
  EXPECT_EQ(test::message_of([] { parse_stages("top_k;topp", "--samplers"); }),
            "--samplers: some of penalties, dry, top_n_sigma, top_k, typ_p, top_p, min_p, "
            "xtc, temperature expected, got \"topp\"");
}

TEST(SamplerStages, OnlyWhatTheMaskAllows) {
  std::vector<float> logits(130);
  for (size_t token = 0; token < logits.size(); ++token) logits[token] = static_cast<float>(token);
  const uint64_t mask[3] = {uint64_t{1} << 5, uint64_t{1} << 3, 0};
  SamplingOptions options = plain();
  EXPECT_EQ(tokens_of(Sampler(options, 130).distribution(logits.data(), 0, mask)), (Tokens{67, 5}));
  options.temperature = 0.0;
  Sampler greedy(options, 130);
  EXPECT_EQ(greedy.sample(logits.data(), 0, mask), 67);
  EXPECT_EQ(greedy.sample(logits.data(), 0), 129);
  const uint64_t nothing[3] = {};
  EXPECT_EQ(test::message_of([&] { greedy.sample(logits.data(), 0, nothing); }),
            "no token can be chosen: each that is allowed is banned or its logit not a number");
}

// cut() says what of a row is needed: with the rest at -infinity the same is drawn.
TEST(SamplerStages, WhatIsCutDoesNotMatter) {
  random::Sequence draw(8);
  int cuts = 0;
  for (int run = 0; run < 300; ++run) {
    SamplingOptions options;
    options.temperature = draw.below(3) == 0 ? 0.0 : 0.5 + draw.uniform();
    options.top_k = static_cast<int64_t>(draw.below(12));
    options.typical_p = draw.below(3) == 0 ? 0.7 : 1.0;
    options.xtc_probability = draw.below(3) == 0 ? 0.5 : 0.0;
    options.top_n_sigma = draw.below(4) == 0 ? 1.0 : -1.0;
    options.dry_multiplier = draw.below(4) == 0 ? 0.8 : 0.0;
    options.repeat_penalty = draw.below(2) == 0 ? 1.3 : 1.0;
    if (draw.below(3) == 0) std::ranges::reverse(options.stages);
    options.seed = draw.bits();
    Sampler whole(options, 50), part(options, 50);
    for (int place = 0; place < 12; ++place) {
      const auto token = static_cast<int32_t>(draw.below(50));
      whole.accept(token);
      part.accept(token);
    }
    const auto logits = random_logits(draw, 50);
    const backend::HeadCut cut = part.cut();
    if (cut.top == 0) continue;
    ++cuts;
    std::vector<int32_t> order(50);
    std::iota(order.begin(), order.end(), 0);
    std::erase_if(order, [&](int32_t token) {
      return std::ranges::find(cut.always, token) != cut.always.end();
    });
    std::ranges::sort(order, [&](int32_t a, int32_t b) {
      return logits[size_t(a)] != logits[size_t(b)] ? logits[size_t(a)] > logits[size_t(b)] : a < b;
    });
    std::vector<float> kept(50, -INFINITY);
    for (int64_t rank = 0; rank < std::min(cut.top, std::ssize(order)); ++rank)
      kept[size_t(order[size_t(rank)])] = logits[size_t(order[size_t(rank)])];
    for (const int32_t token : cut.always) kept[size_t(token)] = logits[size_t(token)];
    EXPECT_EQ(part.sample(kept.data(), run), whole.sample(logits.data(), run)) << "run " << run;
  }
  EXPECT_GT(cuts, 50);
}

}  // namespace
}  // namespace bittern::engine
