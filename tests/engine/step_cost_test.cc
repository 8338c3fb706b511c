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

// One neighbour more or less than ever decoded alone must not make a prompt's rows look as dear as
// the whole step: it would crawl by kLeastRows.
TEST(StepCost, NeighboursThatComeAndGoDoNotStopAPrompt) {
  StepCost cost;
  cost.observe(8, 0, 0.024);
  for (int step = 0; step < 40; ++step) {
    const int64_t decoding = step % 2 == 0 ? 7 : 9;
    const int64_t rows = cost.prompt_rows(decoding, 512);
    cost.observe(decoding, rows, 0.024 + 0.001 * static_cast<double>(rows));
  }
  EXPECT_NEAR(static_cast<double>(cost.prompt_rows(9, 512)), (StepCost::kGap - 1.0) * 24.0, 1.0);
}

TEST(StepCost, BetweenWhatWasSeenStepsGrowEvenly) {
  StepCost cost;
  EXPECT_EQ(cost.decode_seconds(3), 0.0);
  cost.observe(2, 0, 0.010);
  EXPECT_DOUBLE_EQ(cost.decode_seconds(1), 0.010);
  EXPECT_DOUBLE_EQ(cost.decode_seconds(9), 0.010);
  cost.observe(6, 0, 0.030);
  EXPECT_DOUBLE_EQ(cost.decode_seconds(3), 0.015);
  EXPECT_DOUBLE_EQ(cost.decode_seconds(100), 0.030);
}

TEST(StepCost, HoweverDearARowAPromptGoesOn) {
  StepCost cost;
  cost.observe(1, 0, 0.001);
  cost.observe(0, 10, 10.0);
  EXPECT_EQ(cost.prompt_rows(1, 512), StepCost::kLeastRows);
}

TEST(StepCost, GuessesAreComputedWhereTheyGain) {
  StepCost cost;
  EXPECT_EQ(cost.guess_rows(1, 0.9, 8), 0) << "nothing to compare with";
  cost.observe(9, 0, 0.020);
  EXPECT_EQ(cost.guess_rows(1, 0.9, 8), 0) << "nothing to compare with";
  cost = {};
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

TEST(StepCost, AMomentOfTheMachineIsNoReasonToGuess) {
  StepCost cost;
  for (int64_t rows = 2; rows <= 9; ++rows) cost.observe(rows, 0, 0.010);
  cost.observe(1, 0, 0.010);
  for (int step = 0; step < 3; ++step) cost.observe(1, 0, 5.0);
  EXPECT_LE(cost.decode_seconds(1), 0.020);
  EXPECT_EQ(cost.guess_rows(1, 0.0, 8), 0);
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
