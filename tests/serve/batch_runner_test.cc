// Lines on the example model's engine: how many run at once, what waits, what a refusal takes
// along.
#include "serve/batch/batch_runner.h"

#include <gtest/gtest.h>

#include <map>

#include "engine/session.h"

namespace bittern::serve {
namespace {

std::string completion(const JsonBuilder& body) {
  return to_text(
      {{"custom_id", "a"}, {"method", "POST"}, {"url", "/v1/completions"}, {"body", body}});
}

class BatchRunnerTest : public testing::Test {
 protected:
  BatchRunnerTest()
      : session_(engine::load_session(
            format::open_checkpoint(BITTERN_SOURCE "/models/bittern-stories.gguf"),
            {.context = 128,
             .sequences = 4,
             .max_logit_rows = 32,
             .threads = 1,
             .shows_progress = false},
            Log(Log::Level::quiet))),
        step_model_(session_.make_step_model(session_.positions)),
        constraints_(session_.tokenizer()) {}

  void start_engine(const engine::EngineOptions& options) {
    engine_ = std::make_unique<engine::Engine>(*step_model_, &session_.tokenizer(), options);
  }

  BatchRunner runner(int64_t window, int64_t context = 128) {
    BatchModel model;
    model.name = "model";
    model.fingerprint = "fp";
    model.engine = engine_.get();
    model.text.tokenizer = &session_.tokenizer();
    model.text.constraints = &constraints_;
    model.text.context = context;
    model.text.token_count = session_.tokenizer().vocab_size();
    model.no_embedder = "none here";
    model.created = [] { return 1; };
    return {std::move(model), window, [this](BatchAnswer answer) {
              const int64_t index = answer.index;
              EXPECT_TRUE(answers_.emplace(index, std::move(answer)).second) << index;
            }};
  }

  JsonBuilder body(int64_t index) const {
    return JsonBuilder::parse(answers_.at(index).line)["response"]["body"];
  }

  engine::Session session_;
  std::unique_ptr<engine::StepModel> step_model_;
  engine::ConstraintCache constraints_;
  std::unique_ptr<engine::Engine> engine_;
  std::map<int64_t, BatchAnswer> answers_;
};

TEST_F(BatchRunnerTest, NoMoreTextsThanTheWindowAreWithTheEngine) {
  start_engine({.max_sequences = 3});
  constexpr int64_t kWindow = 5, kLines = 20;
  BatchRunner lines = runner(kWindow);
  // But for those of one line, which wait here.
  const std::vector<std::string> prompts(12, "Once");
  lines.start(0, completion({{"prompt", prompts}, {"max_tokens", 6}}), batch_ids("x", 0));
  EXPECT_FALSE(lines.has_room());
  int64_t next = 1;
  for (int64_t steps = 0; std::ssize(answers_) < kLines; ++steps) {
    ASSERT_LT(steps, 10'000);
    while (next < kLines && lines.has_room()) {
      lines.start(next, completion({{"prompt", fmt::format("Once {}", next)}, {"max_tokens", 6}}),
                  batch_ids("x", next));
      ++next;
    }
    lines.step();
    const engine::EngineStats stats = engine_->stats();
    ASSERT_LE(stats.queued_requests + stats.running_sequences, kWindow);
    ASSERT_LE(next - std::ssize(answers_), kWindow);
  }
  EXPECT_EQ(lines.generated_tokens(), lines.tokens().generated);
  EXPECT_FALSE(lines.step());
}

TEST_F(BatchRunnerTest, AFullQueueIsWaitedFor) {
  start_engine({.max_sequences = 1, .max_queued_requests = 2});
  BatchRunner lines = runner(16);
  // One line with more prompts than the queue takes.
  lines.start(0, completion({{"prompt", {"a", "b", "c", "d", "e", "f"}}, {"max_tokens", 3}}),
              batch_ids("x", 0));
  lines.start(1, completion({{"prompt", "g"}, {"max_tokens", 3}}), batch_ids("x", 1));
  for (int64_t steps = 0; lines.step(); ++steps) ASSERT_LT(steps, 10'000);
  ASSERT_EQ(answers_.size(), 2u);
  EXPECT_FALSE(answers_.at(0).is_error) << answers_.at(0).line;
  EXPECT_EQ(body(0)["choices"].size(), 6u);
  EXPECT_EQ(body(1)["usage"]["completion_tokens"], 3);
}

TEST_F(BatchRunnerTest, WhatTheEngineRefusesEndsTheOthersOfItsLineOnly) {
  start_engine({.max_sequences = 4});
  // It is told of a longer context than the engine has, so that the engine finds the mistake.
  BatchRunner lines = runner(16, 1000);
  const std::vector<std::vector<int32_t>> prompts = {{5, 6}, std::vector<int32_t>(200, 7), {8}};
  lines.start(0, completion({{"prompt", "fine"}, {"max_tokens", 5}}), batch_ids("x", 0));
  lines.start(1, completion({{"prompt", prompts}, {"max_tokens", 100}}), batch_ids("x", 1));
  for (int64_t steps = 0; lines.step(); ++steps) ASSERT_LT(steps, 20) << "not cancelled";
  ASSERT_EQ(answers_.size(), 2u);
  EXPECT_FALSE(answers_.at(0).is_error);
  EXPECT_TRUE(answers_.at(1).is_error);
  EXPECT_EQ(body(1)["error"]["message"], "prompt: 200 tokens, the context has 128");
  EXPECT_EQ(body(0)["usage"]["completion_tokens"], 5);
  EXPECT_FALSE(engine_->has_work());
}

TEST_F(BatchRunnerTest, RefusalsAnswerAtOnce) {
  start_engine({});
  BatchRunner lines = runner(4);
  const std::string bad[] = {
      completion({{"prompt", "x"}, {"n", 0}}),
      R"({"custom_id":"b","method":"POST","url":"/v1/embeddings","body":{"input":"x"}})",
      R"({"custom_id":"c","method":"POST","url":"/v1/chat/completions",)"
      R"("body":{"messages":[{"role":"user","content":"x"}]}})"};
  const char* const custom_ids[] = {"a", "b", "c"};
  for (int64_t index = 0; index < std::ssize(bad); ++index)
    lines.start(index, bad[index], batch_ids("x", index));
  ASSERT_EQ(answers_.size(), 3u);
  for (int64_t index = 0; index < std::ssize(bad); ++index) {
    EXPECT_TRUE(answers_.at(index).is_error);
    const JsonBuilder row = JsonBuilder::parse(answers_.at(index).line);
    EXPECT_EQ(row["custom_id"], custom_ids[index]);
    EXPECT_EQ(row["id"], batch_ids("x", index).line);
    EXPECT_EQ(row["response"]["request_id"], batch_ids("x", index).request);
  }
  EXPECT_EQ(body(0)["error"]["param"], "n");
  EXPECT_EQ(body(1)["error"]["message"], "url: none here");
  EXPECT_EQ(body(2)["error"]["message"], "messages: the model has no chat template");
  EXPECT_FALSE(lines.step());
}

}  // namespace
}  // namespace bittern::serve
