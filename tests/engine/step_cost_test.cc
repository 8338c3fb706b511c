#include "engine/step_cost.h"

#include <gtest/gtest.h>

namespace bittern::engine {
namespace {

TEST(StepCost, AloneAPromptMayFillTheStep) {
  const StepCost cost;
  EXPECT_EQ(cost.prompt_rows(0, 512), 512);
}

TEST(StepCost, BeforeAnythingIsKnownAFewRows) {
  const StepCost cost;
  EXPECT_EQ(cost.prompt_rows(1, 512), StepCost::kFirstRows);
  EXPECT_EQ(cost.prompt_rows(1, 7), 7);
}

// Steps of 20 ms and 1 ms a row: a step with the rows it allows takes kGap decoding ones.
TEST(StepCost, LearnsFromMixedSteps) {
  StepCost cost;
  for (int step = 0; step < 40; ++step) {
    cost.observe(4, 0, 0.024);
    cost.observe(4, 32, 0.056);
  }
  EXPECT_NEAR(static_cast<double>(cost.prompt_rows(4, 512)), (StepCost::kGap - 1.0) * 24.0, 1.0);
  // Of a number that was not seen the nearest counts.
  EXPECT_EQ(cost.prompt_rows(5, 512), cost.prompt_rows(4, 512));
}

TEST(StepCost, HoweverDearARowAPromptGoesOn) {
  StepCost cost;
  cost.observe(1, 0, 0.001);
  cost.observe(0, 10, 10.0);
  EXPECT_EQ(cost.prompt_rows(1, 512), StepCost::kLeastRows);
}

TEST(StepCost, GuessesAreComputedWhereTheyGain) {
  StepCost cost;
  EXPECT_EQ(cost.guess_rows(1, 0.9, 8), 8) << "nothing is known: tried";
  cost.observe(1, 0, 0.020);
  EXPECT_EQ(cost.guess_rows(1, 0.9, 8), 8) << "dearer steps were not seen: tried";
  for (int64_t rows = 2; rows <= 9; ++rows)
    cost.observe(rows, 0, 0.020 + 0.002 * static_cast<double>(rows - 1));
  EXPECT_EQ(cost.guess_rows(1, 0.95, 8), 8);
  EXPECT_EQ(cost.guess_rows(1, 0.05, 8), 0);
  const int64_t some = cost.guess_rows(1, 0.6, 8);
  EXPECT_GT(some, 0);
  EXPECT_LT(some, 8);
}

TEST(StepCost, GuessesThatCostWhatTheyGiveAreNotComputed) {
  StepCost cost;
  for (int64_t rows = 1; rows <= 16; ++rows)
    cost.observe(rows, 0, 0.010 * static_cast<double>(rows));
  EXPECT_EQ(cost.guess_rows(1, 0.99, 8), 0);
  EXPECT_EQ(cost.guess_rows(8, 0.99, 8), 0);
}

}  // namespace
}  // namespace bittern::engine
