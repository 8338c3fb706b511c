// One sequence of the example model on the CPU backend: however its tokens are cut into steps, the
// logits are the same bits, and a step allocates nothing.
#include "engine/sequence_runner.h"

#include <gtest/gtest.h>

#include "backend/cpu/cpu_backend.h"
#include "base/error.h"
#include "engine/allocation_count.h"
#include "kernel/select.h"

namespace bittern::engine {
namespace {

constexpr int64_t kContext = 96;
constexpr int64_t kMaxRows = 32;

class SequenceRunnerTest : public testing::Test {
 protected:
  SequenceRunnerTest()
      : backend_(backend::make_cpu_backend(pool_, kernel::select(Log(Log::Level::quiet)))),
        model_(model::Model::load(
            format::open_checkpoint(BITTERN_SOURCE "/models/bittern-stories.gguf"), *backend_)) {
    for (int32_t place = 0; place < 64; ++place) tokens_.push_back(1 + place * 37 % 4000);
  }

  SequenceRunner runner(int64_t logit_rows = 1) {
    return {*model_,
            *backend_,
            {.context = kContext, .max_rows = kMaxRows, .max_logit_rows = logit_rows}};
  }

  // Logits after the last token, fed in steps of `size`.
  std::vector<float> logits_by(SequenceRunner& sequence, size_t size) const {
    const float* logits = nullptr;
    for (std::span<const int32_t> rest(tokens_); !rest.empty();) {
      const auto part = rest.first(std::min(size, rest.size()));
      logits = sequence.step(part, 1);
      rest = rest.subspan(part.size());
    }
    return {logits, logits + model_->config.vocab_size};
  }

  ThreadPool pool_{2};
  std::unique_ptr<backend::Backend> backend_;
  std::unique_ptr<model::Model> model_;
  std::vector<int32_t> tokens_;
};

TEST_F(SequenceRunnerTest, HowTheTokensAreCutChangesNoBit) {
  SequenceRunner whole = runner();
  const std::vector<float> expected = logits_by(whole, kMaxRows);
  for (const size_t size : {1u, 7u, 31u}) {
    SequenceRunner cut = runner();
    EXPECT_EQ(logits_by(cut, size), expected) << size;
    EXPECT_EQ(cut.length(), 64);
    cut.reset();
    EXPECT_EQ(cut.length(), 0);
    EXPECT_EQ(logits_by(cut, 16), expected) << "after reset";
  }
}

TEST_F(SequenceRunnerTest, WantedRowsAreThoseOfTheLastTokens) {
  SequenceRunner many = runner(5);
  const float* rows = many.step(std::span(tokens_).first(12), 5);
  SequenceRunner single = runner();
  for (size_t place = 0; place < 12; ++place) {
    const float* row = single.step(std::span(tokens_).subspan(place, 1), 1);
    if (place < 7) continue;
    const float* other = rows + static_cast<int64_t>(place - 7) * model_->config.vocab_size;
    EXPECT_TRUE(std::equal(row, row + model_->config.vocab_size, other)) << place;
  }
}

TEST_F(SequenceRunnerTest, AStepAllocatesNothing) {
  if (!test::allocations_are_counted()) GTEST_SKIP() << "ThreadSanitizer replaces operator new";
  SequenceRunner sequence = runner();
  sequence.step(std::span(tokens_).first(2), 1);
  const int64_t before = test::allocation_count();
  sequence.step(std::span(tokens_).subspan(2, 20), 1);
  for (size_t place = 22; place < 64; ++place)
    sequence.step(std::span(tokens_).subspan(place, 1), 1);
  EXPECT_EQ(test::allocation_count(), before);
}

// Experts, caps, windows, learned positions, norms of single heads.
TEST_F(SequenceRunnerTest, AStepOfAnyFamilyAllocatesNothing) {
  if (!test::allocations_are_counted()) GTEST_SKIP() << "ThreadSanitizer replaces operator new";
  for (const char* name : {"mixtral", "qwen3_moe", "gemma2", "gpt2", "stablelm_parallel"}) {
    const auto model = model::Model::load(
        format::open_checkpoint(std::string(BITTERN_TEST_DATA "/models/") + name), *backend_);
    SequenceRunner sequence(*model, *backend_,
                            {.context = 64, .max_rows = kMaxRows, .max_logit_rows = 1});
    std::vector<int32_t> tokens;
    for (int32_t place = 0; place < 40; ++place) tokens.push_back(place * 7 % 60);
    sequence.step(std::span(tokens).first(2), 1);
    const int64_t before = test::allocation_count();
    sequence.step(std::span(tokens).subspan(2, 20), 1);
    for (size_t place = 22; place < 40; ++place)
      sequence.step(std::span(tokens).subspan(place, 1), 1);
    EXPECT_EQ(test::allocation_count(), before) << name;
  }
}

TEST_F(SequenceRunnerTest, AnEncoderIsRefused) {
  const auto model =
      model::Model::load(format::open_checkpoint(BITTERN_TEST_DATA "/models/bert"), *backend_);
  try {
    SequenceRunner sequence(*model, *backend_, {.context = 64, .max_rows = 8, .max_logit_rows = 1});
    FAIL() << "an encoder predicts nothing";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_NE(error.message().find("encoder"), std::string::npos) << error.message();
  }
}

TEST_F(SequenceRunnerTest, MoreThanTheContextIsABug) {
  SequenceRunner sequence = runner();
  logits_by(sequence, kMaxRows);
  sequence.step(std::span(tokens_).first(32), 1);  // 96 positions: full
  try {
    sequence.step(std::span(tokens_).first(1), 1);
    FAIL() << "a step beyond the context";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::internal);
  }
}

}  // namespace
}  // namespace bittern::engine
