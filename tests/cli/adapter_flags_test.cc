// --lora and --lora-scaled: what they name is loaded and what cannot be read is refused.
#include "cli/adapter_flags.h"

#include <gtest/gtest.h>

#include "backend/cpu/cpu_backend.h"
#include "base/thread_pool.h"
#include "kernel/select.h"
#include "throws.h"

namespace bittern::cli {
namespace {

const std::string kFolder = BITTERN_TEST_DATA "/adapters/llama_plain";

class AdapterFlagsTest : public testing::Test {
 protected:
  AdapterFlagsTest()
      : backend_(backend::make_cpu_backend(pool_, kernel::select(quiet_))),
        model_(model::Model::load(
            format::open_checkpoint(BITTERN_TEST_DATA "/models/llama/model.gguf"), *backend_)) {}

  std::shared_ptr<const model::AdapterSet> load(const std::vector<std::string>& words) {
    Flags flags("run", "");
    AdapterFlags adapters;
    adapters.declare(flags);
    EXPECT_TRUE(flags.parse(words));
    return adapters.load(*model_, *backend_, quiet_);
  }

  Log quiet_{Log::Level::quiet};
  ThreadPool pool_{1};
  std::unique_ptr<backend::Backend> backend_;
  std::unique_ptr<model::Model> model_;
};

TEST_F(AdapterFlagsTest, NoneIsNone) {
  EXPECT_EQ(load({}), nullptr);
  EXPECT_EQ(load({"--lora-scaled", kFolder + ":0"}), nullptr);
}

TEST_F(AdapterFlagsTest, SeveralWithTheirScales) {
  const auto set = load({"--lora-scaled", kFolder + "/adapter.gguf:-0.5", "--lora", kFolder,
                         "--lora-scaled", kFolder + ":2e-1"});
  ASSERT_NE(set, nullptr);
  ASSERT_EQ(set->entries().size(), 3u);
  EXPECT_EQ(set->entries()[0].scale, 1.0f);
  EXPECT_EQ(set->entries()[1].scale, -0.5f);
  EXPECT_EQ(set->entries()[2].scale, 0.2f);
  EXPECT_EQ(set->entries()[0].adapter->identity, set->entries()[2].adapter->identity);
  EXPECT_EQ(set->model(), model_.get());
}

TEST_F(AdapterFlagsTest, RefusesWhatIsNoScale) {
  for (const char* word : {"file", "file:", "file:x", "file:nan", ":1"}) {
    EXPECT_EQ(test::message_of([&] {
                load({"--lora-scaled", word});
              }),
              fmt::format("--lora-scaled: FILE:SCALE expected, got \"{}\"", word));
  }
  EXPECT_EQ(test::message_of([&] {
              load({"--lora-scaled", kFolder + ":inf"});
            }),
            "adapters: expected a number as scale, got inf");
}

}  // namespace
}  // namespace bittern::cli
