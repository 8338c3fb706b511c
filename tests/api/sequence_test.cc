// Logits through the C API: those that generation draws from, however the tokens are cut.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <thread>

#include "api/api_support.h"

namespace bittern::test {
namespace {

using Floats = std::vector<float>;

SequenceHandle sequence_of(bittern_model* model, int64_t positions = 0) {
  bittern_sequence* sequence = nullptr;
  EXPECT_EQ(outcome(bittern_sequence_new(model, positions, &sequence)), "ok");
  return SequenceHandle(sequence);
}

class ApiSequence : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    model_ = load_example();
    vocab_size_ = static_cast<size_t>(info_of(model_.get()).vocab_size);
  }
  static void TearDownTestSuite() { model_.reset(); }

  static Floats eval(const SequenceHandle& sequence, const std::vector<int32_t>& tokens,
                     size_t wanted) {
    Floats logits(wanted * vocab_size_);
    EXPECT_EQ(outcome(bittern_sequence_eval(sequence.get(), tokens.data(), tokens.size(), wanted,
                                            logits.data(), logits.size())),
              "ok");
    return logits;
  }
  static int64_t length_of(const SequenceHandle& sequence) {
    int64_t length = -1;
    EXPECT_EQ(bittern_sequence_length(sequence.get(), &length), BITTERN_OK);
    return length;
  }
  // A text of about a hundred tokens.
  static std::vector<int32_t> long_text() {
    std::string text;
    for (int i = 0; i < 20; ++i) text += "The bird saw a tree. ";
    std::vector<int32_t> tokens = tokenize(model_.get(), text);
    EXPECT_GT(tokens.size(), 70u);
    return tokens;
  }

  inline static ModelHandle model_;
  inline static size_t vocab_size_ = 0;
};

TEST_F(ApiSequence, TheLikeliestTokensAreTheGreedyText) {
  bittern_generate_options options = generate_options(model_.get());
  options.temperature = 0;
  const std::vector<int32_t> expected = generate(model_.get(), options)[0].tokens;
  const SequenceHandle sequence = sequence_of(model_.get());
  std::vector<int32_t> next = tokenize(model_.get(), "Once upon a time"), made;
  while (made.size() < expected.size()) {
    const Floats logits = eval(sequence, next, 1);
    next = {static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin())};
    made.push_back(next[0]);
  }
  EXPECT_EQ(made, expected);
}

TEST_F(ApiSequence, HoweverTheTokensAreCut) {
  const std::vector<int32_t> tokens = long_text();
  const SequenceHandle whole = sequence_of(model_.get());
  const Floats all = eval(whole, tokens, tokens.size());
  EXPECT_EQ(length_of(whole), static_cast<int64_t>(tokens.size()));
  const SequenceHandle single = sequence_of(model_.get());
  Floats one_by_one;
  for (const int32_t token : tokens) {
    const Floats row = eval(single, {token}, 1);
    one_by_one.insert(one_by_one.end(), row.begin(), row.end());
  }
  EXPECT_EQ(all, one_by_one);
  ASSERT_EQ(outcome(bittern_sequence_reset(single.get())), "ok");
  EXPECT_EQ(length_of(single), 0);
  eval(single, {tokens.begin(), tokens.begin() + 20}, 0);
  const Floats last = eval(single, {tokens.begin() + 20, tokens.end()}, 40);
  EXPECT_EQ(last, Floats(all.end() - static_cast<ptrdiff_t>(last.size()), all.end()));
}

TEST_F(ApiSequence, GiveTheLogProbabilitiesOfTheEngine) {
  bittern_generate_options options = generate_options(model_.get());
  options.prompt_logprobs = 0;
  options.max_tokens = 1;
  const Text text = generate(model_.get(), options)[0];
  const std::vector<int32_t> tokens = tokenize(model_.get(), "Once upon a time");
  const Floats logits = eval(sequence_of(model_.get()), tokens, tokens.size());
  ASSERT_EQ(text.prompt_logprobs.size() + 1, tokens.size());
  for (size_t i = 1; i < tokens.size(); ++i) {
    const float* row = logits.data() + (i - 1) * vocab_size_;
    double sum = 0;
    for (size_t token = 0; token < vocab_size_; ++token) sum += std::exp(double{row[token]});
    EXPECT_NEAR(text.prompt_logprobs[i - 1].logprob, row[tokens[i]] - std::log(sum), 1e-9);
  }
}

