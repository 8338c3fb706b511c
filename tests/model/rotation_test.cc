// The prism.hadamard contract: a file whose weights were rotated gives the logits of the original.
// The rotation here is the definition, a matrix product: H[i][j] = (-1)^popcount(i & j) / sqrt(b).
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <string>

#include "base/error.h"
#include "base/random.h"
#include "model/adapter.h"
#include "model/golden.h"
#include "model/reference_backend.h"

namespace bittern::test {
namespace {

constexpr int64_t kBlock = 4;

std::vector<int8_t> random_signs(int64_t width) {
  random::Sequence random(static_cast<uint64_t>(width));
  std::vector<int8_t> signs;
  for (int64_t i = 0; i < width; ++i) signs.push_back(random.below(2) == 0 ? 1 : -1);
  return signs;
}

// out = H (signs * in), block by block.
std::vector<float> rotated(const float* in, const std::vector<int8_t>& signs) {
  std::vector<float> out;
  for (size_t i = 0; i < signs.size(); ++i) {
    const size_t first = i / kBlock * kBlock;
    double sum = 0.0;
    for (size_t j = first; j < first + kBlock; ++j) {
      const double entry = std::popcount((i - first) & (j - first)) % 2 == 0 ? 1.0 : -1.0;
      sum += entry * signs[j] * in[j];
    }
    out.push_back(static_cast<float>(sum / std::sqrt(static_cast<double>(kBlock))));
  }
  return out;
}

// The row z of which e = signs * (H z); H is its own inverse.
std::vector<float> turned(const float* in, const std::vector<int8_t>& signs) {
  std::vector<float> signed_row;
  for (size_t i = 0; i < signs.size(); ++i) signed_row.push_back(in[i] * signs[i]);
  return rotated(signed_row.data(), std::vector<int8_t>(signs.size(), 1));
}

void rotate_rows(format::Checkpoint& checkpoint, TensorView& tensor, bool inverse) {
  const auto width = static_cast<size_t>(tensor.columns());
  const std::vector<int8_t> signs = random_signs(tensor.columns());
  std::vector<float> row(width);
  auto& bytes = checkpoint.buffers.emplace_back(static_cast<size_t>(tensor.elements()) * 4);
  for (int64_t index = 0; index < tensor.rows(); ++index) {
    decode_rows(tensor, index, 1, row.data());
    const auto out = inverse ? turned(row.data(), signs) : rotated(row.data(), signs);
    std::memcpy(bytes.data() + static_cast<size_t>(index) * width * 4, out.data(), width * 4);
  }
  tensor.codec = codec::Id::f32;
  tensor.bytes = bytes;
}

// A file with every linear rotated, and the embedding.
format::Checkpoint rotated_case(const std::string& files) {
  format::Checkpoint checkpoint = open_case(files);
  format::Rotation rotation;
  rotation.block_size = kBlock;
  std::vector<int64_t> widths;
  for (TensorView& tensor : checkpoint.tensors) {
    if (tensor.shape.size() < 2) continue;
    const bool is_embedding = tensor.name == "token_embd.weight";
    if (tensor.name.find("ffn_gate_inp") != std::string::npos) continue;
    if (std::find(widths.begin(), widths.end(), tensor.columns()) == widths.end()) {
      widths.push_back(tensor.columns());
      rotation.signs.push_back({tensor.columns(), random_signs(tensor.columns())});
    }
    rotate_rows(checkpoint, tensor, is_embedding);
    (is_embedding ? rotation.inverse_weights : rotation.weights).push_back(tensor.name);
  }
  checkpoint.rotation = std::move(rotation);
  return checkpoint;
}

double error_of(format::Checkpoint checkpoint, const std::string& name) {
  const Golden golden = read_golden(name);
  Cpu cpu(1, nullptr, true);
  const auto model = bind_case(std::move(checkpoint), *cpu);
  return relative_error(golden, Runner(*model, *cpu).run(golden.ids));
}

TEST(Rotation, RotatedWeightsGiveTheLogitsOfTheOriginal) {
  EXPECT_LE(error_of(rotated_case("llama/model.gguf"), "llama/golden.bin"), 1e-4);
  EXPECT_LE(error_of(rotated_case("qwen2/model.gguf"), "qwen2/golden.bin"), 1e-4);  // tied head
  EXPECT_LE(error_of(rotated_case("mixtral/model.gguf"), "mixtral/golden.bin"), 1e-4);
}

// Adapters add to what a layer gives, from the input before it was turned.
TEST(Rotation, AdaptersFitRotatedWeights) {
  const Golden golden = read_golden("../adapters/llama_plain/golden.bin");
  Cpu cpu(1, nullptr, true);
  const auto model = bind_case(rotated_case("llama/model.gguf"), *cpu);
  const model::AdapterSet adapters(
      {{model::bind_adapter(format::open_adapter(BITTERN_TEST_DATA "/adapters/llama_plain"), *model,
                            *cpu),
        1.0f}});
  Runner runner(*model, *cpu);
  runner.adapters = &adapters;
  EXPECT_LE(relative_error(golden, runner.run(golden.ids)), 1e-4);
}

TEST(Rotation, EveryPartOfTheContractMatters) {
  const auto error_with = [](void (*change)(format::Rotation&)) {
    format::Checkpoint checkpoint = rotated_case("llama/model.gguf");
    change(*checkpoint.rotation);
    return error_of(std::move(checkpoint), "llama/golden.bin");
  };
  EXPECT_GT(error_with([](format::Rotation& rotation) { rotation.weights.pop_back(); }), 1e-2);
  EXPECT_GT(error_with([](format::Rotation& rotation) { rotation.inverse_weights.clear(); }), 1e-2);
  EXPECT_GT(error_with([](format::Rotation& rotation) { rotation.signs.clear(); }), 1e-2);
  EXPECT_GT(error_with([](format::Rotation& rotation) { rotation.block_size = 2; }), 1e-2);
}

TEST(Rotation, AWeightThatIsNoLinearLayerIsRefused) {
  for (const bool inverse : {false, true}) {
    format::Checkpoint checkpoint = rotated_case("llama/model.gguf");
    auto& names = inverse ? checkpoint.rotation->inverse_weights : checkpoint.rotation->weights;
    names.push_back("blk.0.attn_norm.weight");
    Cpu cpu;
    try {
      bind_case(std::move(checkpoint), *cpu);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unsupported);
      EXPECT_NE(error.message().find("'blk.0.attn_norm.weight'"), std::string::npos)
          << error.message();
    }
  }
}

}  // namespace
}  // namespace bittern::test
