// LoRA adapters against the logits that PEFT gave for model and adapter (tools/golden/adapters.py),
// each on every form of the model that there is: Hugging Face folder and GGUF file, whichever
// container the adapter is from. What rows of other adapters beside a row may change: no bit.
#include "model/adapter.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "format/adapter.h"
#include "model/golden.h"
#include "model/reference_backend.h"
#include "throws.h"

namespace bittern::test {
namespace {

using model::Adapter;
using model::AdapterSet;

constexpr double kTolerance = 5e-6;  // of the range of the logits

std::filesystem::path adapter_path(const std::string& name) {
  return std::filesystem::path(BITTERN_TEST_DATA) / "adapters" / name;
}

std::shared_ptr<const Adapter> bound(const std::string& name, const model::Model& model,
                                     backend::Backend& backend) {
  return model::bind_adapter(format::open_adapter(adapter_path(name)), model, backend);
}

AdapterSet one(std::shared_ptr<const Adapter> adapter, float scale = 1.0f) {
  return AdapterSet({{std::move(adapter), scale}});
}

struct Case {
  const char* adapter;
  const char* model;            // below tests/data/models
  double doubled = kTolerance;  // of the backend in double precision

  std::string folder() const {
    const std::string name = adapter;
    return name.substr(0, name.find('/'));
  }
  std::string name() const {
    std::string name = fmt::format("{}_on_{}", adapter, model);
    for (char& c : name)
      if (c == '/' || c == '.') c = '_';
    return name;
  }
};

// Codes of ternary layers tip where a sum differs in its last bits, and one of them shows.
constexpr double kTernary = 1e-2;

constexpr Case kCases[] = {
    {"llama_patterns", "llama"},
    {"llama_patterns", "llama/model.gguf"},
    {"llama_plain", "llama"},
    {"llama_plain", "llama/model.gguf"},
    {"llama_plain/adapter.gguf", "llama"},
    {"llama_plain/adapter.gguf", "llama/model.gguf"},
    {"granite_one_layer", "granite"},
    {"granite_one_layer", "granite/model.gguf"},
    {"granite_one_layer/adapter.gguf", "granite"},
    {"granite_one_layer/adapter.gguf", "granite/model.gguf"},
    {"phi3_rslora", "phi3"},
    {"phi3_rslora/adapter_model.safetensors", "phi3/model.gguf"},
    {"gpt_neox_grouped", "gpt_neox"},
    {"gpt_neox_grouped", "gpt_neox/model.gguf"},
    {"gpt_neox_grouped/adapter.gguf", "gpt_neox"},
    {"gpt_neox_grouped/adapter.gguf", "gpt_neox/model.gguf"},
    {"gpt2_conv1d", "gpt2"},
    {"gpt2_conv1d", "gpt2/model.gguf"},
    {"bitnet_ternary", "bitnet", kTernary},
    {"bitnet_ternary", "bitnet/model.gguf", kTernary},
};

void PrintTo(const Case& item, std::ostream* out) { *out << item.name(); }

class AdapterGolden : public testing::TestWithParam<Case> {
 protected:
  double error_with(backend::Backend& backend) const {
    const Case& item = GetParam();
    const Golden golden = read_golden("../adapters/" + item.folder() + "/golden.bin");
    const auto model = bind_case(open_case(item.model), backend);
    Runner runner(*model, backend);
    const AdapterSet set = one(bound(item.adapter, *model, backend));
    runner.adapters = &set;
    return relative_error(golden, runner.run(golden.ids));
  }
};

TEST_P(AdapterGolden, DoubleBackendGivesTheLogitsOfPeft) {
  const auto backend = make_reference_backend();
  EXPECT_LE(error_with(*backend), GetParam().doubled);
}

TEST_P(AdapterGolden, CpuGivesTheLogitsOfPeft) {
  Cpu exact(2, nullptr, true), native(2);
  const double error = error_with(*exact);
  fmt::print("{:50s} logit error of the range {:.1e}\n", GetParam().name(), error);
  EXPECT_LE(error, kTolerance);
  EXPECT_LE(error_with(*native), 1e-2);
}

INSTANTIATE_TEST_SUITE_P(All, AdapterGolden, testing::ValuesIn(kCases),
                         [](const auto& item) { return item.param.name(); });

// --- Several adapters ---------------------------------------------------------------------------

class LlamaAdapters : public testing::Test {
 protected:
  explicit LlamaAdapters(const std::string& files = "llama")
      : model_(bind_case(open_case(files), *cpu_)),
        patterns_(bound("llama_patterns", *model_, *cpu_)),
        plain_(bound("llama_plain", *model_, *cpu_)),
        golden_(read_golden("../adapters/llama_plain/golden.both.bin")) {}