TEST_F(ApiSequence, BesideRequestsTheSame) {
  const std::vector<int32_t> tokens = long_text();
  const Floats alone = eval(sequence_of(model_.get()), tokens, tokens.size());
  const bittern_generate_options options = generate_options(model_.get());
  const std::string text = text_of(model_.get(), options);
  std::thread other([&] {
    for (int i = 0; i < 10; ++i) EXPECT_EQ(text_of(model_.get(), options), text);
  });
  for (int i = 0; i < 10; ++i) {
    const SequenceHandle sequence = sequence_of(model_.get(), 256);
    EXPECT_EQ(eval(sequence, tokens, tokens.size()), alone);
  }
  other.join();
}

TEST_F(ApiSequence, WhatCannotBeLeavesItAsItWas) {
  const SequenceHandle sequence = sequence_of(model_.get(), 8);
  eval(sequence, {1, 2, 3}, 0);
  Floats logits(vocab_size_);
  const std::vector<int32_t> six{1, 2, 3, 4, 5, 6}, wrong{1, 1 << 30};
  const auto refused = [&](const std::vector<int32_t>& tokens, size_t wanted, size_t capacity) {
    return outcome(bittern_sequence_eval(sequence.get(), tokens.data(), tokens.size(), wanted,
                                         logits.data(), capacity));
  };
  EXPECT_EQ(refused(six, 1, vocab_size_), "2: tokens: 6, but the sequence has room for 5");
  EXPECT_EQ(refused(wrong, 1, vocab_size_).substr(0, 14), "2: tokens: 0 t");
  EXPECT_EQ(refused({}, 0, 0), "2: tokens: at least one expected");
  EXPECT_EQ(refused({1}, 2, vocab_size_), "2: wanted: at most 1 (the tokens) expected, got 2");
  EXPECT_EQ(refused({1, 2}, 2, vocab_size_).substr(0, 23), "2: capacity: at least 8");
  EXPECT_EQ(bittern_sequence_eval(sequence.get(), nullptr, 1, 0, nullptr, 0), BITTERN_ERROR_USAGE);
  EXPECT_EQ(bittern_sequence_eval(sequence.get(), six.data(), 1, 1, nullptr, vocab_size_),
            BITTERN_ERROR_USAGE);
  EXPECT_EQ(bittern_sequence_eval(nullptr, six.data(), 1, 0, nullptr, 0), BITTERN_ERROR_USAGE);
  EXPECT_EQ(bittern_sequence_reset(nullptr), BITTERN_ERROR_USAGE);
  EXPECT_EQ(bittern_sequence_length(sequence.get(), nullptr), BITTERN_ERROR_USAGE);
  EXPECT_EQ(length_of(sequence), 3);
  bittern_sequence* none = nullptr;
  const int64_t context = info_of(model_.get()).context;
  EXPECT_EQ(
      outcome(bittern_sequence_new(model_.get(), context + 1, &none)),
      fmt::format("2: positions: 0 (the context) to {} expected, got {}", context, context + 1));
  EXPECT_EQ(bittern_sequence_new(nullptr, 0, &none), BITTERN_ERROR_USAGE);
  EXPECT_EQ(bittern_sequence_new(model_.get(), 0, nullptr), BITTERN_ERROR_USAGE);
}

TEST_F(ApiSequence, OutlivesItsModelButDoesNothingMore) {
  ModelHandle model = load_example();
  const SequenceHandle sequence = sequence_of(model.get(), 16);
  eval(sequence, {1, 2}, 1);
  model.reset();
  const int32_t token = 3;
  EXPECT_EQ(outcome(bittern_sequence_eval(sequence.get(), &token, 1, 0, nullptr, 0)),
            "2: model: it was freed");
}

}  // namespace
}  // namespace bittern::test
