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
  for (const char* files : {"llama", "llama_bias", "qwen3", "bitnet_packed", "1bitllm"}) {
    const size_t count = open_case(files).tensors.size();
    for (size_t dropped = 0; dropped < count; ++dropped) {
      format::Checkpoint checkpoint = open_case(files);
      const std::string name = checkpoint.tensors[dropped].name;
      checkpoint.tensors.erase(checkpoint.tensors.begin() + static_cast<std::ptrdiff_t>(dropped));
      checkpoint.index();
      EXPECT_NE(refusal(std::move(checkpoint)).find(name), std::string::npos) << files << name;
    }
  }
}

TEST(Bind, EveryWrongShapeIsNamed) {
  for (const char* files : {"llama", "llama_bias/model.gguf", "bitnet_packed"}) {
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
  const model::Config dynamic = read("config.dynamic.json");
  EXPECT_EQ(model::rope_frequencies(dynamic, 16), model::rope_frequencies(dynamic, 32));
  EXPECT_NE(model::rope_frequencies(dynamic, 32), model::rope_frequencies(dynamic, 33));
  const model::Config longrope = read("config.longrope.json");
  EXPECT_EQ(model::rope_frequencies(longrope, 16), model::rope_frequencies(longrope, 32));
  EXPECT_NE(model::rope_frequencies(longrope, 32), model::rope_frequencies(longrope, 33));
  EXPECT_EQ(model::rope_frequencies(longrope, 33), model::rope_frequencies(longrope, 64));
  const model::Config yarn = read("config.yarn.json");
  EXPECT_EQ(model::rope_frequencies(yarn, 16), model::rope_frequencies(yarn, 64));
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
                               plan.workspace_bytes + plan.logits_bytes);
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
  config.kv_head_count = config.head_count = 1 << 14;
  config.head_dim = 1 << 13;
  config.max_context = 1 << 30;
  EXPECT_THROW(model::plan_memory(config, checkpoint, {}), Error);
}

}  // namespace
}  // namespace bittern::test
