// Binding: what is missing, misshapen or mistyped is refused by name before any arithmetic; what
// nobody reads is listed; the memory plan answers before anything is allocated.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>

#include "base/error.h"
#include "model/golden.h"
#include "model/plan.h"
#include "model/reference_backend.h"
#include "model/rope.h"

namespace bittern::test {
namespace {

TensorView& tensor(format::Checkpoint& checkpoint, std::string_view name) {
  for (TensorView& view : checkpoint.tensors)
    if (view.name == name) return view;
  throw std::runtime_error("no tensor " + std::string(name));
}

// Bytes that the checkpoint keeps alive, filled with `value`.
Bytes own_bytes(format::Checkpoint& checkpoint, size_t count, std::byte value = std::byte{0}) {
  checkpoint.buffers.emplace_back(count, value);
  return checkpoint.buffers.back();
}

std::string refusal(format::Checkpoint checkpoint) {
  const auto backend = make_reference_backend();
  try {
    bind_case(std::move(checkpoint), *backend);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    return error.message();
  }
  return "";
}

TEST(Bind, EveryMissingTensorIsNamed) {
  for (const char* files : {"llama", "llama_bias", "qwen3", "bitnet_packed", "1bitllm", "gemma2",
                            "olmo2", "phi3", "stablelm_parallel", "falcon_new", "gpt2", "gpt_neox",
                            "mixtral", "qwen3_moe_mixed", "bert"}) {
    const size_t count = open_case(files).tensors.size();
    for (size_t dropped = 0; dropped < count; ++dropped) {
      format::Checkpoint checkpoint = open_case(files);
      const std::string name = checkpoint.tensors[dropped].name;
      if (name.starts_with("pooler.")) continue;  // hidden states need none
      checkpoint.tensors.erase(checkpoint.tensors.begin() + static_cast<std::ptrdiff_t>(dropped));
      checkpoint.index();
      EXPECT_NE(refusal(std::move(checkpoint)).find(name), std::string::npos) << files << name;
    }
  }
}

TEST(Bind, EveryWrongShapeIsNamed) {
  for (const char* files :
       {"llama", "llama_bias/model.gguf", "bitnet_packed", "phi3", "stablelm_parallel",
        "stablelm_parallel/model.gguf", "falcon_new/model.gguf", "gpt2", "gpt2/model.gguf",
        "mixtral", "mixtral/model.gguf", "bert/model.gguf"}) {
    const size_t count = open_case(files).tensors.size();
    for (size_t index = 0; index < count; ++index) {
      format::Checkpoint checkpoint = open_case(files);
      TensorView& view = checkpoint.tensors[index];
      view.shape.insert(view.shape.begin(), 2);
      const std::string name = view.name;
      EXPECT_NE(refusal(std::move(checkpoint)).find(name), std::string::npos) << name;
    }
  }
}

TEST(Bind, IntegersAreNotWeights) {
  format::Checkpoint checkpoint = open_case("llama");
  tensor(checkpoint, "model.layers.1.mlp.up_proj.weight").codec = codec::Id::i16;
  EXPECT_NE(refusal(std::move(checkpoint)).find("up_proj"), std::string::npos);
}

TEST(Bind, ATensorWithoutACodecIsRefusedByItsType) {
  format::Checkpoint checkpoint = open_case("llama");
  const TensorView view = tensor(checkpoint, "model.layers.1.mlp.up_proj.weight");
  std::erase_if(checkpoint.tensors, [&](const TensorView& t) { return t.name == view.name; });
  checkpoint.opaque.push_back({view.name, "F8_E4M3", view.shape, view.bytes});
  checkpoint.index();
  const auto backend = make_reference_backend();
  try {
    bind_case(std::move(checkpoint), *backend);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_NE(error.message().find("'model.layers.1.mlp.up_proj.weight': F8_E4M3"),
              std::string::npos)
        << error.message();
  }
}

TEST(Bind, InvalidTernaryCodesAreRefused) {
  format::Checkpoint checkpoint = open_case("bitnet_packed");
  TensorView& view = tensor(checkpoint, "model.layers.1.mlp.up_proj.weight");
  view.bytes = own_bytes(checkpoint, view.bytes.size(), std::byte{0x55});
  checkpoint.buffers.back().back() = std::byte{0xc0};  // code 3 in the last row
  Cpu cpu;
  try {
    bind_case(std::move(checkpoint), *cpu);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    EXPECT_NE(error.message().find("config.json: model.layers.1.mlp.up_proj.weight"),
              std::string::npos)
        << error.message();
    EXPECT_NE(error.message().find("got 3"), std::string::npos) << error.message();
  }
}

TEST(Bind, WeightScaleMustBeAPositiveNumber) {
  for (const float value : {0.0f, -1.0f, std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity()}) {
    format::Checkpoint checkpoint = open_case("bitnet_packed");
    TensorView& view = tensor(checkpoint, "model.layers.0.self_attn.q_proj.weight_scale");
    ASSERT_EQ(view.codec, codec::Id::f32);
    view.bytes = own_bytes(checkpoint, sizeof value);
    std::memcpy(checkpoint.buffers.back().data(), &value, sizeof value);
    EXPECT_NE(refusal(std::move(checkpoint)).find("weight_scale"), std::string::npos) << value;
  }
}

TEST(Bind, UnusedTensorsAreListedAndKnownBuffersAreNot) {
  const auto backend = make_reference_backend();
  format::Checkpoint checkpoint = open_case("llama");
  const TensorView norm = tensor(checkpoint, "model.norm.weight");
  for (const char* name : {"model.layers.0.self_attn.rotary_emb.inv_freq", "model.extra.weight"}) {
    checkpoint.tensors.push_back(norm);
    checkpoint.tensors.back().name = name;
  }
  checkpoint.index();
  const auto model = bind_case(std::move(checkpoint), *backend);
  EXPECT_EQ(model->unused_tensors, std::vector<std::string>{"model.extra.weight"});
}

// All experts in one tensor each, as transformers 5 holds them in memory.
TEST(Bind, StackedExpertsOfAFolderGiveTheSameLogits) {
  format::Checkpoint checkpoint = open_case("qwen3_moe");
  const model::ArchSpec& arch = model::find_architecture(checkpoint);
  const model::Config config = model::read_config(checkpoint, arch);
  const auto stack = [&](const std::string& layer, const std::string& name,
                         std::vector<std::string> parts, std::vector<int64_t> shape) {
    std::vector<std::byte> bytes;
    for (int64_t item = 0; item < config.experts.count; ++item) {
      for (const std::string& part : parts) {
        const std::string own = layer + "experts." + std::to_string(item) + "." + part + ".weight";
        const Bytes from = tensor(checkpoint, own).bytes;
        bytes.insert(bytes.end(), from.begin(), from.end());
        std::erase_if(checkpoint.tensors, [&](const TensorView& t) { return t.name == own; });
      }
    }
    checkpoint.buffers.push_back(std::move(bytes));
    shape.insert(shape.begin(), config.experts.count);
    checkpoint.tensors.push_back({.name = layer + name,
                                  .codec = codec::Id::bf16,
                                  .shape = shape,
                                  .bytes = checkpoint.buffers.back()});
  };
  const int64_t ffn = config.experts.ffn_size;
  for (int64_t index = 0; index < config.layer_count; ++index) {
    const std::string layer = "model.layers." + std::to_string(index) + ".mlp.";
    stack(layer, "experts.gate_up_proj", {"gate_proj", "up_proj"}, {2 * ffn, config.hidden_size});
    stack(layer, "experts.down_proj", {"down_proj"}, {config.hidden_size, ffn});
  }
  checkpoint.index();
  const auto backend = make_reference_backend();
  const auto model = bind_case(std::move(checkpoint), *backend);
  EXPECT_TRUE(model->unused_tensors.empty());
  const Golden golden = read_golden("qwen3_moe/golden.bin");
  EXPECT_LE(relative_error(golden, Runner(*model, *backend).run(golden.ids)), 1e-4);
}

// Turned round once for the three parts of a fused tensor, and counted.
TEST(Bind, TransposedWeightsAreCopiedOnce) {
  const auto backend = make_reference_backend();
  const format::Checkpoint checkpoint = open_case("gpt2");
  const model::Config config = model::read_config(checkpoint, model::find_architecture(checkpoint));
  const auto model = bind_case(open_case("gpt2"), *backend);
  const int64_t hidden = config.hidden_size;
  const int64_t elements =
      config.layer_count * (4 * hidden * hidden + 2 * hidden * config.ffn_size);
  EXPECT_EQ(model->copied_weight_bytes, elements * 2);  // bf16
  const auto plan = model::plan_memory(config, checkpoint, {.context = 64, .max_rows = 8});
  EXPECT_GE(plan.packed_bytes, model->copied_weight_bytes);
  EXPECT_EQ(plan.rope_bytes, 0);
}

// Logits or hidden states of a model cut in two are those of the whole.
TEST(Forward, LayerRangesAddUpToTheModel) {
  Cpu cpu(1, nullptr, true);
  const Golden golden = read_golden("smollm3/golden.bin");
  const auto model = bind_case(open_case("smollm3"), *cpu);
  const model::Config& config = model->config;
  const auto count = static_cast<int64_t>(golden.ids.size());
  const auto run = [&](std::vector<model::LayerRange> ranges) {
    model::PagePool pages(4);
    const auto store = (*cpu).make_kv_store({.layer_count = config.layer_count,
                                             .kv_head_count = config.kv_head_count,
                                             .head_dim = config.head_dim,
                                             .type = backend::KvType::f32,
                                             .page_count = 4});
    model::SequenceState sequence;
    EXPECT_TRUE(pages.reserve(sequence, count));
    std::vector<model::BatchRow> rows;
    for (int64_t i = 0; i < count; ++i)
      rows.push_back(
          {golden.ids[static_cast<size_t>(i)], static_cast<int32_t>(i), &sequence, true});
    model::Workspace workspace(*model, count);
    std::vector<float> hidden(static_cast<size_t>(count * config.hidden_size));
    std::vector<float> logits(static_cast<size_t>(count * config.vocab_size));
    for (const model::LayerRange& range : ranges)
      model::forward_layers(*model, *cpu, *store, rows, workspace, range, hidden.data(),
                            logits.data());
    hidden.insert(hidden.end(), logits.begin(), logits.end());
    return hidden;
  };
  const auto whole = run({{0, 5}});
  EXPECT_EQ(run({{0, 2}, {2, 5}}), whole);
  EXPECT_EQ(run({{0, 1}, {1, 2}, {2, 5}}), whole);
  const std::vector<float> logits(whole.end() - static_cast<std::ptrdiff_t>(golden.logits.size()),
                                  whole.end());
  EXPECT_LE(relative_error(golden, logits), 1e-4);
}

TEST(Bind, UnknownArchitectureIsNamedAndTheTableListed) {
  format::Checkpoint checkpoint = open_case("llama");
  checkpoint.config = json::Document::parse(R"({"architectures": ["MambaForCausalLM"]})", "c");
  try {
    model::find_architecture(checkpoint);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_NE(error.message().find("MambaForCausalLM"), std::string::npos);
    EXPECT_NE(error.message().find("BitNetForCausalLM"), std::string::npos);
  }
}

// llama3 scaling as GGUF carries it: a tensor of divisors.
TEST(Bind, RopeFreqsTensorGivesTheLlama3Logits) {
  const auto backend = make_reference_backend();
  const Golden golden = read_golden("llama/golden.llama3.bin");
  format::Checkpoint checkpoint = open_case("llama/model.gguf");
  checkpoint.maps.push_back(
      FileMap::open(std::string(BITTERN_TEST_DATA) + "/models/llama/rope_freqs.bin"));
  checkpoint.tensors.push_back({.name = "rope_freqs.weight",
                                .codec = codec::Id::f32,
                                .shape = {8},
                                .bytes = checkpoint.maps.back().bytes()});
  checkpoint.index();
  const auto model = bind_case(std::move(checkpoint), *backend);
  EXPECT_LE(relative_error(golden, Runner(*model, *backend).run(golden.ids)), 1e-4);
}

// The table depends on the planned context only, never on who has run (decision 0003).
TEST(Rope, LengthDependentScalingIsDecidedByThePlannedContext) {
  const auto read = [](const char* config) {
    const auto checkpoint = open_case("llama", config);
    return model::read_config(checkpoint, model::find_architecture(checkpoint));
  };
  const auto frequencies = [](const model::Config& config, int64_t context) {
    return model::rope_frequencies(config, config.rope, context);
  };
  const model::Config dynamic = read("config.dynamic.json");
  EXPECT_EQ(frequencies(dynamic, 16), frequencies(dynamic, 32));
  EXPECT_NE(frequencies(dynamic, 32), frequencies(dynamic, 33));
  const model::Config longrope = read("config.longrope.json");
  EXPECT_EQ(frequencies(longrope, 16), frequencies(longrope, 32));
  EXPECT_NE(frequencies(longrope, 32), frequencies(longrope, 33));
  EXPECT_EQ(frequencies(longrope, 33), frequencies(longrope, 64));
  const model::Config yarn = read("config.yarn.json");
  EXPECT_EQ(frequencies(yarn, 16), frequencies(yarn, 64));
}

TEST(Plan, CountsEveryPartAndRefusesWhatDoesNotFit) {
  const auto checkpoint = open_case("bitnet_packed");
  const model::Config config = model::read_config(checkpoint, model::find_architecture(checkpoint));
  const auto plan = model::plan_memory(config, checkpoint, {.context = 64, .max_rows = 8});
  EXPECT_GT(plan.packed_bytes, 0);
  EXPECT_EQ(plan.rope_bytes, 64 * 16 * 4);
  EXPECT_GT(plan.kv_bytes, 0);
  EXPECT_EQ(plan.workspace_bytes, model::Workspace::bytes(config, 8));
  EXPECT_EQ(plan.needed(), plan.packed_bytes + plan.rope_bytes + plan.kv_bytes +
                               plan.workspace_bytes + plan.attention_bytes + plan.logits_bytes);
  const backend::KvShape store = {.layer_count = config.layer_count,
                                  .kv_head_count = config.kv_head_count,
                                  .head_dim = config.head_dim,
                                  .type = backend::KvType::f16,
                                  .page_count = model::PagePool::pages_for(64)};
  EXPECT_EQ(plan.attention_bytes, backend::attention_bytes(store, 1));
  const auto with_threads =
      model::plan_memory(config, checkpoint, {.context = 64, .max_rows = 8, .threads = 8});
  EXPECT_GT(with_threads.attention_bytes, 8 * plan.attention_bytes);
  EXPECT_NO_THROW(model::require_memory(plan, plan.needed(), "m"));
  try {
    model::require_memory(plan, plan.needed() - 1, "m");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::resources);
  }
  EXPECT_THROW(model::planned_context(config, 65), Error);
  EXPECT_EQ(model::planned_context(config, 0), 64);
}

TEST(Plan, HostileSizesAreRefusedNotAllocated) {
  const auto checkpoint = open_case("llama");
  model::Config config = model::read_config(checkpoint, model::find_architecture(checkpoint));
  config.layer_count = 1024;
  config.layers.resize(1024);
  config.kv_head_count = config.head_count = 1 << 14;
  config.head_dim = 1 << 13;
  config.max_context = 1 << 30;
  EXPECT_THROW(model::plan_memory(config, checkpoint, {}), Error);
}

}  // namespace
}  // namespace bittern::test
