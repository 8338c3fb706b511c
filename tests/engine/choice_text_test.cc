// One text over made-up logits and a made-up vocabulary: how it ends, what it shows, what may be
// drawn, and that a token takes no memory.
#include "engine/choice_text.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/allocation_count.h"
#include "engine/constraint_cache.h"
#include "engine/fake_tokenizer.h"
#include "throws.h"

namespace bittern::engine {
namespace {

using Tokens = std::vector<int32_t>;

constexpr int32_t kEnd = FakeTokenizer::kEnd;
// The head has two rows more than there are tokens, which would always win.
constexpr int64_t kRows = 12, kTokens = 10;
const FakeTokenizer kTokenizer;

Request greedy() {
  Request request;
  request.prompt = {8};
  request.sampling.temperature = 0.0;
  return request;
}

// A row in which `best` is the likeliest token.
std::vector<float> row_of(int32_t best) {
  std::vector<float> logits(kRows);
  logits[10] = logits[11] = 99.0f;
  logits[static_cast<size_t>(best)] = 5.0f;
  return logits;
}

struct Heard {
  Tokens tokens;
  std::string text;
  std::vector<std::string> pieces;
  std::vector<LogProbabilities> log_probabilities;
  std::optional<Ending> ending;
};

void hear(Heard& heard, Delta delta) {
  heard.tokens.insert(heard.tokens.end(), delta.tokens.begin(), delta.tokens.end());
  heard.text += delta.text;
  if (!delta.text.empty()) heard.pieces.push_back(delta.text);
  std::ranges::move(delta.log_probabilities, std::back_inserter(heard.log_probabilities));
  heard.ending = std::move(delta.ending);
}

// Follows a script again and again: draw n comes from a row where script[n] is the likeliest.
Heard follow(const Tokens& script, const Request& request, int64_t limit = 100) {
  ChoiceText text(request, 0, limit, &kTokenizer, kTokens);
  Heard heard;
  for (size_t index = 0; !text.ended(); ++index) {
    Delta delta;
    text.take(row_of(script[index % script.size()]).data(), delta);
    hear(heard, std::move(delta));
  }
  return heard;
}

TEST(ChoiceText, EndsAtAStopTokenWhichIsNotInTheText) {
  const Heard heard = follow({1, 2, 3, kEnd}, greedy());
  EXPECT_EQ(heard.ending->reason, FinishReason::stop_token);
  EXPECT_EQ(heard.ending->usage.generated_tokens, 4);
  EXPECT_EQ(heard.tokens, (Tokens{1, 2, 3, kEnd}));
  EXPECT_EQ(heard.text, "abc");

  Request request = greedy();
  request.stop_tokens = {3};
  EXPECT_EQ(follow({1, 2, 3, kEnd}, request).tokens, (Tokens{1, 2, 3}));
  EXPECT_EQ(follow({1, 2, 3, kEnd}, request).text, "ab");
}

TEST(ChoiceText, IgnoringStopTokensTakesTheNextBest) {
  Request request = greedy();
  request.ignore_end_of_generation = true;
  request.max_tokens = 3;
  const Heard heard = follow({1, kEnd, 3}, request);
  EXPECT_EQ(heard.ending->reason, FinishReason::max_tokens);
  EXPECT_EQ(heard.tokens, (Tokens{1, 1, 3}));  // of equals the first
}

TEST(ChoiceText, EndsAtTheTokenLimitOrWhereTheContextIsFull) {
  for (const int64_t limit : {0, 1, 5}) {
    Request request = greedy();
    request.max_tokens = limit;
    const Heard heard = follow({1}, request);
    EXPECT_EQ(heard.ending->reason, FinishReason::max_tokens);
    EXPECT_EQ(heard.text, std::string(static_cast<size_t>(limit), 'a'));
  }
  Request request = greedy();
  EXPECT_EQ(follow({1}, request, 7).ending->reason, FinishReason::context_full);
  EXPECT_EQ(follow({1}, request, 7).tokens.size(), 7u);
  EXPECT_EQ(follow({1}, request, 0).ending->reason, FinishReason::context_full);
  request.max_tokens = 7;
  EXPECT_EQ(follow({1}, request, 7).ending->reason, FinishReason::max_tokens);
}

TEST(ChoiceText, StopsBeforeAStopStringThatSpansTokens) {
  Request request = greedy();
  request.stops = {"stop"};
  const Heard heard = follow({1, 4, 5, 3}, request);
  EXPECT_EQ(heard.ending->reason, FinishReason::stop_string);
  EXPECT_EQ(heard.ending->stop, "stop");
  EXPECT_EQ(heard.tokens, (Tokens{1, 4, 5}));
  EXPECT_EQ(heard.text, "a");
}

TEST(ChoiceText, ShowsWhatWasHeldBackWhenNothingCameOfIt) {
  Request request = greedy();
  request.stops = {"stop"};
  const Heard heard = follow({1, 4, kEnd}, request);
  EXPECT_EQ(heard.text, "ast");
  EXPECT_EQ(heard.ending->reason, FinishReason::stop_token);
}

TEST(ChoiceText, ShowsWholeCharactersOnly) {
  const Heard heard = follow({1, 6, 7, 2, 6, 1, kEnd}, greedy());
  EXPECT_EQ(heard.pieces, (std::vector<std::string>{"a", "\xc3\xa9", "b",
                                                    "\xef\xbf\xbd"
                                                    "a"}));
}

TEST(ChoiceText, KeepsTheTextWhenEndedFromOutside) {
  Request request = greedy();
  request.stops = {"stop"};
  ChoiceText text(request, 0, 100, &kTokenizer, kTokens);
  Heard heard;
  for (const int32_t token : {1, 4}) {
    Delta delta;
    text.take(row_of(token).data(), delta);
    hear(heard, std::move(delta));
  }
  EXPECT_EQ(heard.text, "a");
  Delta last;
  text.end(FinishReason::interrupted, last);
  text.end(FinishReason::interrupted, last);  // no more to say
  hear(heard, std::move(last));
  EXPECT_EQ(heard.text, "ast");
  EXPECT_EQ(heard.ending->reason, FinishReason::interrupted);
}

TEST(ChoiceText, ReportsLogProbabilitiesOfEveryTokenFromTheRawLogits) {
  Request request = greedy();
  request.sampling.logit_bias = {{1, 50.0f}};
  request.max_tokens = 2;
  request.top_log_probability_count = 2;
  const auto rows = follow({1, 1}, request).log_probabilities;
  ASSERT_EQ(rows.size(), 2u);
  // One logit of 5 and nine of 0: the padding rows count for nothing, nor does the bias.
  EXPECT_NEAR(rows[0].chosen.value, 5.0 - std::log(std::exp(5.0) + 9.0), 1e-9);
  EXPECT_EQ(rows[0].top.size(), 2u);
}

TEST(ChoiceText, PenaltiesSeeThePrompt) {
  Request request = greedy();
  request.prompt = {1, 8};
  request.sampling.presence_penalty = 10.0;
  request.max_tokens = 1;
  EXPECT_NE(follow({1}, request).tokens.front(), 1);
}

TEST(ChoiceText, MatchesItsGrammarWhateverIsLikeliest) {
  ConstraintCache constraints(kTokenizer);
  Request request = greedy();
  request.constraint = constraints.regex("a(b|st)c");
  const Heard heard = follow({9, 4, 8}, request);
  EXPECT_EQ(heard.text, "astc");
  EXPECT_EQ(heard.ending->reason, FinishReason::stop_token);
  // No token of this vocabulary has a digit.
  request.constraint = constraints.regex("a7");
  const Heard stuck = follow({1}, request);
  EXPECT_EQ(stuck.ending->reason, FinishReason::failed);
  EXPECT_NE(stuck.ending->error.find("the grammar allows none"), std::string::npos);
}

TEST(ChoiceText, ATokenThatCannotBeDrawnEndsItAndSaysWhy) {
  Request request = greedy();
  for (int32_t token = 0; token < kTokens; ++token)
    request.sampling.logit_bias.push_back({token, -INFINITY});
  const Heard heard = follow({1}, request);
  EXPECT_EQ(heard.ending->reason, FinishReason::failed);
  EXPECT_NE(heard.ending->error.find("no token can be chosen"), std::string::npos);
}

// What of a row is needed: the whole of it as long as something bars tokens.
TEST(ChoiceText, AsksForWholeRowsWhereTheyMatter) {
  const auto cut = [](const Request& request, int64_t guesses, int64_t drawn) {
    ChoiceText text(request, 0, 100, &kTokenizer, kTokens);
    for (int64_t index = 0; index < drawn; ++index) {
      Delta delta;
      text.take(row_of(1).data(), delta);
    }
    return text.cut(guesses).top;
  };
  Request request = greedy();
  EXPECT_EQ(cut(request, 0, 0), 1);
  EXPECT_EQ(cut(request, 3, 2), 1);
  request.sampling.presence_penalty = 1.0;
  EXPECT_EQ(cut(request, 0, 2), 1);
  EXPECT_EQ(cut(request, 1, 2), 0) << "what a guess changes is not known before it is drawn";
  request = greedy();
  request.top_log_probability_count = 0;
  EXPECT_EQ(cut(request, 0, 2), 0);
  request = greedy();
  request.min_tokens = 3;
  EXPECT_EQ(cut(request, 0, 2), 0);
  EXPECT_EQ(cut(request, 0, 3), 1) << "ends are allowed again";
  request = greedy();
  request.best_of = 2;
  EXPECT_EQ(cut(request, 0, 0), 0);
  request = greedy();
  ConstraintCache constraints(kTokenizer);
  request.constraint = constraints.regex("a+");
  EXPECT_EQ(cut(request, 0, 2), 0);
}

TEST(ChoiceText, AllocatesNothingPerToken) {
  if (!test::allocations_are_counted()) GTEST_SKIP() << "ThreadSanitizer replaces operator new";
  Request request;
  request.prompt = {8};
  request.sampling.repeat_penalty = 1.1;
  request.stops = {"stop", "xyz"};
  ChoiceText text(request, 0, 5000, &kTokenizer, kTokens);
  const std::vector<float> row = row_of(1);
  Delta delta;
  delta.tokens.reserve(4000);
  delta.text.reserve(40000);
  int64_t before = 0;
  for (int64_t index = 0; index < 4000 && !text.ended(); ++index) {
    if (index == 100) before = test::allocation_count();
    text.take(row.data(), delta);
  }
  ASSERT_GT(text.generated(), 200);
  EXPECT_GT(before, 0);  // the counter counts
  EXPECT_EQ(test::allocation_count(), before);
}

}  // namespace
}  // namespace bittern::engine
