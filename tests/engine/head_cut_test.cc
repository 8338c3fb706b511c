// The same tokens whether the output layer is read whole or by its coarse plane: thousands of
// random settings of the sampler on a made-up head, and whole texts of real architectures.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "backend/cpu/cpu_backend.h"
#include "base/half.h"
#include "base/random.h"
#include "engine/allocation_count.h"
#include "engine/sampler.h"
#include "engine/sequence_runner.h"
#include "kernel/select.h"

namespace bittern::engine {
namespace {

constexpr uint64_t kSeed = 20261121;

const kernel::Table& best_table() { return kernel::select(Log(Log::Level::quiet)); }

std::unique_ptr<backend::Backend> backend_with(ThreadPool& pool, backend::HeadPlane plane) {
  return backend::make_cpu_backend(pool, best_table(), {.inline_work = 0, .head = plane});
}

// Any setting that a caller may ask for, the usual ones more often.
SamplingOptions random_options(random::Sequence& draw, int64_t tokens) {
  const auto either = [&](double chance) { return draw.uniform() < chance; };
  SamplingOptions options;
  options.temperature = either(0.3) ? 0.0 : 0.2 + 1.5 * draw.uniform();
  options.top_k = either(0.15) ? 0 : 1 + static_cast<int64_t>(draw.below(either(0.1) ? 1500 : 60));
  options.top_p = either(0.4) ? 1.0 : 0.05 + 0.95 * draw.uniform();
  options.min_p = either(0.4) ? 0.0 : 0.3 * draw.uniform();
  options.repeat_last_n = static_cast<int64_t>(draw.below(70));
  if (either(0.5)) options.repeat_penalty = 0.7 + draw.uniform();
  if (either(0.3)) options.frequency_penalty = 2.0 * draw.uniform() - 1.0;
  if (either(0.3)) options.presence_penalty = 2.0 * draw.uniform() - 1.0;
  const uint64_t biased = either(0.5) ? 0 : draw.below(6);
  for (uint64_t i = 0; i < biased; ++i) {
    const auto token = static_cast<int32_t>(draw.below(static_cast<uint64_t>(tokens)));
    const bool banned = either(0.3);
    options.logit_bias.push_back(
        {token, banned ? -INFINITY : static_cast<float>(20.0 * draw.uniform() - 10.0)});
  }
  if (either(0.15)) options.top_n_sigma = 3.0 * draw.uniform();
  if (either(0.15)) options.typical_p = 0.2 + 0.8 * draw.uniform();
  if (either(0.15)) options.xtc_probability = draw.uniform();
  if (either(0.15)) options.dry_multiplier = draw.uniform();
  // The stages in another order, some of them left out.
  while (!options.stages.empty() && either(0.3)) {
    const size_t count = options.stages.size();
    std::swap(options.stages[draw.below(count)], options.stages[draw.below(count)]);
    if (either(0.2)) options.stages.pop_back();
  }
  options.seed = draw.bits();
  return options;
}

bool same_bits(double a, double b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

void expect_same(std::span<const Candidate> whole, std::span<const Candidate> cut) {
  ASSERT_EQ(whole.size(), cut.size());
  for (size_t place = 0; place < whole.size(); ++place) {
    ASSERT_EQ(whole[place].token, cut[place].token) << place;
    ASSERT_TRUE(same_bits(whole[place].logit, cut[place].logit)) << place;
    ASSERT_TRUE(same_bits(whole[place].probability, cut[place].probability)) << place;
  }
}

// An output layer of random halves, some rows of it equal, and what one row of activations needs.
class MadeHead {
 public:
  static constexpr int64_t kRows = 1700, kColumns = 64;

  MadeHead(backend::Backend& on, random::Sequence& draw) : backend_(on) {
    std::vector<uint16_t> halves(static_cast<size_t>(kRows * kColumns));
    for (uint16_t& half : halves)
      half = f32_to_f16(static_cast<float>(draw.uniform() + draw.uniform() + draw.uniform() - 1.5));
    for (size_t copy = 0; copy < 200; ++copy) {
      const size_t from = draw.below(kRows) * kColumns, to = draw.below(kRows) * kColumns;
      std::copy_n(halves.begin() + static_cast<int64_t>(from), kColumns,
                  halves.begin() + static_cast<int64_t>(to));
    }
    bytes_.resize(halves.size() * sizeof(uint16_t));
    std::memcpy(bytes_.data(), halves.data(), bytes_.size());
    view_.name = "output.weight";
    view_.codec = codec::Id::f16;
    view_.shape = {kRows, kColumns};
    view_.bytes = bytes_;
    backend::LinearSource source;
    source.weight = &view_;
    source.head = true;
    linear_ = on.pack(source);
  }

  const float* logits(std::vector<float>& x, const backend::HeadCut& cut) {
    backend::Activations in;
    in.values = x.data();
    in.start(1, kColumns);
    backend_.head(
        {.weights = linear_.get(), .cuts = {&cut, 1}, .out = logits_.data(), .out_stride = kRows},
        in);
    return logits_.data();
  }

 private:
  backend::Backend& backend_;
  std::vector<std::byte> bytes_;
  TensorView view_;
  std::unique_ptr<backend::Linear> linear_;
  std::vector<float> logits_ = std::vector<float>(static_cast<size_t>(kRows));
};

TEST(HeadCut, EverySettingDrawsTheSameTokens) {
  ThreadPool pool(2);
  const auto on = backend_with(pool, backend::HeadPlane::always);
  random::Sequence draw(kSeed);
  MadeHead head(*on, draw);
  const backend::HeadCut whole = {};
  for (int setting = 0; setting < 2000; ++setting) {
    SCOPED_TRACE(testing::Message() << "seed " << kSeed << ", setting " << setting);
    // Sometimes fewer tokens than rows.
    const int64_t tokens = MadeHead::kRows - static_cast<int64_t>(draw.below(40));
    const SamplingOptions options = random_options(draw, tokens);
    Sampler one(options, tokens), other(options, tokens);
    for (int64_t index = 0; index < 4; ++index) {
      std::vector<float> x(MadeHead::kColumns);
      const double size = draw.uniform() < 0.1 ? 0.0 : std::exp(6.0 * draw.uniform() - 3.0);
      for (float& value : x) value = static_cast<float>(size * (2.0 * draw.uniform() - 1.0));
      std::vector<float> full(head.logits(x, whole), head.logits(x, whole) + MadeHead::kRows);
      const std::vector<float> part(head.logits(x, other.cut()),
                                    head.logits(x, other.cut()) + MadeHead::kRows);
      ASSERT_NO_FATAL_FAILURE(
          expect_same(one.distribution(full.data()), other.distribution(part.data())));
      const int32_t token = one.sample(full.data(), index);
      ASSERT_EQ(token, other.sample(part.data(), index));
      one.accept(token);
      other.accept(token);
    }
  }
  EXPECT_GT(on->head_counts().coarse_rows, 5000);
}

std::vector<int32_t> text_of(const model::Model& model, backend::Backend& on,
                             const SamplingOptions& options, int64_t length) {
  SequenceRunner runner(model, on, {.context = length, .max_rows = 16});
  Sampler sampler(options, model.config.vocab_size);
  std::vector<int32_t> tokens = {5, 17, 2, 9, 30};
  for (const int32_t token : tokens) sampler.accept(token);
  std::span<const int32_t> next = tokens;
  while (static_cast<int64_t>(tokens.size()) < length) {
    const backend::HeadCut cut = sampler.cut();
    const float* logits = runner.step(next, 1, {&cut, 1});
    tokens.push_back(sampler.sample(logits, static_cast<int64_t>(tokens.size())));
    sampler.accept(tokens.back());
    next = std::span(tokens).last(1);
  }
  return tokens;
}

// Heads of f32, bf16 and f16, tied and not; with a bias (phi), a scale (cohere, granite) and a cap
// (gemma2).
TEST(HeadCut, RealArchitecturesWriteTheSameTexts) {
  ThreadPool pool(2);
  const auto coarse = backend_with(pool, backend::HeadPlane::always);
  const auto full = backend_with(pool, backend::HeadPlane::never);
  random::Sequence draw(kSeed + 1);
  for (const char* name : {"llama", "bitnet", "qwen3", "phi", "cohere", "granite", "gemma2"}) {
    const std::string path = std::string(BITTERN_TEST_DATA "/models/") + name;
    const auto with = model::Model::load(format::open_checkpoint(path), *coarse);
    const auto without = model::Model::load(format::open_checkpoint(path), *full);
    ASSERT_GT(with->head->coarse_bytes, 0) << name;
    ASSERT_EQ(without->head->coarse_bytes, 0) << name;
    const int64_t before = coarse->head_counts().coarse_rows;
    for (int setting = 0; setting < 12; ++setting) {
      SCOPED_TRACE(testing::Message() << name << ", seed " << kSeed + 1 << ", setting " << setting);
      SamplingOptions options = random_options(draw, with->config.vocab_size);
      if (options.top_k > 8) options.top_k = 1 + options.top_k % 8;  // these have few tokens
      ASSERT_EQ(text_of(*with, *coarse, options, 40), text_of(*without, *full, options, 40));
    }
    EXPECT_GT(coarse->head_counts().coarse_rows, before) << name;
  }
}

TEST(HeadCut, ADecodedTokenTakesNoMemory) {
  if (!test::allocations_are_counted()) GTEST_SKIP() << "ThreadSanitizer replaces operator new";
  ThreadPool pool(2);
  const auto coarse = backend_with(pool, backend::HeadPlane::always);
  const auto model =
      model::Model::load(format::open_checkpoint(BITTERN_TEST_DATA "/models/llama"), *coarse);
  SamplingOptions options;
  options.top_k = 4;
  options.repeat_penalty = 1.1;
  options.logit_bias = {{3, 1.0f}};
  SequenceRunner runner(*model, *coarse, {.context = 64, .max_rows = 8});
  Sampler sampler(options, model->config.vocab_size);
  int64_t before = 0;
  for (int32_t index = 0, token = 5; index < 64; ++index) {
    if (index == 2) before = test::allocation_count();
    const backend::HeadCut cut = sampler.cut();
    token = sampler.sample(runner.step({&token, 1}, 1, {&cut, 1}), index);
    sampler.accept(token);
  }
  EXPECT_EQ(test::allocation_count(), before);
  EXPECT_GT(coarse->head_counts().coarse_rows, 0);
}

// What a row of logits is not needed whole for.
TEST(HeadCut, WhatTheSamplerNeeds) {
  SamplingOptions options;
  options.temperature = 0.0;
  options.top_k = 0;
  EXPECT_EQ(Sampler(options, 5000).cut().top, 1);
  options.temperature = 1.0;
  EXPECT_EQ(Sampler(options, 5000).cut().top, 0);
  options.top_k = 1001;
  EXPECT_EQ(Sampler(options, 5000).cut().top, 0);
  options.top_k = 40;
  options.repeat_penalty = 1.1;
  options.logit_bias = {{7, 1.0f}};
  Sampler sampler(options, 5000);
  sampler.accept(11);
  const backend::HeadCut cut = sampler.cut();
  EXPECT_EQ(cut.top, 40);
  EXPECT_EQ(cut.outputs, 5000);
  EXPECT_EQ(std::vector<int32_t>(cut.always.begin(), cut.always.end()),
            (std::vector<int32_t>{7, 11}));
}

}  // namespace
}  // namespace bittern::engine
