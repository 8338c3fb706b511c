// Real checkpoints, where BITTERN_MODELS names a folder of them: BitNet b1.58 2B-4T in any form
// (folder or GGUF) against the logits that transformers' own test suite holds for it
// (tests/models/bitnet, 5.23). Skipped, saying so, where the folder or the model is not there.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "base/environment.h"
#include "base/error.h"
#include "model/golden.h"

namespace bittern::test {
namespace {

// "User: How are you?<|eot_id|>Assistant: " with the two BOS of the reference's test.
const std::vector<int32_t> kIds = {128000, 128000, 1502,   25,    2650, 527,
                                   499,    30,     128009, 72803, 25,   220};
// Mean over the vocabulary of the logits of each position.
constexpr double kMeans[] = {-1.8665, -1.7681, -1.7043,  3.7446,  2.7730,   4.7133,
                             0.9768,  -3.5018, -12.2812, -8.1477, -10.2571, -8.7610};
// First logits of the first position.
constexpr double kFirst[] = {5.5815, 4.9154, 1.0478, 4.3869, 3.0112,
                             0.8235, 3.8412, 2.9233, 8.1140, 1.9406};
constexpr double kTolerance = 1e-2;

// Everything in the folder that opens as a 2B-4T.
std::vector<std::filesystem::path> find_2b4t(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    try {
      const format::Checkpoint checkpoint = format::open_checkpoint(entry.path());
      const model::ArchSpec& arch = model::find_architecture(checkpoint);
      const model::Config config = model::read_config(checkpoint, arch);
      if (arch.name == "bitnet" && config.vocab_size == 128256 && config.hidden_size == 2560)
        found.push_back(entry.path());
    } catch (const Error&) {
      continue;  // something else
    }
  }
  return found;
}

TEST(Acceptance, BitNet2B4TGivesTheReferenceLogits) {
  const auto folder = environment::get(environment::Variable::models);
  if (!folder) GTEST_SKIP() << "BITTERN_MODELS names no folder of real checkpoints";
  const auto paths = find_2b4t(*folder);
  if (paths.empty()) GTEST_SKIP() << *folder << " holds no BitNet b1.58 2B-4T";
  for (const auto& path : paths) {
    Cpu cpu(2);
    const auto model = bind_case(format::open_checkpoint(path), *cpu, 64);
    const auto logits = Runner(*model, *cpu).run(kIds);
    const auto vocab = static_cast<std::ptrdiff_t>(model->config.vocab_size);
    for (size_t position = 0; position < kIds.size(); ++position) {
      const auto start = logits.begin() + static_cast<std::ptrdiff_t>(position) * vocab;
      const double mean = std::accumulate(start, start + vocab, 0.0) / static_cast<double>(vocab);
      EXPECT_NEAR(mean, kMeans[position], kTolerance) << path << ", position " << position;
    }
    for (size_t i = 0; i < std::size(kFirst); ++i)
      EXPECT_NEAR(logits[i], kFirst[i], kTolerance) << path << ", logit " << i;
  }
}

}  // namespace
}  // namespace bittern::test
