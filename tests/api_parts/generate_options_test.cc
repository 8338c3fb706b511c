// Every field of bittern_generate_options arrives in the request: each is given a value of its own
// and is looked for.
#include "api/generate_options.h"

#include <gtest/gtest.h>

#include <memory>

namespace bittern::api {
namespace {

std::unique_ptr<Instance> example() {
  return std::make_unique<Instance>(
      InstanceOptions{.model = BITTERN_SOURCE "/models/bittern-stories.gguf",
                      .gguf_dialect = "",
                      .session = {},
                      .max_queued_requests = 1});
}

TEST(GenerateOptions, EveryNumberArrives) {
  const auto instance = example();
  bittern_generate_options given = default_generate_options(nullptr);
  const int32_t prompt[] = {5, 6};
  given.prompt_tokens = prompt;
  given.prompt_token_count = 2;
  given.max_tokens = 101;
  given.min_tokens = 3;
  given.seed = 104;
  given.temperature = 0.105;
  given.top_k = 106;
  given.top_p = 0.107;
  given.min_p = 0.108;
  given.typical_p = 0.109;
  given.top_n_sigma = 1.10;
  given.xtc_probability = 0.111;
  given.xtc_threshold = 0.112;
  given.repeat_penalty = 1.13;
  given.frequency_penalty = 1.14;
  given.presence_penalty = 1.15;
  given.repeat_last_n = 116;
  given.dry_multiplier = 1.17;
  given.dry_base = 1.18;
  given.dry_allowed_length = 119;
  given.dry_last_n = 120;
  given.n = 2;
  given.best_of = 4;
  given.logprobs = 7;
  given.prompt_logprobs = 8;
  given.priority = -9;
  given.ignore_eos = 1;
  given.reuse_prefix = 0;
  const engine::Request request = request_of(*instance, &given);
  const engine::SamplingOptions& sampling = request.sampling;
  EXPECT_EQ(request.prompt, (std::vector<int32_t>{5, 6}));
  EXPECT_EQ(request.max_tokens, 101);
  EXPECT_EQ(request.min_tokens, 3);
  EXPECT_EQ(sampling.seed, 104u);
  EXPECT_EQ(sampling.temperature, 0.105);
  EXPECT_EQ(sampling.top_k, 106);
  EXPECT_EQ(sampling.top_p, 0.107);
  EXPECT_EQ(sampling.min_p, 0.108);
  EXPECT_EQ(sampling.typical_p, 0.109);
  EXPECT_EQ(sampling.top_n_sigma, 1.10);
  EXPECT_EQ(sampling.xtc_probability, 0.111);
  EXPECT_EQ(sampling.xtc_threshold, 0.112);
  EXPECT_EQ(sampling.repeat_penalty, 1.13);
  EXPECT_EQ(sampling.frequency_penalty, 1.14);
  EXPECT_EQ(sampling.presence_penalty, 1.15);
  EXPECT_EQ(sampling.repeat_last_n, 116);
  EXPECT_EQ(sampling.dry_multiplier, 1.17);
  EXPECT_EQ(sampling.dry_base, 1.18);
  EXPECT_EQ(sampling.dry_allowed_length, 119);
  EXPECT_EQ(sampling.dry_last_n, 120);
  EXPECT_EQ(request.choices, 2);
  EXPECT_EQ(request.best_of, 4);
  EXPECT_EQ(request.top_log_probability_count, 7);
  EXPECT_EQ(request.prompt_log_probability_count, 8);
  EXPECT_EQ(request.priority, -9);
  EXPECT_TRUE(request.ignore_end_of_generation);
  EXPECT_FALSE(request.reuse_prefix);
}

TEST(GenerateOptions, EveryTextAndListArrives) {
  const auto instance = example();
  bittern_generate_options given = default_generate_options(nullptr);
  const char* stops[] = {"a", "b"};
  const char* breakers[] = {"c"};
  const int32_t stop_tokens[] = {11, 12};
  const bittern_logit_bias bias[] = {{13, -0.5f}};
  given.prompt = "Once";
  given.stops = stops;
  given.stop_count = 2;
  given.stop_tokens = stop_tokens;
  given.stop_token_count = 2;
  given.dry_breakers = breakers;
  given.dry_breaker_count = 1;
  given.samplers = "temperature,top_k";
  given.logit_bias = bias;
  given.logit_bias_count = 1;
  given.tenant = "somebody";
  given.regex = "a+";
  const engine::Request request = request_of(*instance, &given);
  using engine::SamplerStage;
  EXPECT_EQ(request.prompt, instance->tokenizer().encode("Once"));
  EXPECT_EQ(request.stops, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(request.stop_tokens, (std::vector<int32_t>{11, 12}));
  EXPECT_EQ(request.sampling.dry_breakers, (std::vector<std::string>{"c"}));
  EXPECT_EQ(request.sampling.stages,
            (std::vector<SamplerStage>{SamplerStage::temperature, SamplerStage::top_k}));
  ASSERT_EQ(request.sampling.logit_bias.size(), 1u);
  EXPECT_EQ(request.sampling.logit_bias[0].token, 13);
  EXPECT_EQ(request.sampling.logit_bias[0].bias, -0.5f);
  EXPECT_EQ(request.tenant, "somebody");
  EXPECT_NE(request.constraint, nullptr);
  // Nothing more was asked for.
  EXPECT_FALSE(request.max_tokens);
  EXPECT_FALSE(request.top_log_probability_count);
  EXPECT_FALSE(request.prompt_log_probability_count);
  EXPECT_EQ(request.choices, 1);
  EXPECT_TRUE(request.reuse_prefix);
}

TEST(GenerateOptions, DefaultsAreTheSamplersOwn) {
  const engine::SamplingOptions expected;
  const bittern_generate_options given = default_generate_options(nullptr);
  EXPECT_EQ(given.temperature, expected.temperature);
  EXPECT_EQ(given.top_k, expected.top_k);
  EXPECT_EQ(given.top_p, expected.top_p);
  EXPECT_EQ(given.min_p, expected.min_p);
  EXPECT_EQ(given.typical_p, expected.typical_p);
  EXPECT_EQ(given.top_n_sigma, expected.top_n_sigma);
  EXPECT_EQ(given.xtc_probability, expected.xtc_probability);
  EXPECT_EQ(given.xtc_threshold, expected.xtc_threshold);
  EXPECT_EQ(given.repeat_penalty, expected.repeat_penalty);
  EXPECT_EQ(given.frequency_penalty, expected.frequency_penalty);
  EXPECT_EQ(given.presence_penalty, expected.presence_penalty);
  EXPECT_EQ(given.repeat_last_n, expected.repeat_last_n);
  EXPECT_EQ(given.dry_multiplier, expected.dry_multiplier);
  EXPECT_EQ(given.dry_base, expected.dry_base);
  EXPECT_EQ(given.dry_allowed_length, expected.dry_allowed_length);
  EXPECT_EQ(given.dry_last_n, expected.dry_last_n);
}

// A negative count of tokens to look back at means all.
TEST(GenerateOptions, NegativeMeansAll) {
  const auto instance = example();
  bittern_generate_options given = default_generate_options(nullptr);
  given.prompt = "Once";
  given.repeat_last_n = -5;
  given.dry_last_n = -5;
  const engine::Request request = request_of(*instance, &given);
  EXPECT_EQ(request.sampling.repeat_last_n, instance->session().options.context);
  EXPECT_EQ(request.sampling.dry_last_n, -1);
}

}  // namespace
}  // namespace bittern::api
