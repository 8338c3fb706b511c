// LoRA adapters as files: what PEFT and the GGUF converter wrote is read by value, everything that
// is not a plain LoRA is refused by name. That the scales are right is shown by the logits in
// tests/model/adapter_test.cc; here they are held to their formula.
#include "format/adapter.h"

#include <gtest/gtest.h>

#include <cmath>

#include "format/format_support.h"
#include "format/gguf/writer.h"
#include "format/peft_config.h"
#include "format/safetensors/writer.h"
#include "temporary_folder.h"
#include "throws.h"

namespace bittern::format {
namespace {

using test::message_of;

std::filesystem::path adapter_path(const std::string& name) {
  return std::filesystem::path(BITTERN_TEST_DATA) / "adapters" / name;
}

const AdapterPair& pair_of(const AdapterFile& file, std::string_view module) {
  for (const AdapterPair& pair : file.pairs)
    if (pair.module == module) return pair;
  ADD_FAILURE() << "no " << module;
  return file.pairs.front();
}

TEST(PeftAdapter, ShapesAndScalesByPattern) {
  const AdapterFile file = open_adapter(adapter_path("llama_patterns"));
  EXPECT_EQ(file.base_model, "tests/data/models/llama");
  EXPECT_EQ(file.architecture, "");
  EXPECT_EQ(file.identity.size(), 64u);
  EXPECT_TRUE(file.unknown_keys.empty());
  ASSERT_EQ(file.pairs.size(), 14u);
  const AdapterPair& query = pair_of(file, "model.layers.0.self_attn.q_proj");
  EXPECT_EQ(query.a->shape, (std::vector<int64_t>{6, 48}));
  EXPECT_EQ(query.b->shape, (std::vector<int64_t>{48, 6}));
  EXPECT_EQ(query.a->codec, codec::Id::bf16);
  EXPECT_DOUBLE_EQ(query.scale, 6.0 / 6.0);
  EXPECT_DOUBLE_EQ(pair_of(file, "model.layers.0.self_attn.k_proj").scale, 11.0 / 4.0);
  EXPECT_DOUBLE_EQ(pair_of(file, "model.layers.1.self_attn.k_proj").scale, 11.0 / 4.0);
  EXPECT_DOUBLE_EQ(pair_of(file, "model.layers.0.self_attn.o_proj").scale, 6.0 / 4.0);
  EXPECT_DOUBLE_EQ(pair_of(file, "model.layers.1.self_attn.o_proj").scale, 9.0 / 4.0);
  EXPECT_DOUBLE_EQ(pair_of(file, "model.layers.1.mlp.gate_proj").scale, 3.0 / 4.0);
  EXPECT_DOUBLE_EQ(pair_of(file, "model.layers.1.mlp.down_proj").scale, 6.0 / 2.0);
}

TEST(PeftAdapter, RankStabilisedScale) {
  const AdapterFile file = open_adapter(adapter_path("phi3_rslora"));
  for (const AdapterPair& pair : file.pairs) EXPECT_DOUBLE_EQ(pair.scale, 3.0 / std::sqrt(4.0));
}

TEST(PeftAdapter, TheFileOfAFolderIsTheFolder) {
  const AdapterFile file = open_adapter(adapter_path("llama_plain/adapter_model.safetensors"));
  EXPECT_EQ(file.identity, open_adapter(adapter_path("llama_plain")).identity);
  EXPECT_NE(file.identity, open_adapter(adapter_path("llama_patterns")).identity);
}

TEST(GgufAdapter, ShapesAndScales) {
  const AdapterFile file = open_adapter(adapter_path("llama_plain/adapter.gguf"));
  EXPECT_EQ(file.architecture, "llama");
  ASSERT_EQ(file.pairs.size(), 10u);
  const AdapterPair& key = pair_of(file, "blk.1.attn_k");
  EXPECT_EQ(key.a->shape, (std::vector<int64_t>{5, 48}));
  EXPECT_EQ(key.b->shape, (std::vector<int64_t>{16, 5}));
  EXPECT_DOUBLE_EQ(key.scale, 5.0 / 5.0);
  EXPECT_DOUBLE_EQ(pair_of(file, "blk.0.ffn_gate").scale, 5.0 / 3.0);
}

// --- Refusals -----------------------------------------------------------------------------------

PeftConfig config_of(const std::string& json) {
  const auto document = json::Document::parse(json, "x.json");
  return parse_peft_config(document->root());
}

std::string refused(const std::string& members) {
  return message_of([&] { config_of(R"({"peft_type": "LORA", )" + members + "}"); });
}

TEST(PeftConfig, DefaultsAndHarmlessKeys) {
  const PeftConfig config = config_of(
      R"({"peft_type": "LORA", "task_type": "CAUSAL_LM", "bias": "none", "lora_dropout": 0.1,
          "fan_in_fan_out": true, "use_dora": false, "layer_replication": null,
          "target_parameters": [], "init_lora_weights": "gaussian", "made_by": "somebody",
          "later_flag": true, "later_off": false, "later_none": null, "later_empty": {}})");
  EXPECT_EQ(config.rank, 8);
  EXPECT_DOUBLE_EQ(config.scale_of("any", 4), 2.0);
  EXPECT_EQ(config.base_model, "");
  EXPECT_EQ(config.unknown_keys, (std::vector<std::string>{"made_by", "later_flag"}));
}

TEST(PeftConfig, PatternsAreThoseOfPython) {
  const PeftConfig config = config_of(
      R"({"peft_type": "LORA", "r": 2, "lora_alpha": 2,
          "alpha_pattern": {"a.b|c": 4, "x\\d+": 6, "^whole": 8}})");
  EXPECT_DOUBLE_EQ(config.scale_of("m.a.b", 2), 2.0);
  EXPECT_DOUBLE_EQ(config.scale_of("m.c", 2), 2.0);
  EXPECT_DOUBLE_EQ(config.scale_of("m.a.b.d", 2), 1.0);
  EXPECT_DOUBLE_EQ(config.scale_of("m.x12", 2), 3.0);
  EXPECT_DOUBLE_EQ(config.scale_of("m.ax12", 2), 1.0);
  EXPECT_DOUBLE_EQ(config.scale_of("whole", 2), 4.0);
  EXPECT_DOUBLE_EQ(config.scale_of("m.whole", 2), 1.0);
}