  std::vector<float> run(const AdapterSet* set, int64_t chunk = 0,
                         backend::KvType type = backend::KvType::f32) {
    Runner runner(*model_, *cpu_, type);
    runner.adapters = set;
    return runner.run(golden_.ids, chunk);
  }

  Cpu cpu_{2, nullptr, true};
  std::unique_ptr<model::Model> model_;
  std::shared_ptr<const Adapter> patterns_, plain_;
  Golden golden_;
};

TEST_F(LlamaAdapters, TwoAtOnceGiveTheLogitsOfPeft) {
  const AdapterSet both({{patterns_, 1.0f}, {plain_, 0.5f}});
  EXPECT_LE(relative_error(golden_, run(&both)), kTolerance);
  const AdapterSet first = one(patterns_);
  EXPECT_GE(relative_error(golden_, run(&first)), 1e-2);
}

TEST_F(LlamaAdapters, AScaleOfNothingIsTheModelAlone) {
  const AdapterSet none({{patterns_, 0.0f}});
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.model(), nullptr);
  EXPECT_EQ(run(&none), run(nullptr));
  EXPECT_EQ(none.identity(), "");
}

TEST_F(LlamaAdapters, SetsAreKnownByContentOrderAndScale) {
  const AdapterSet again = one(bound("llama_plain", *model_, *cpu_));
  EXPECT_EQ(one(plain_).identity(), again.identity());
  EXPECT_NE(one(plain_).identity(), one(plain_, 0.5f).identity());
  EXPECT_NE(one(plain_).identity(), one(patterns_).identity());
  EXPECT_NE(AdapterSet({{plain_, 1.0f}, {patterns_, 1.0f}}).identity(),
            AdapterSet({{patterns_, 1.0f}, {plain_, 1.0f}}).identity());
}

TEST_F(LlamaAdapters, BadSetsAreRefused) {
  EXPECT_EQ(message_of([&] { one(plain_, NAN); }), "adapters: expected a number as scale, got nan");
  EXPECT_EQ(message_of([&] {
              AdapterSet(std::vector<AdapterSet::Entry>(9, {plain_, 1.0f}));
            }),
            "adapters: at most 8 for one request, got 9");
  const auto other = bind_case(open_case("llama"), *cpu_);
  EXPECT_EQ(message_of([&] {
              AdapterSet({{plain_, 1.0f}, {bound("llama_plain", *other, *cpu_), 1.0f}});
            }),
            "adapters: expected all of one model, got them of two");
}

TEST_F(LlamaAdapters, ChunksAndTypesOfKeysChangeNoBit) {
  const AdapterSet both({{patterns_, 1.0f}, {plain_, 0.5f}});
  for (const auto type : {backend::KvType::f32, backend::KvType::f16, backend::KvType::int8}) {
    const std::vector<float> whole = run(&both, 0, type);
    for (const int64_t chunk : {1, 3, 7}) EXPECT_EQ(whole, run(&both, chunk, type)) << chunk;
  }
}

// Rows of the model alone, of either adapter, of both in either order and of both scaled.
TEST(AdapterBatch, NoBitOfARowHangsOnTheAdaptersOfOthers) {
  std::vector<std::vector<float>> known;
  for (const kernel::Table* table : runnable_tables()) {
    for (const int threads : {1, 2, 3}) {
      Cpu cpu(threads, table);
      const auto model = bind_case(open_case("llama/model.gguf"), *cpu);
      const auto patterns = bound("llama_patterns", *model, *cpu);
      const auto plain = bound("llama_plain/adapter.gguf", *model, *cpu);
      const AdapterSet sets[] = {one(patterns), one(plain), one(plain, -0.3f),
                                 AdapterSet({{patterns, 1.0f}, {plain, 0.5f}}),
                                 AdapterSet({{plain, 0.5f}, {patterns, 1.0f}})};
      std::vector<const AdapterSet*> users = {nullptr};
      for (const AdapterSet& set : sets) users.push_back(&set);
      users.push_back(&sets[0]);
      const Golden golden = read_golden("../adapters/llama_plain/golden.bin");
      const std::vector<std::vector<int32_t>> prompts(users.size(), golden.ids);
      Runner runner(*model, *cpu, backend::KvType::f16);
      if (known.empty()) {
        for (const AdapterSet* user : users) {
          runner.adapters = user;
          known.push_back(runner.run(golden.ids));
        }
        for (size_t i = 1; i + 1 < known.size(); ++i) EXPECT_NE(known[i], known[i - 1]);
      }
      for (const uint64_t seed : {1u, 2u})
        EXPECT_EQ(runner.run_interleaved(prompts, seed, users), known) << threads << " " << seed;
    }
  }
}

// --- Names and orders ---------------------------------------------------------------------------

// With a part of each head rotated the rows of q and k stay interleaved in the model.
TEST(AdapterBind, FindsRowsOfHeadsThatStayInterleaved) {
  Cpu cpu(1);
  auto checkpoint = open_case("llama/model.gguf");
  checkpoint.metadata.set("llama.rope.dimension_count", format::value_of(uint32_t{8}));
  const auto model = bind_case(std::move(checkpoint), *cpu);
  ASSERT_TRUE(model->interleaved_heads);
  const Golden golden = read_golden("../adapters/llama_plain/golden.bin");
  Runner runner(*model, *cpu);
  const AdapterSet peft = one(bound("llama_plain", *model, *cpu));
  const AdapterSet gguf = one(bound("llama_plain/adapter.gguf", *model, *cpu));
  runner.adapters = &peft;
  const auto logits = runner.run(golden.ids);
  runner.adapters = &gguf;
  EXPECT_EQ(logits, runner.run(golden.ids));
}

// An adapter of the first layer's modules under other names: as wrappers have them, or wrong ones.
format::AdapterFile renamed(const std::string& from, const std::string& to) {
  format::AdapterFile file = format::open_adapter(adapter_path("llama_plain"));
  for (format::AdapterPair& pair : file.pairs) {
    const size_t at = pair.module.find(from);
    if (at != std::string::npos) pair.module.replace(at, from.size(), to);
  }
  return file;
}

TEST(AdapterBind, RefusesByName) {
  Cpu cpu(1);
  const auto model = bind_case(open_case("llama"), *cpu);
  const auto message = [&](const format::AdapterFile& file) {
    return message_of([&] { model::bind_adapter(file, *model, *cpu); });
  };
  const std::string path = adapter_path("llama_plain/adapter_model.safetensors").string();
  const std::string elsewhere =
      ": expected a linear layer of the attention or the ffn of llama with 2 layers (adapters of "
      "output layers, embeddings and experts are not supported)";
  const std::string first =
      path + ": tensor 'base_model.model.model.layers.0.mlp.down_proj.lora_A.weight'";
  EXPECT_EQ(message(renamed("model.layers.0.mlp.down_proj", "lm_head")), first + elsewhere);
  EXPECT_EQ(message(renamed("layers.0.mlp.down_proj", "layers.2.mlp.down_proj")),
            first + elsewhere);
  EXPECT_EQ(message(renamed("layers.0.mlp.down_proj", "layers.1.mlp.down_proj")),
            path +
                ": tensor 'base_model.model.model.layers.1.mlp.down_proj.lora_A.weight': "
                "expected one adapter of a layer, got another of the same in this file");
  EXPECT_EQ(message(renamed("layers.0.mlp.down_proj", "layers.0.self_attn.o_proj")),
            first + ": expected shape [3, 48] (layer 0 of the model), got [3, 52]");
  EXPECT_EQ(message(renamed("layers.0.mlp.gate_proj", "layers.0.self_attn.o_proj")),
            path +
                ": tensor 'base_model.model.model.layers.0.mlp.gate_proj.lora_B.weight': "
                "expected shape [48, 3] (layer 0 of the model), got [52, 3]");
}

TEST(AdapterBind, RefusesTheArchitectureOfAnotherModel) {
  Cpu cpu(1);
  const auto model = bind_case(open_case("granite"), *cpu);
  const std::string file = adapter_path("llama_plain/adapter.gguf").string();
  EXPECT_EQ(message_of([&] { bound("llama_plain/adapter.gguf", *model, *cpu); }),
            file + ": general.architecture: expected one of a granite model, got \"llama\"");
}

TEST(AdapterBind, RefusesARankThatStepsHaveNoRoomFor) {
  Cpu cpu(1);
  const auto model = bind_case(open_case("llama"), *cpu);
  format::AdapterFile file = format::open_adapter(adapter_path("llama_plain"));
  std::vector<float> numbers(static_cast<size_t>(513 * 52));
  const TensorView a = {
      .name = "a", .shape = {513, 52}, .bytes = std::as_bytes(std::span(numbers))};
  const TensorView b = {.name = "b",
                        .shape = {48, 513},
                        .bytes = std::as_bytes(std::span(numbers)).first(48 * 513 * 4)};
  file.pairs = {{.module = "model.layers.0.mlp.down_proj", .a = &a, .b = &b}};
  EXPECT_EQ(
      message_of([&] { model::bind_adapter(file, *model, *cpu); }),
      file.checkpoint.path.string() + ": tensor 'a': expected a rank of at most 512, got 513");
}

// Gemma 3 inside of a model of several modalities.
TEST(AdapterBind, KnowsThePrefixesOfWrappers) {
  Cpu cpu(1);
  const auto model = bind_case(open_case("gemma3"), *cpu);
  const model::Config& config = model->config;
  std::vector<float> numbers(static_cast<size_t>(4 * (config.hidden_size + config.ffn_size)));
  const Bytes bytes = std::as_bytes(std::span(numbers));
  const auto view = [&](int64_t rows, int64_t columns) {
    return TensorView{.name = "t",
                      .shape = {rows, columns},
                      .bytes = bytes.first(static_cast<size_t>(rows * columns * 4))};
  };
  const TensorView a = view(2, config.hidden_size), b = view(config.ffn_size, 2);
  for (const char* prefix : {"model.", "model.language_model.", "language_model.model."}) {
    format::AdapterFile file;
    file.checkpoint.container = format::Container::safetensors;
    file.pairs = {{.module = std::string(prefix) + "layers.1.mlp.up_proj", .a = &a, .b = &b}};
    const auto adapter = model::bind_adapter(file, *model, *cpu);
    EXPECT_NE(adapter->find(model->layers[1].up.get()), nullptr) << prefix;
    EXPECT_EQ(adapter->find(model->layers[0].up.get()), nullptr);
  }
}

TEST(AdapterBind, RefusesExperts) {
  Cpu cpu(1);
  const auto model = bind_case(open_case("mixtral"), *cpu);
  const TensorView any = {.name = "any", .shape = {1, 1}, .bytes = {}};
  for (const char* module :
       {"model.layers.0.block_sparse_moe.experts.0.w1", "model.layers.0.block_sparse_moe.gate",
        "model.layers.0.mlp.up_proj"}) {
    format::AdapterFile file;
    file.checkpoint.container = format::Container::safetensors;
    file.pairs = {{.module = module, .a = &any, .b = &any}};
    EXPECT_NE(message_of([&] {
                model::bind_adapter(file, *model, *cpu);
              }).find("experts are not supported"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace bittern::test
