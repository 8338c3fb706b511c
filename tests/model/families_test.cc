// Every family of the architecture table against what transformers gave (tools/golden/
// make_families.py), from Hugging Face folders in both spellings of config.json and from GGUF.
// Tolerance, of the range of the logits: 5e-6 (ten times what they differ by). And what
// docs/guarantees.md promises, for each of them: equal bits for any chunk size, interleaving,
// thread count, instruction set and container.
#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file_map.h"
#include "model/golden.h"
#include "model/reference_backend.h"

namespace bittern::test {
namespace {

constexpr double kTolerance = 5e-6;

struct Case {
  const char* row;     // of the architecture table
  const char* family;  // folder
  // config[.VARIANT].json with golden[.VARIANT].bin; "legacy" and "short" stand for one of both.
  const char* variant = "";
  bool gguf = false;  // model.gguf of the folder
  int64_t context = 0;

  std::string files() const { return std::string(family) + (gguf ? "/model.gguf" : ""); }
  std::string config() const {
    const std::string name = variant;
    return gguf || name.empty() || name == "short" ? "" : "config." + name + ".json";
  }
  std::string golden() const {
    const std::string name = variant;
    const bool plain = name.empty() || name == "legacy";
    return std::string(family) + (plain ? "/golden.bin" : "/golden." + name + ".bin");
  }
  std::string name() const {
    return std::string(family) + (*variant != '\0' ? "_" : "") + variant + (gguf ? "_gguf" : "");
  }
};

constexpr Case kCases[] = {
    {"mistral", "mistral"},
    {"mistral", "mistral", "legacy"},
    {"mistral", "mistral", "whole"},
    {"llama", "mistral", "whole", true},  // llama.cpp's files of the family have no window
    {"qwen2", "qwen2"},
    {"qwen2", "qwen2", "window"},
    {"qwen2", "qwen2", "", true},
    {"gemma", "gemma"},
    {"gemma", "gemma", "", true},
    {"gemma2", "gemma2"},
    {"gemma2", "gemma2", "head_scale"},
    {"gemma2", "gemma2", "head_scale", true},
    {"gemma3", "gemma3"},
    {"gemma3", "gemma3", "legacy"},
    {"gemma3", "gemma3", "head_scale"},
    {"gemma3", "gemma3", "head_scale", true},
    {"phi3", "phi3"},
    {"phi3", "phi3", "legacy"},
    {"phi3", "phi3", "short", false, 24},
    {"phi3", "phi3", "window"},
    {"phi3", "phi3", "plain"},
    {"phi3", "phi3", "", true},
    {"phi", "phi"},
    {"phi", "phi", "", true},
    {"cohere", "cohere"},
    {"cohere", "cohere", "", true},
    {"nemotron", "nemotron"},
    {"nemotron", "nemotron", "", true},
    {"granite", "granite"},
    {"granite", "granite", "", true},
    {"smollm3", "smollm3"},
    {"smollm3", "smollm3", "", true},
    {"olmo2", "olmo2"},
    {"olmo2", "olmo2", "", true},
    {"stablelm", "stablelm"},
    {"stablelm", "stablelm", "legacy"},
    {"stablelm", "stablelm", "", true},
    {"stablelm", "stablelm_parallel"},
    {"stablelm", "stablelm_parallel", "", true},
    {"starcoder2", "starcoder2"},
    {"starcoder2", "starcoder2", "whole"},
    {"starcoder2", "starcoder2", "whole", true},
    {"falcon", "falcon"},
    {"falcon", "falcon", "legacy"},
    {"falcon", "falcon", "", true},
    {"falcon", "falcon_new"},
    {"falcon", "falcon_new", "", true},
    {"gpt2", "gpt2"},
    {"gpt2", "gpt2", "", true},
    {"gptneox", "gpt_neox"},
    {"gptneox", "gpt_neox", "legacy"},
    {"gptneox", "gpt_neox", "sequential"},
    {"gptneox", "gpt_neox", "", true},
    {"mixtral", "mixtral"},
    {"llama", "mixtral", "", true},
    {"qwen3moe", "qwen3_moe"},
    {"qwen3moe", "qwen3_moe", "raw"},
    {"qwen3moe", "qwen3_moe", "", true},
    {"qwen3moe", "qwen3_moe_mixed"},
    {"bert", "bert"},
    {"bert", "bert", "", true},
};

void PrintTo(const Case& item, std::ostream* out) { *out << item.name(); }

class Family : public testing::TestWithParam<Case> {
 protected:
  std::unique_ptr<model::Model> bind(backend::Backend& backend) const {
    const Case& item = GetParam();
    auto model = bind_case(open_case(item.files(), item.config()), backend, item.context);
    EXPECT_EQ(model->arch->name, item.row);
    return model;
  }
  double error_with(backend::Backend& backend, backend::KvType type) const {
    const Golden golden = read_golden(GetParam().golden());
    const auto model = bind(backend);
    EXPECT_TRUE(model->unused_tensors.empty())
        << fmt::format("{}", fmt::join(model->unused_tensors, ", "));
    return relative_error(golden, Runner(*model, backend, type).run(golden.ids));
  }
};

TEST_P(Family, DoubleBackendGivesTheReferenceLogits) {
  const auto backend = make_reference_backend();
  EXPECT_LE(error_with(*backend, backend::KvType::f32), kTolerance);
}

// Exactly with activations of f32; with those that bf16 weights want, nearly.
TEST_P(Family, CpuGivesTheReferenceLogits) {
  Cpu backend(1, nullptr, true), native;
  const double error = error_with(*backend, backend::KvType::f32);
  EXPECT_LE(error, kTolerance);
  const double f16 = error_with(*backend, backend::KvType::f16);
  const double int8 = error_with(*backend, backend::KvType::int8);
  EXPECT_LE(f16, 5e-3);
  EXPECT_LE(int8, 8e-2);
  const double rounded = error_with(*native, backend::KvType::f32);
  EXPECT_LE(rounded, 1e-2);
  fmt::print(
      "{:26s} logit error of the range: f32 KV {:.1e}, f16 KV {:.1e}, int8 KV {:.1e}, activations "
      "as the weights want them {:.1e}\n",
      GetParam().name(), error, f16, int8, rounded);
}

TEST_P(Family, CutsThreadsAndTablesChangeNoBit) {
  const Golden golden = read_golden(GetParam().golden());
  std::vector<float> expected;
  for (const kernel::Table* table : runnable_tables()) {
    for (const int threads : {1, 3}) {
      Cpu backend(threads, table);
      const auto model = bind(*backend);
      Runner runner(*model, *backend);
      const std::vector<float> whole = runner.run(golden.ids);
      if (expected.empty()) expected = whole;
      ASSERT_EQ(whole, expected) << table->name << ", " << threads << " threads";
      if (!model->config.has_head) continue;  // an encoder's text stands in one step
      ASSERT_EQ(runner.run(golden.ids, 7), expected) << table->name;
      if (threads == 1) continue;
      std::vector<int32_t> other(golden.ids.rbegin(), golden.ids.rend());
      const auto mixed = runner.run_interleaved({other, golden.ids, other}, 5);
      ASSERT_EQ(mixed[1], expected) << table->name << ", interleaved";
      ASSERT_EQ(mixed[0], mixed[2]) << table->name << ", interleaved";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Family, testing::ValuesIn(kCases),
                         [](const auto& test) { return test.param.name(); });

// The same numbers in another container are the same bits.
TEST(FamilyContainers, GgufAndFolderGiveTheSameBits) {
  for (const Case& item : kCases) {
    if (!item.gguf) continue;
    const Golden golden = read_golden(item.golden());
    Case folder = item;
    folder.gguf = false;
    Cpu backend;
    const auto first = bind_case(open_case(item.files()), *backend);
    const auto second = bind_case(open_case(folder.files(), folder.config()), *backend);
    EXPECT_EQ(Runner(*first, *backend).run(golden.ids), Runner(*second, *backend).run(golden.ids))
        << item.name();
  }
}

// llama, qwen3 and the BitNet arrangements have theirs in golden_test.cc.
TEST(FamilyTable, EveryArchitectureHasACase) {
  for (const model::ArchSpec& row : model::arch_table()) {
    const auto in_table = [&](const Case& item) { return item.row == row.name; };
    constexpr std::string_view kElsewhere[] = {"llama", "qwen3", "bitnet", "bitnet-1bitllm"};
    EXPECT_TRUE(std::any_of(std::begin(kCases), std::end(kCases), in_table) ||
                std::find(std::begin(kElsewhere), std::end(kElsewhere), row.name) !=
                    std::end(kElsewhere))
        << row.name;
  }
}

// Checkpoints of the same class name their tensors with or without the wrapper's prefix.
format::Checkpoint renamed(const std::string& folder, std::string_view from, std::string_view to) {
  format::Checkpoint checkpoint = open_case(folder);
  for (TensorView& tensor : checkpoint.tensors) {
    if (tensor.name.starts_with(from))
      tensor.name = std::string(to) + tensor.name.substr(from.size());
  }
  checkpoint.index();
  return checkpoint;
}

void expect_golden(format::Checkpoint checkpoint, const std::string& name) {
  const Golden golden = read_golden(name);
  Cpu backend(1, nullptr, true);
  const auto model = bind_case(std::move(checkpoint), *backend);
  EXPECT_LE(relative_error(golden, Runner(*model, *backend).run(golden.ids)), kTolerance) << name;
}

TEST(FamilyNames, BareAndWrappedTensorsAreFound) {
  expect_golden(renamed("gpt2", "transformer.", ""), "gpt2/golden.bin");
  expect_golden(renamed("bert", "", "bert."), "bert/golden.bin");
}

// transformers 5 may also write the experts of a layer as two tensors: gate and up of each expert
// one after the other, and down.
void join_experts(format::Checkpoint& checkpoint, const std::string& layer, int64_t count,
                  const std::string& joined, std::array<std::string_view, 3> parts) {
  const auto part = [&](int64_t expert, std::string_view name) {
    return *checkpoint.find(fmt::format("{}{}.{}.weight", layer, expert, name));
  };
  const TensorView gate = part(0, parts[0]), down = part(0, parts[2]);
  std::vector<std::byte> gate_up_bytes, down_bytes;
  for (int64_t expert = 0; expert < count; ++expert) {
    for (const std::string_view name : {parts[0], parts[1]}) {
      const Bytes bytes = part(expert, name).bytes;
      gate_up_bytes.insert(gate_up_bytes.end(), bytes.begin(), bytes.end());
    }
    const Bytes bytes = part(expert, parts[2]).bytes;
    down_bytes.insert(down_bytes.end(), bytes.begin(), bytes.end());
  }
  std::erase_if(checkpoint.tensors,
                [&](const TensorView& tensor) { return tensor.name.starts_with(layer); });
  const auto add = [&](const TensorView& like, const std::string& name, int64_t rows,
                       std::vector<std::byte> bytes) {
    checkpoint.buffers.push_back(std::move(bytes));
    TensorView view = like;
    view.name = joined + name;
    view.shape = {count, rows, like.columns()};
    view.bytes = checkpoint.buffers.back();
    checkpoint.tensors.push_back(view);
  };
  add(gate, "gate_up_proj", 2 * gate.rows(), std::move(gate_up_bytes));
  add(down, "down_proj", down.rows(), std::move(down_bytes));
}

TEST(FamilyNames, ExpertsInOneTensor) {
  format::Checkpoint qwen = open_case("qwen3_moe");
  format::Checkpoint mixtral = open_case("mixtral");
  qwen.buffers.reserve(4);
  mixtral.buffers.reserve(4);
  for (const int layer : {0, 1}) {
    const std::string place = fmt::format("model.layers.{}.mlp.experts.", layer);
    join_experts(qwen, place, 6, place, {"gate_proj", "up_proj", "down_proj"});
    qwen.index();
    join_experts(mixtral, fmt::format("model.layers.{}.block_sparse_moe.experts.", layer), 4, place,
                 {"w1", "w3", "w2"});
    mixtral.index();
    for (TensorView& tensor : mixtral.tensors) {
      if (tensor.name == fmt::format("model.layers.{}.block_sparse_moe.gate.weight", layer))
        tensor.name = fmt::format("model.layers.{}.mlp.gate.weight", layer);
    }
    mixtral.index();
  }
  expect_golden(std::move(qwen), "qwen3_moe/golden.bin");
  expect_golden(std::move(mixtral), "mixtral/golden.bin");
}

// A model of several modalities holds its text model one level down.
TEST(FamilyNames, TextConfigOfAWrapper) {
  for (const char* prefix : {"model.language_model.", "language_model.model."}) {
    format::Checkpoint checkpoint = renamed("gemma3", "model.", prefix);
    const std::string inner =
        read_text_file(std::string(BITTERN_TEST_DATA) + "/models/gemma3/config.json", 1 << 20);
    checkpoint.config = json::Document::parse(
        R"({"architectures": ["Gemma3ForConditionalGeneration"], "text_config": )" + inner + "}",
        "config.json");
    expect_golden(std::move(checkpoint), "gemma3/golden.bin");
  }
}

}  // namespace
}  // namespace bittern::test