TEST(PeftConfig, OtherAdaptersAreRefusedByName) {
  EXPECT_EQ(message_of([] { config_of("[]"); }), "x.json: expected an object, got array");
  EXPECT_EQ(message_of([] { config_of("{}"); }),
            "x.json: peft_type: expected \"LORA\" (an adapter that PEFT saved), got nothing");
  EXPECT_EQ(message_of([] { config_of(R"({"peft_type": "IA3"})"); }),
            "x.json: peft_type: expected \"LORA\", got \"IA3\"");
  const std::string tail = " is not supported: expected a plain LoRA adapter";
  EXPECT_EQ(refused(R"("use_dora": true)"),
            "x.json: use_dora: DoRA (weights of a norm of their own)" + tail);
  EXPECT_EQ(
      refused(R"("alora_invocation_tokens": [1])"),
      "x.json: alora_invocation_tokens: aLoRA (an adapter that begins at certain tokens)" + tail);
  EXPECT_EQ(refused(R"("lora_bias": true)"), "x.json: lora_bias: biases of B" + tail);
  EXPECT_EQ(refused(R"("layer_replication": [[0, 1]])"),
            "x.json: layer_replication: replicated layers" + tail);
  EXPECT_EQ(refused(R"("target_parameters": ["experts"])"),
            "x.json: target_parameters: adapters of parameters that are no linear layers" + tail);
  for (const char* key :
       {"use_qalora", "use_bdlora", "monteclora_config", "arrow_config", "kasa_config"}) {
    const std::string message = refused(fmt::format(R"("{}": {{"a": 1}})", key));
    EXPECT_TRUE(message.starts_with(fmt::format("x.json: {}: ", key))) << message;
  }
  EXPECT_EQ(refused(R"("init_lora_weights": "pissa")"),
            "x.json: init_lora_weights: expected an adapter of the unchanged base model, got "
            "\"pissa\" (PEFT converts it: save_pretrained with "
            "path_initial_model_for_weight_conversion)");
}

