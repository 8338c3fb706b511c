// Block formats in a whole model: the example model's weights in every one of them, what int8
// activations cost its logits, and the guarantees (G2 to G4, G6) with them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "block_codecs.h"
#include "kernel/block_pack.h"
#include "model/golden.h"
#include "model/plan.h"
#include "model/recoded.h"

namespace bittern::test {
namespace {

constexpr int64_t kLayers = 2;

std::string example() { return BITTERN_SOURCE "/models/bittern-stories.gguf"; }

std::vector<int32_t> example_ids(int32_t count) {
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < count; ++i) ids.push_back(i * 37 % 4000);
  return ids;
}

TEST(BlockFormats, Int8ActivationsMoveTheLogitsLittle) {
  const std::vector<int32_t> ids = example_ids(24);
  for (const codec::Id id : kBlockCodecs) {
    const ActivationError error = activation_error(example(), id, kLayers, ids, 2);
    fmt::print("{:<8} greatest {:.1e}, rms {:.1e} of the range\n", codec::get(id).name,
               error.greatest, error.rms);
    EXPECT_EQ(error.coded_share, 1.0) << codec::get(id).name;
    EXPECT_GT(error.rms, 1e-6) << codec::get(id).name;
    EXPECT_LT(error.rms, 5e-3) << codec::get(id).name;
    EXPECT_LT(error.greatest, 0.1) << codec::get(id).name;
  }
}

TEST(BlockFormats, NeitherChunksNorThreadsNorTablesChangeABit) {
  const std::vector<int32_t> ids = example_ids(37);
  for (const codec::Id id :
       {codec::Id::q4_k, codec::Id::q6_k, codec::Id::q4_0, codec::Id::nvfp4, codec::Id::iq2_xs}) {
    SCOPED_TRACE(codec::get(id).name);
    std::vector<float> expected;
    for (const kernel::Table* table : runnable_tables()) {
      for (const int threads : {1, 3}) {
        Cpu cpu(threads, table);
        const auto model = bind_recoded(example(), id, 1, *cpu);
        Runner runner(*model, *cpu);
        for (const int64_t chunk : {0, 1, 5}) {
          const std::vector<float> logits = runner.run(ids, chunk);
          if (expected.empty()) expected = logits;
          ASSERT_EQ(logits, expected) << table->name << ", " << threads << ", " << chunk;
        }
      }
    }
  }
}

TEST(BlockFormats, ThePlanCountsWhatIsPacked) {
  for (const codec::Id id : {codec::Id::q4_k, codec::Id::q8_0}) {
    Cpu cpu;
    const auto model = bind_recoded(example(), id, 8, *cpu);
    model::PlanOptions options{.context = 64, .max_rows = 8};
    const auto plan = model::plan_memory(model->config, model->checkpoint, options);
    EXPECT_EQ(plan.packed_bytes, model->resident_weight_bytes()) << codec::get(id).name;
    options.float_activations = true;
    EXPECT_EQ(model::plan_memory(model->config, model->checkpoint, options).packed_bytes, 0);
  }
}

}  // namespace
}  // namespace bittern::test
