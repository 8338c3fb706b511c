// The generation loop over a made-up model and vocabulary: how it ends, what it shows, how it
// feeds the prompt, and that a step allocates nothing.
#include "engine/generate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/allocation_count.h"
#include "throws.h"

namespace bittern::engine {
namespace {

constexpr int32_t kEnd = 0;
constexpr int64_t kVocab = 12;

// Token n is piece n; token 0 ends the text. Two tokens are halves of one character.
class FakeTokenizer final : public text::Tokenizer {
 public:
  FakeTokenizer() : Tokenizer(vocabulary()) {}
  std::vector<int32_t> encode(std::string_view, const text::EncodeOptions&) const override {
    return {};
  }
  std::string token_bytes(int32_t id, const text::DecodeOptions&) const override {
    return spec_.tokens[static_cast<size_t>(id)];
  }

 private:
  static text::VocabSpec vocabulary() {
    text::VocabSpec spec;
    spec.tokens = {"<end>", "a", "b", "c", "st", "op", "\xc3", "\xa9", " ", "x"};
    spec.end_of_generation = {kEnd};
    return spec;
  }
};

// Follows a script: after n generated tokens the likeliest token is script[n]. The vocabulary is
// padded with rows that would always win.
class Script {
 public:
  explicit Script(std::vector<int32_t> tokens, int64_t prompt_length, int64_t context = 100)
      : tokens_(std::move(tokens)), prompt_length_(prompt_length), context_(context) {}

  LogitSource source(int64_t max_step_tokens = 4) {
    return {.step = [this](std::span<const int32_t> tokens) { return step(tokens); },
            .vocab_size = kVocab,
            .context = context_,
            .max_step_tokens = max_step_tokens};
  }

  std::vector<size_t> step_sizes;
  std::vector<int32_t> fed;

 private:
  const float* step(std::span<const int32_t> tokens) {
    if (step_sizes.size() < step_sizes.capacity()) step_sizes.push_back(tokens.size());
    if (fed.size() + tokens.size() <= fed.capacity())
      fed.insert(fed.end(), tokens.begin(), tokens.end());
    length_ += static_cast<int64_t>(tokens.size());
    std::fill(logits_.begin(), logits_.end(), 0.0f);
    logits_[10] = logits_[11] = 99.0f;
    const auto next = static_cast<size_t>(std::max<int64_t>(0, length_ - prompt_length_));
    logits_[static_cast<size_t>(tokens_[next % tokens_.size()])] = 5.0f;
    return logits_.data();
  }