TEST(PeftConfig, BadNumbersAreRefused) {
  EXPECT_EQ(refused(R"("r": 0)"), "x.json: r: expected 1 to 1048576, got 0");
  EXPECT_EQ(refused(R"("lora_alpha": 1e300)"),
            "x.json: lora_alpha: expected a number up to 1e+09, got 1e+300");
  EXPECT_EQ(refused(R"("alpha_pattern": {"q": -1e10})"),
            "x.json: alpha_pattern: expected a number up to 1e+09, got -10000000000");
  EXPECT_NE(refused(R"("alpha_pattern": {"(": 1})").find("x.json: alpha_pattern"),
            std::string::npos);
}

// A PEFT folder of two tensors of the right shape, and what a test adds.
class Folder {
 public:
  Folder() {
    add("base_model.model.up.lora_A.weight", {8, 4});
    add("base_model.model.up.lora_B.weight", {6, 8});
  }
  Folder& add(const std::string& name, std::vector<int64_t> shape, codec::Id id = codec::Id::f32) {
    numbers_.resize(4096);
    TensorView view = {.name = name, .codec = id, .shape = std::move(shape), .bytes = {}};
    const int64_t bytes = *codec::get(id).tensor_bytes(view.rows(), view.columns());
    view.bytes = std::as_bytes(std::span(numbers_)).first(static_cast<size_t>(bytes));
    tensors_.push_back(std::move(view));
    return *this;
  }
  Folder& without(const std::string& name) {
    std::erase_if(tensors_, [&](const TensorView& tensor) { return tensor.name == name; });
    return *this;
  }
  AdapterFile open(const std::string& members = "") {
    folder_.write("adapter_config.json", R"({"peft_type": "LORA")" + members + "}");
    safetensors::write(weights(), {}, tensors_);
    return open_adapter(folder_.path());
  }
  std::filesystem::path weights() const { return folder_.path() / "adapter_model.safetensors"; }
  std::filesystem::path path() const { return folder_.path(); }
  const test::TemporaryFolder& files() const { return folder_; }

 private:
  test::TemporaryFolder folder_;
  std::vector<float> numbers_;
  std::vector<TensorView> tensors_;
};

std::string refused(Folder& folder, const std::string& members = "") {
  const std::string message = message_of([&] { folder.open(members); });
  const std::string file = folder.weights().string() + ": ";
  return message.starts_with(file) ? message.substr(file.size()) : message;
}

TEST(PeftAdapter, TensorsThatAreNoPairAreRefusedByName) {
  const auto with = [](const char* name, std::vector<int64_t> shape) {
    Folder folder;
    return refused(folder.add(name, std::move(shape)));
  };
  const auto said = [](const std::string& name, const std::string& what) {
    return "tensor '" + name + "': " + what +
           " is not supported: expected the lora_A and lora_B of linear layers";
  };
  EXPECT_EQ(with("base_model.model.up.lora_magnitude_vector", {6}),
            said("base_model.model.up.lora_magnitude_vector", "a magnitude of DoRA"));
  EXPECT_EQ(with("base_model.model.embed.lora_embedding_A", {8, 9}),
            said("base_model.model.embed.lora_embedding_A", "an adapter of the embedding"));
  EXPECT_EQ(with("base_model.model.up.lora_B.bias", {6}),
            said("base_model.model.up.lora_B.bias", "a bias"));
  EXPECT_EQ(with("base_model.model.up.bias", {6}), said("base_model.model.up.bias", "a bias"));
  EXPECT_EQ(with("base_model.model.lm_head.weight", {6, 4}),
            said("base_model.model.lm_head.weight", "a whole tensor (modules_to_save, norms)"));
}

TEST(PeftAdapter, PairsThatDoNotFitAreRefused) {
  Folder folder;
  EXPECT_EQ(folder.open().pairs.size(), 1u);
  folder.add("base_model.model.down.lora_A.weight", {8, 4});
  EXPECT_EQ(refused(folder),
            "tensor 'base_model.model.down.lora_A.weight': expected the B of it, got none");
  folder.without("base_model.model.down.lora_A.weight")
      .add("base_model.model.down.lora_B.weight", {6, 8});
  EXPECT_EQ(refused(folder),
            "tensor 'base_model.model.down.lora_B.weight': expected the A of it, got none");
  folder.add("base_model.model.down.lora_A.weight", {7, 4});
  EXPECT_EQ(refused(folder),
            "tensor 'base_model.model.down.lora_B.weight': expected 7 columns, the rank of A, got "
            "8");
  folder.without("base_model.model.down.lora_B.weight")
      .add("base_model.model.down.lora_B.weight", {6, 7});
  EXPECT_EQ(refused(folder),
            "tensor 'base_model.model.down.lora_A.weight': expected 8 rows (r of "
            "adapter_config.json), got 7");
  EXPECT_EQ(folder.open(R"(, "rank_pattern": {"down": 7})").pairs.size(), 2u);
  folder.add("base_model.model.gate.lora_A.weight", {8, 2, 2});
  folder.add("base_model.model.gate.lora_B.weight", {6, 8});
  EXPECT_EQ(refused(folder, R"(, "rank_pattern": {"down": 7})"),
            "tensor 'base_model.model.gate.lora_A.weight': expected a matrix of real numbers, got "
            "F32 [8, 2, 2]");
  folder.without("base_model.model.gate.lora_A.weight")
      .add("base_model.model.gate.lora_A.weight", {8, 4}, codec::Id::i32);
  EXPECT_EQ(refused(folder, R"(, "rank_pattern": {"down": 7})"),
            "tensor 'base_model.model.gate.lora_A.weight': expected a matrix of real numbers, got "
            "I32 [8, 4]");
}

TEST(PeftAdapter, MissingFilesAreNamed) {
  const test::TemporaryFolder folder;
  const std::string path = folder.path().string();
  EXPECT_EQ(message_of([&] { open_adapter(folder.path()); }),
            path + ": expected adapter_config.json of an adapter, got none");
  folder.write("adapter_config.json", R"({"peft_type": "LORA"})");
  EXPECT_EQ(message_of([&] { open_adapter(folder.path()); }),
            path + ": expected adapter_model.safetensors, got none");
  const auto pickle = folder.write("adapter_model.bin", "PK");
  const std::string refused =
      path +
      ": adapter_model.bin is not read, as it may run programs: convert it to SafeTensors (load "
      "it with PEFT and save it again)";
  EXPECT_EQ(message_of([&] { open_adapter(folder.path()); }), refused);
  EXPECT_EQ(message_of([&] { open_adapter(pickle); }), refused);
  const auto text = folder.write("notes.txt", "an adapter");
  EXPECT_EQ(message_of([&] { open_adapter(text); }),
            text.string() +
                ": expected an adapter: a PEFT folder, its adapter_model.safetensors or a GGUF "
                "file");
}

// A GGUF adapter with one key changed.
std::string refused_gguf(const std::string& key, const MetadataValue& value) {
  Checkpoint checkpoint = open_checkpoint(adapter_path("granite_one_layer/adapter.gguf"));
  checkpoint.path = "x.gguf";
  checkpoint.metadata.set(key, value);
  return message_of([&] { adapter_of(std::move(checkpoint)); });
}

TEST(GgufAdapter, OtherFilesAreRefusedByName) {
  EXPECT_EQ(refused_gguf("general.type", value_of("model")),
            "x.gguf: general.type: expected \"adapter\", got \"model\"");
  EXPECT_EQ(refused_gguf("adapter.type", value_of("control_vector")),
            "x.gguf: adapter.type: expected \"lora\", got \"control_vector\"");
  EXPECT_EQ(refused_gguf("adapter.alora.invocation_tokens", value_of(std::vector<int32_t>{1})),
            "x.gguf: adapter.alora.invocation_tokens: aLoRA (an adapter that begins at certain "
            "tokens) is not supported: expected a plain LoRA adapter");
  EXPECT_EQ(refused_gguf("adapter.lora.alpha", value_of(INFINITY)),
            "x.gguf: adapter.lora.alpha: expected a number, got inf");
  EXPECT_EQ(refused_gguf("general.name", value_of("fine")), "(nothing thrown)");
}

// What converters of merged differences add to adapters.
TEST(GgufAdapter, NormsAndEmptyFilesAreRefused) {
  Checkpoint checkpoint = open_checkpoint(adapter_path("granite_one_layer/adapter.gguf"));
  checkpoint.path = "x.gguf";
  checkpoint.tensors.front().name = "blk.0.attn_norm.weight";
  checkpoint.index();
  EXPECT_EQ(message_of([&] { adapter_of(std::move(checkpoint)); }),
            "x.gguf: tensor 'blk.0.attn_norm.weight': a whole tensor (modules_to_save, norms) is "
            "not supported: expected the lora_A and lora_B of linear layers");
  Checkpoint empty = open_checkpoint(adapter_path("granite_one_layer/adapter.gguf"));
  empty.path = "x.gguf";
  empty.tensors.clear();
  EXPECT_EQ(message_of([&] { adapter_of(std::move(empty)); }),
            "x.gguf: expected tensors of LoRA, got none");
}

// llama.cpp takes no alpha for a scale of 1.
TEST(GgufAdapter, WithoutAlphaTheScaleIsOne) {
  Checkpoint checkpoint = open_checkpoint(adapter_path("granite_one_layer/adapter.gguf"));
  checkpoint.metadata.set("adapter.lora.alpha", value_of(0.0f));
  EXPECT_DOUBLE_EQ(adapter_of(std::move(checkpoint)).pairs.front().scale, 1.0);
}

}  // namespace
}  // namespace bittern::format
