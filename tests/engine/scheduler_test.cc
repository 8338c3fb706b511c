// Who gets the rows of a step: decoding before prompts, chunks, fairness, priorities, pages.
#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "backend/backend.h"

namespace bittern::engine {
namespace {

// Jobs and sequences that a test hands to a scheduler; computing is counting.
class World {
 public:
  explicit World(int64_t page_count, SchedulerLimits limits = {})
      : pages_(page_count), scheduler(pages_, limits) {}

  // `tokens` distinct from every other sequence's.
  Sequence& add(int64_t tokens, const std::string& tenant = "", int32_t priority = 0) {
    Job& job = jobs_.emplace_back();
    job.request.tenant = tenant;
    job.request.priority = priority;
    for (int64_t place = 0; place < tokens; ++place) job.request.prompt.push_back(next_token_++);
    Sequence& sequence = job.texts.emplace_back();
    sequence.job = &job;
    sequence.arrival = std::ssize(jobs_);
    sequence.tokens = job.request.prompt;
    scheduler.add(sequence);
    return sequence;
  }

  // Rows of each sequence in the next step, which is computed.
  std::map<const Sequence*, int64_t> step() {
    std::map<const Sequence*, int64_t> rows;
    const auto plan = scheduler.plan(cost);
    for (const StepWork& work : plan) {
      rows[work.sequence] = work.rows;
      work.sequence->state.length += work.rows;
      if (work.sequence->pending() == 0) work.sequence->tokens.push_back(next_token_++);
      scheduler.publish(*work.sequence);
    }
    pages_.check();
    return rows;
  }

  StepCost cost;

 private:
  KvPages pages_;
  std::deque<Job> jobs_;
  int32_t next_token_ = 0;