  std::vector<int32_t> tokens_;
  int64_t prompt_length_, context_, length_ = 0;
  std::vector<float> logits_ = std::vector<float>(kVocab);
};

struct Outcome {
  Generation generation;
  std::string text;
  std::vector<std::string> pieces;
};

GenerateOptions greedy() {
  GenerateOptions options;
  options.sampling.temperature = 0.0;
  return options;
}

Outcome run(Script& script, const std::vector<int32_t>& prompt, const GenerateOptions& options,
            int64_t max_step_tokens = 4) {
  const FakeTokenizer tokenizer;
  script.step_sizes.reserve(100);
  script.fed.reserve(1000);
  Outcome outcome;
  outcome.generation = generate(script.source(max_step_tokens), tokenizer, prompt, options,
                                [&](std::string_view piece) {
                                  outcome.text += piece;
                                  outcome.pieces.emplace_back(piece);
                                });
  return outcome;
}

TEST(Generate, EndsAtAStopTokenWhichIsNotInTheText) {
  Script script({1, 2, 3, kEnd}, 2);
  const Outcome outcome = run(script, {8, 8}, greedy());
  EXPECT_EQ(outcome.generation.finish_reason, FinishReason::stop_token);
  EXPECT_EQ(outcome.generation.tokens, (std::vector<int32_t>{1, 2, 3, kEnd}));
  EXPECT_EQ(outcome.text, "abc");
  EXPECT_EQ(outcome.generation.decode_steps, 3);
}

TEST(Generate, IgnoringStopTokensTakesTheNextBest) {
  Script script({1, kEnd, 3}, 1);
  GenerateOptions options = greedy();
  options.ignore_end_of_generation = true;
  options.max_tokens = 3;
  const Outcome outcome = run(script, {8}, options);
  EXPECT_EQ(outcome.generation.finish_reason, FinishReason::max_tokens);
  EXPECT_EQ(outcome.generation.tokens, (std::vector<int32_t>{1, 1, 3}));  // of equals the first
}

TEST(Generate, EndsAtTheTokenLimitAndNoStepIsWasted) {
  for (const int64_t limit : {0, 1, 5}) {
    Script script({1}, 1);
    GenerateOptions options = greedy();
    options.max_tokens = limit;
    const Outcome outcome = run(script, {8}, options);
    EXPECT_EQ(outcome.generation.finish_reason, FinishReason::max_tokens);
    EXPECT_EQ(outcome.text, std::string(static_cast<size_t>(limit), 'a'));
    EXPECT_EQ(static_cast<int64_t>(script.step_sizes.size()), limit);
  }
}

TEST(Generate, EndsWhereTheContextIsFull) {
  Script script({1}, 3, 10);
  const Outcome outcome = run(script, {8, 8, 8}, greedy());
  EXPECT_EQ(outcome.generation.finish_reason, FinishReason::context_full);
  EXPECT_EQ(outcome.generation.tokens.size(), 7u);
  EXPECT_LE(script.fed.size(), 10u);
}

TEST(Generate, FeedsThePromptInStepsThenTokenByToken) {
  Script script({1, 2, kEnd}, 7);
  const std::vector<int32_t> prompt{8, 9, 8, 9, 8, 9, 9};
  const Outcome outcome = run(script, prompt, greedy(), 3);
  EXPECT_EQ(script.step_sizes, (std::vector<size_t>{3, 3, 1, 1, 1}));
  EXPECT_EQ(script.fed, (std::vector<int32_t>{8, 9, 8, 9, 8, 9, 9, 1, 2}));
  EXPECT_EQ(outcome.text, "ab");
}

TEST(Generate, StopsBeforeAStopStringThatSpansTokens) {
  Script script({1, 4, 5, 3}, 1);
  GenerateOptions options = greedy();
  options.stops = {"stop"};
  const Outcome outcome = run(script, {8}, options);
  EXPECT_EQ(outcome.generation.finish_reason, FinishReason::stop_string);
  EXPECT_EQ(outcome.generation.stop, "stop");
  EXPECT_EQ(outcome.generation.tokens, (std::vector<int32_t>{1, 4, 5}));
  EXPECT_EQ(outcome.text, "a");
}

TEST(Generate, ShowsWhatWasHeldBackWhenNothingCameOfIt) {
  Script script({1, 4, kEnd}, 1);
  GenerateOptions options = greedy();
  options.stops = {"stop"};
  const Outcome outcome = run(script, {8}, options);
  EXPECT_EQ(outcome.text, "ast");
  EXPECT_EQ(outcome.generation.finish_reason, FinishReason::stop_token);
}

TEST(Generate, ShowsWholeCharactersOnly) {
  Script script({1, 6, 7, 2, 6, 1, kEnd}, 1);
  const Outcome outcome = run(script, {8}, greedy());
  EXPECT_EQ(outcome.pieces, (std::vector<std::string>{"a", "\xc3\xa9", "b",
                                                      "\xef\xbf\xbd"
                                                      "a"}));
}

TEST(Generate, KeepsTheTextWhenCancelled) {
  Script script({1}, 1);
  GenerateOptions options = greedy();
  int asked = 0;
  options.cancelled = [&] { return ++asked > 4; };
  const Outcome outcome = run(script, {8}, options);
  EXPECT_EQ(outcome.generation.finish_reason, FinishReason::interrupted);
  EXPECT_EQ(outcome.text, "aaaa");

  Script second({1}, 1);
  options.cancelled = [] { return true; };
  EXPECT_EQ(run(second, {8}, options).text, "");
  EXPECT_TRUE(second.fed.empty());
}

TEST(Generate, ReportsLogProbabilitiesOfEveryTokenFromTheRawLogits) {
  Script script({1, kEnd}, 1);
  GenerateOptions options = greedy();
  options.sampling.logit_bias = {{1, 50.0f}};
  options.top_log_probability_count = 2;
  const Outcome outcome = run(script, {8}, options);
  const auto& rows = outcome.generation.log_probabilities;
  ASSERT_EQ(rows.size(), outcome.generation.tokens.size());
  // One logit of 5 and nine of 0: the padding rows count for nothing, nor does the bias.
  EXPECT_NEAR(rows[0].chosen.value, 5.0 - std::log(std::exp(5.0) + 9.0), 1e-9);
  EXPECT_EQ(rows[0].top.size(), 2u);
}

TEST(Generate, PenaltiesSeeThePrompt) {
  Script script({1}, 2);
  GenerateOptions options = greedy();
  options.sampling.presence_penalty = 10.0;
  options.max_tokens = 1;
  EXPECT_NE(run(script, {1, 8}, options).generation.tokens.front(), 1);
}

TEST(Generate, RefusesAPromptThatIsEmptyOrTooLong) {
  Script script({1}, 1, 3);
  const auto empty = test::thrown_by([&] { run(script, {}, greedy()); });
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->kind, ErrorKind::usage);
  EXPECT_EQ(test::message_of([&] {
              run(script, {1, 1, 1, 1}, greedy());
            }),
            "the prompt has 4 tokens, the context 3: shorten it or raise --context");
}

TEST(Generate, AllocatesNothingPerToken) {
  if (!test::allocations_are_counted()) GTEST_SKIP() << "ThreadSanitizer replaces operator new";
  const auto allocations = [](int64_t tokens) {
    Script script({1, 2, 4, 3}, 1, 5000);
    const FakeTokenizer tokenizer;
    const LogitSource source = script.source();
    GenerateOptions options;
    options.sampling.repeat_penalty = 1.1;
    options.max_tokens = tokens;
    options.stops = {"stop", "xyz"};
    size_t shown = 0;
    const std::function<void(std::string_view)> emit = [&](std::string_view piece) {
      shown += piece.size();
    };
    const int64_t before = test::allocation_count();
    generate(source, tokenizer, std::vector<int32_t>{8}, options, emit);
    EXPECT_GT(shown, 0u);
    return test::allocation_count() - before;
  };
  const int64_t few = allocations(10);
  EXPECT_GT(few, 0);  // the counter counts
  EXPECT_EQ(allocations(4000), few);
}

}  // namespace
}  // namespace bittern::engine
