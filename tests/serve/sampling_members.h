// Members of a request that say how to sample, no value a default, and what they are once read
// (SamplingFields) and at the engine (SamplingOptions). Not among them: what the two have in
// different forms (seed, top_k, repeat_last_n, logit_bias).
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/sampling_options.h"

namespace bittern::serve::test {

inline const std::string kSamplingMembers = R"(
    "temperature": 0.5, "top_p": 0.25, "min_p": 0.01, "typical_p": 0.9, "top_n_sigma": 1.5,
    "presence_penalty": 0.1, "frequency_penalty": -0.2, "repeat_penalty": 1.1,
    "xtc_probability": 0.3, "xtc_threshold": 0.2, "dry_multiplier": 0.8, "dry_base": 1.5,
    "dry_allowed_length": 3, "dry_penalty_last_n": 64, "dry_sequence_breakers": ["\n"],
    "samplers": ["top_k", "temperature"])";

template <typename Sampling>
void expect_sampling_members(const Sampling& sampling) {
  EXPECT_EQ(sampling.temperature, 0.5);
  EXPECT_EQ(sampling.top_p, 0.25);
  EXPECT_EQ(sampling.min_p, 0.01);
  EXPECT_EQ(sampling.typical_p, 0.9);
  EXPECT_EQ(sampling.top_n_sigma, 1.5);
  EXPECT_EQ(sampling.presence_penalty, 0.1);
  EXPECT_EQ(sampling.frequency_penalty, -0.2);
  EXPECT_EQ(sampling.repeat_penalty, 1.1);
  EXPECT_EQ(sampling.xtc_probability, 0.3);
  EXPECT_EQ(sampling.xtc_threshold, 0.2);
  EXPECT_EQ(sampling.dry_multiplier, 0.8);
  EXPECT_EQ(sampling.dry_base, 1.5);
  EXPECT_EQ(sampling.dry_allowed_length, 3);
  EXPECT_EQ(sampling.dry_last_n, 64);
  EXPECT_EQ(sampling.dry_breakers, std::vector<std::string>{"\n"});
  EXPECT_EQ(sampling.stages,
            (std::vector{engine::SamplerStage::top_k, engine::SamplerStage::temperature}));
}

}  // namespace bittern::serve::test
