// A decoded token takes no memory: step, sample and accept of a llama and of BitNets, greedy and
// sampled, on one thread and on more, with every region sent to the pool.
#include <gtest/gtest.h>

#include "backend/cpu/cpu_backend.h"
#include "engine/allocation_count.h"
#include "engine/sampler.h"
#include "engine/sequence_runner.h"
#include "kernel/select.h"

namespace bittern::engine {
namespace {

constexpr int64_t kContext = 64;
constexpr int64_t kWarmUp = 2;  // steps before the count begins

struct Chain {
  const char* name;
  SamplingOptions options;
};

std::vector<Chain> chains() {
  SamplingOptions greedy, sampled, everything;
  greedy.temperature = 0.0;
  sampled.seed = 7;
  everything = sampled;
  everything.logit_bias = {{3, -1.0f}};
  everything.repeat_penalty = 1.1;
  everything.frequency_penalty = 0.1;
  everything.top_k = 0;
  return {{"greedy", greedy}, {"sampled", sampled}, {"every option", everything}};
}

int64_t allocations_of_decoding(const model::Model& model, backend::Backend& backend,
                                const SamplingOptions& options) {
  SequenceRunner sequence(model, backend, {.context = kContext, .max_rows = 8});
  Sampler sampler(options, model.config.vocab_size);
  const std::vector<int32_t> prompt = {5, 17, 2, 9, 30};
  const float* logits = sequence.step(prompt, 1);
  int64_t before = 0;
  for (int64_t index = 0; sequence.length() < kContext; ++index) {
    if (index == kWarmUp) before = test::allocation_count();
    const int32_t token = sampler.sample(logits, index);
    sampler.accept(token);
    logits = sequence.step({&token, 1}, 1);
  }
  return test::allocation_count() - before;
}

TEST(DecodeAllocation, ADecodedTokenTakesNoMemory) {
  if (!test::allocations_are_counted()) GTEST_SKIP() << "ThreadSanitizer replaces operator new";
  for (const int threads : {1, 2}) {
    ThreadPool pool(threads);
    backend::CpuOptions options;
    options.inline_work = 0;
    const auto backend =
        backend::make_cpu_backend(pool, kernel::select(Log(Log::Level::quiet)), options);
    for (const char* files : {"llama", "llama/model.gguf", "qwen3", "bitnet",
                              "bitnet_256/TQ1_0.gguf", "falcon_e", "mixtral"}) {
      model::LoadOptions load;
      load.plan.context = kContext;
      const auto model = model::Model::load(
          format::open_checkpoint(std::string(BITTERN_TEST_DATA "/models/") + files), *backend,
          load);
      for (const Chain& chain : chains()) {
        EXPECT_EQ(allocations_of_decoding(*model, *backend, chain.options), 0)
            << files << ", " << chain.name << ", " << threads << " threads";
      }
    }
  }
}

}  // namespace
}  // namespace bittern::engine