 public:
  Scheduler scheduler;
};

using Rows = std::map<const Sequence*, int64_t>;

TEST(Scheduler, APromptIsComputedInChunksThenDecodes) {
  World world(10, {.max_rows = 100, .max_sequences = 4});
  const Sequence& one = world.add(250);
  EXPECT_EQ(world.step(), (Rows{{&one, 100}}));
  EXPECT_EQ(world.step(), (Rows{{&one, 100}}));
  EXPECT_EQ(world.step(), (Rows{{&one, 50}}));
  EXPECT_EQ(world.step(), (Rows{{&one, 1}}));
}

TEST(Scheduler, WhoDecodesGoesFirstAndPromptsGetWhatTheyCanWaitFor) {
  World world(100, {.max_rows = 512, .max_sequences = 8});
  Sequence& one = world.add(10);
  world.step();
  world.cost.observe(1, 0, 0.020);
  world.cost.observe(0, 100, 0.100);
  const Sequence& two = world.add(4000);
  // Two steps of 20 ms leave 20 ms to a prompt, at 1 ms a row.
  EXPECT_EQ(world.step(), (Rows{{&one, 1}, {&two, 20}}));
  world.scheduler.remove(one);
  EXPECT_EQ(world.step(), (Rows{{&two, 512}}));
}

TEST(Scheduler, AShortPromptPassesALongOneWhichKeepsAQuarter) {
  World world(100, {.max_rows = 200, .max_sequences = 8});
  const Sequence& long_one = world.add(4000);
  EXPECT_EQ(world.step(), (Rows{{&long_one, 200}}));
  const Sequence& short_one = world.add(60);
  EXPECT_EQ(world.step(), (Rows{{&short_one, 60}, {&long_one, 140}}));
  const Sequence& middle = world.add(199);
  // 32 rows of prompts where nothing is known yet, beside one that decodes.
  EXPECT_EQ(world.step(), (Rows{{&short_one, 1}, {&middle, 24}, {&long_one, 8}}));
}

TEST(Scheduler, HigherPriorityGoesFirstAndTakesPagesFromLower) {
  World world(8, {.max_rows = 512, .max_sequences = 8});
  const Sequence& low = world.add(300, "", 0);
  world.step();
  EXPECT_EQ(world.step(), (Rows{{&low, 1}}));
  const Sequence& high = world.add(300, "", 1);
  const Rows rows = world.step();
  EXPECT_TRUE(rows.contains(&high));
  EXPECT_FALSE(low.is_running);
  EXPECT_EQ(world.scheduler.preemption_count(), 1);
}

TEST(Scheduler, EqualPriorityNeverTakesPagesFromWhoCameBefore) {
  World world(8, {.max_rows = 512, .max_sequences = 8});
  const Sequence& first = world.add(300);
  world.step();
  const Sequence& second = world.add(300);
  for (int turn = 0; turn < 10; ++turn) EXPECT_EQ(world.step(), (Rows{{&first, 1}}));
  EXPECT_FALSE(second.is_running);
}

TEST(Scheduler, WithoutPagesTheLatestGivesUpItsOwnAndComesBack) {
  World world(5, {.max_rows = 512, .max_sequences = 8});
  Sequence& first = world.add(60);
  Sequence& second = world.add(100);
  for (int turn = 0; turn < 150; ++turn) world.step();
  EXPECT_GT(world.scheduler.preemption_count(), 0);
  EXPECT_TRUE(first.is_running);
  EXPECT_FALSE(second.is_running);
  EXPECT_EQ(first.state.length, 60 + 149);
  const size_t grown = second.tokens.size();
  world.scheduler.remove(first);
  world.step();
  EXPECT_TRUE(second.is_running);
  world.step();
  EXPECT_GT(second.tokens.size(), grown);
}

// Two tenants that always have work are served alike, whatever they send.
TEST(Scheduler, TenantsAreServedAlike) {
  constexpr int64_t kSequences = 4, kShort = 20, kLong = 200, kText = 30;
  World world(100, {.max_rows = 64, .max_sequences = kSequences});
  std::map<std::string, std::vector<Sequence*>> sent;
  const auto fill = [&] {
    for (const auto& [tenant, length] : {std::pair{"many short", kShort}, {"long", kLong}})
      while (sent[tenant].size() < 6) sent[tenant].push_back(&world.add(length, tenant));
  };
  for (int turn = 0; turn < 4000; ++turn) {
    fill();
    world.step();
    for (auto& [tenant, sequences] : sent) {
      std::erase_if(sequences, [&](Sequence* sequence) {
        if (std::ssize(sequence->tokens) < sequence->job->prompt_length() + kText) return false;
        world.scheduler.remove(*sequence);
        return true;
      });
    }
    const int64_t apart = world.scheduler.service("many short") - world.scheduler.service("long");
    ASSERT_LE(std::abs(apart), kSequences * (kLong + kText)) << "turn " << turn;
  }
  EXPECT_GT(world.scheduler.service("long"), 20000);
}

TEST(Scheduler, ATenantThatWasAwayHasNoClaimToWhatItMissed) {
  World world(100, {.max_rows = 64, .max_sequences = 1});
  world.add(3000, "busy");
  for (int turn = 0; turn < 40; ++turn) world.step();
  world.add(10, "new");
  EXPECT_EQ(world.scheduler.service("new"), world.scheduler.service("busy"));
}

TEST(Scheduler, GuessesTakeRowsOnlyWhereEveryoneHasOne) {
  World world(100, {.max_rows = 64, .max_logit_rows = 5, .max_sequences = 3});
  Sequence* sequences[] = {&world.add(3), &world.add(3), &world.add(3)};
  world.step();
  for (Sequence* sequence : sequences) sequence->draft.assign(4, 1);
  const auto plan = world.scheduler.plan(world.cost);
  ASSERT_EQ(plan.size(), 3u);
  EXPECT_EQ(plan[0].rows, 3);
  EXPECT_EQ(plan[1].rows, 1);
  EXPECT_EQ(plan[2].rows, 1);
  EXPECT_EQ(sequences[0]->draft.size(), 2u);
  EXPECT_TRUE(sequences[2]->draft.empty());
}

}  // namespace
}  // namespace bittern::engine
