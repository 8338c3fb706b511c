#include "engine/model_drafter.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/fake_model.h"

namespace bittern::engine {
namespace {

constexpr int64_t kVocab = 30;
constexpr StepLimits kLimits = {
    .vocab_size = kVocab, .context = 500, .page_count = 4, .max_rows = 16, .max_logit_rows = 1};

// What the model goes on with.
std::vector<int32_t> continued(const FakeModel& model, std::vector<int32_t> tokens, int64_t count) {
  std::vector<float> logits(kVocab);
  for (int64_t made = 0; made < count; ++made) {
    model.logits_after(tokens, logits.data());
    tokens.push_back(static_cast<int32_t>(std::ranges::max_element(logits) - logits.begin()));
  }
  return tokens;
}

class ModelDrafterTest : public testing::Test {
 protected:
  FakeModel model_{kLimits};
  DraftModel drafts_{model_, [this] { return model_.now; }};
  std::unique_ptr<Drafter> drafter_ = drafts_.make_drafter();
};

TEST_F(ModelDrafterTest, GuessesWhatTheModelSays) {
  const std::vector<int32_t> text = {1, 2, 3};
  const auto longer = continued(model_, text, 4);
  EXPECT_EQ(drafter_->guess(text, {4}).tokens, std::vector(longer.begin() + 3, longer.end()));
}

// After some right guesses and a wrong one it goes on from the text.
TEST_F(ModelDrafterTest, FollowsTheTextNotItsGuesses) {
  std::vector<int32_t> text = {1, 2, 3};
  (void)drafter_->guess(text, {4});
  text = continued(model_, text, 2);
  text.push_back((continued(model_, text, 1).back() + 1) % kVocab);
  const auto longer = continued(model_, text, 3);
  EXPECT_EQ(drafter_->guess(text, {3}).tokens, std::vector(longer.end() - 3, longer.end()));
}

TEST_F(ModelDrafterTest, ALongTextIsReadOverSeveralSteps) {
  std::vector<int32_t> text(40, 5);
  EXPECT_TRUE(drafter_->guess(text, {4}).tokens.empty());
  EXPECT_TRUE(drafter_->guess(text, {4}).tokens.empty());
  EXPECT_EQ(drafter_->guess(text, {4}).tokens.size(), 4u);
}

TEST_F(ModelDrafterTest, WithoutPagesItHasNoIdea) {
  std::vector<std::unique_ptr<Drafter>> others;
  for (int text = 0; text < 3; ++text) {
    others.push_back(drafts_.make_drafter());
    EXPECT_EQ(others.back()->guess(std::vector<int32_t>(3, text), {2}).tokens.size(), 2u);
  }
  EXPECT_EQ(drafter_->guess(std::vector<int32_t>{9}, {2}).tokens.size(), 2u);
  const auto one_more = drafts_.make_drafter();
  EXPECT_TRUE(one_more->guess(std::vector<int32_t>{9}, {2}).tokens.empty());
  others.clear();
  EXPECT_EQ(one_more->guess(std::vector<int32_t>{9}, {2}).tokens.size(), 2u);
}

TEST_F(ModelDrafterTest, StopsWhereAGuessTakesLongerThanWhatItSaves) {
  const std::vector<int32_t> text = {1, 2, 3};
  (void)drafter_->guess(text, {4});  // a guess takes 21 ms here
  EXPECT_EQ(drafter_->guess(text, {4, 0.1}).tokens.size(), 4u);
  EXPECT_LT(drafter_->guess(text, {4, 0.035}).tokens.size(), 3u);
  EXPECT_TRUE(drafter_->guess(text, {4, 0.02}).tokens.empty());
}

}  // namespace
}  // namespace bittern::engine
