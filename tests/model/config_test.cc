// Spellings of config.json and GGUF metadata that mean the same, and hostile numbers that are
// refused with a message naming file and field.
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "base/json.h"
#include "base/json_write.h"
#include "model/arch.h"
#include "model/config.h"

namespace bittern::test {
namespace {

using model::Config;
using model::RopeScaling;

JsonBuilder llama_json() {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"hidden_size", 64},
          {"intermediate_size", 96},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"vocab_size", 100},
          {"max_position_embeddings", 128},
          {"rms_norm_eps", 1e-5}};
}

// The base with `patch` merged over it, read as `architecture`.
Config read(const JsonBuilder& patch, std::string_view architecture = "LlamaForCausalLM") {
  JsonBuilder json = llama_json();
  if (!patch.is_null()) json.merge_patch(patch);
  const auto document = json::Document::parse(to_text(json), "config.json");
  return model::config_from_hf(document->root(), *model::find_by_hf_class(architecture));
}

// The message of the Error that reading throws; empty where it does not.
std::string refusal(const std::string& patch, std::string_view architecture = "LlamaForCausalLM") {
  try {
    read(JsonBuilder::parse(patch), architecture);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

TEST(HfConfig, ReadsThePlainFields) {
  const Config config = read({{"hidden_act", "gelu_new"}, {"attention_bias", true}});
  EXPECT_EQ(config.hidden_size, 64);
  EXPECT_EQ(config.ffn_size, 96);
  EXPECT_EQ(config.layer_count, 2);
  EXPECT_EQ(config.head_count, 4);
  EXPECT_EQ(config.kv_head_count, 2);
  EXPECT_EQ(config.head_dim, 16);
  EXPECT_EQ(config.vocab_size, 100);
  EXPECT_EQ(config.max_context, 128);
  EXPECT_EQ(config.norm_eps, 1e-5);
  EXPECT_EQ(config.activation, backend::Activation::gelu_tanh);
  EXPECT_TRUE(config.qkv_bias);
  EXPECT_TRUE(config.output_bias);
  EXPECT_FALSE(config.mlp_bias);
  EXPECT_FALSE(config.tied_embedding);
  EXPECT_FALSE(config.ternary);
  EXPECT_EQ(config.rope.scaling, RopeScaling::none);
}

TEST(HfConfig, NullOrAbsentFieldsTakeTheClassDefaults) {
  const Config config = read({{"num_key_value_heads", nullptr},
                              {"head_dim", nullptr},
                              {"rope_scaling", nullptr},
                              {"quantization_config", nullptr},
                              {"rms_norm_eps", nullptr}});
  EXPECT_EQ(config.kv_head_count, 4);
  EXPECT_EQ(config.head_dim, 16);
  EXPECT_EQ(config.norm_eps, 1e-6);
  EXPECT_EQ(config.rope.theta, 1e4);
  EXPECT_EQ(read({{"rms_norm_eps", nullptr}}, "BitNetForCausalLM").norm_eps, 1e-5);
  EXPECT_EQ(read({}, "BitNetForCausalLM").rope.theta, 5e5);
  EXPECT_EQ(read({}, "BitNetForCausalLM").activation, backend::Activation::relu2);
  EXPECT_EQ(read({}, "BitnetForCausalLM").activation, backend::Activation::silu);
  EXPECT_TRUE(read({}, "BitnetForCausalLM").tied_embedding);
  EXPECT_EQ(read({}, "Qwen3ForCausalLM").head_dim, 128);
}

TEST(HfConfig, RopeSpellingsOfTransformers4And5Agree) {
  const JsonBuilder scaling = {{"factor", 8.0},
                               {"low_freq_factor", 1.0},
                               {"high_freq_factor", 4.0},
                               {"original_max_position_embeddings", 32}};
  JsonBuilder with_type = scaling;
  with_type["type"] = "llama3";
  JsonBuilder with_rope_type = scaling;
  with_rope_type["rope_type"] = "llama3";
  JsonBuilder whole = with_rope_type;
  whole["rope_theta"] = 5e5;
  const JsonBuilder spellings[] = {
      {{"rope_theta", 5e5}, {"rope_scaling", with_type}},
      {{"rope_theta", 5e5}, {"rope_scaling", with_rope_type}},
      {{"rope_parameters", whole}},
      {{"rope_theta", 1.5}, {"rope_parameters", whole}},  // inside wins
      {{"rope_theta", 5e5}, {"rope_parameters", with_rope_type}},
      {{"rope_parameters", {{"full_attention", whole}, {"sliding_attention", nullptr}}}},
      {{"rope_scaling", whole}, {"rope_parameters", {{"rope_type", "linear"}, {"factor", 2}}}},
  };
  for (const JsonBuilder& spelling : spellings) {
    const Config config = read(spelling);
    EXPECT_EQ(config.rope.theta, 5e5) << spelling;
    EXPECT_EQ(config.rope.scaling, RopeScaling::llama3) << spelling;
    EXPECT_EQ(config.rope.factor, 8.0) << spelling;
    EXPECT_EQ(config.rope.original_context, 32) << spelling;
  }
}

TEST(HfConfig, OriginalContextAtTheTopLevelWins) {
  const JsonBuilder yarn = {{"rope_type", "yarn"}, {"original_max_position_embeddings", 32}};
  EXPECT_EQ(read({{"rope_scaling", yarn}}).rope.original_context, 32);
  EXPECT_EQ(read({{"rope_scaling", yarn}, {"original_max_position_embeddings", 64}})
                .rope.original_context,
            64);
  EXPECT_EQ(read({{"rope_scaling", {{"rope_type", "yarn"}}}}).rope.original_context, 128);
  // A factor left open is the ratio of the two lengths.
  EXPECT_EQ(read({{"rope_scaling", yarn}}).rope.factor, 4.0);
}

TEST(HfConfig, ScaleRuleFollowsLinearClassAlone) {
  using model::ScaleRule;
  const auto quantised = [](JsonBuilder fields) {
    fields["quant_method"] = "bitnet";
    return read({{"quantization_config", fields}});
  };
  EXPECT_EQ(quantised({}).scale_rule, ScaleRule::divide);
  EXPECT_EQ(quantised({{"linear_class", "bitlinear"}}).scale_rule, ScaleRule::divide);
  EXPECT_EQ(quantised({{"linear_class", "autobitlinear"}}).scale_rule, ScaleRule::multiply);
  EXPECT_TRUE(quantised({}).ternary);
  EXPECT_TRUE(read({{"quantization_config", {{"is_bitnet_config", true}}}}).ternary);
}

TEST(HfConfig, ModulesToNotConvertAreLeftDense) {
  const JsonBuilder list = {"lm_head", "model.layers.1", "o_proj"};
  const Config config = read(
      {{"quantization_config", {{"quant_method", "bitnet"}, {"modules_to_not_convert", list}}}});
  EXPECT_FALSE(config.ternary_head);
  EXPECT_TRUE(config.is_ternary("model.layers.0.mlp.up_proj"));
  EXPECT_FALSE(config.is_ternary("model.layers.1.mlp.up_proj"));
  EXPECT_TRUE(config.is_ternary("model.layers.11.mlp.up_proj"));
  EXPECT_FALSE(config.is_ternary("model.layers.0.self_attn.o_proj"));
  // A list without the head converts the head too, as the reference does; no list leaves it out.
  EXPECT_TRUE(read({{"quantization_config",
                     {{"quant_method", "bitnet"}, {"modules_to_not_convert", {"o_proj"}}}}})
                  .ternary_head);
  EXPECT_FALSE(read({{"quantization_config", {{"quant_method", "bitnet"}}}}).ternary_head);
}

struct Refusal {
  const char* patch;
  const char* named;  // in the message
};

TEST(HfConfig, HostileNumbersAreRefusedByName) {
  const Refusal kRefusals[] = {
      {R"({"hidden_size": 0})", "hidden_size"},
      {R"({"hidden_size": -64})", "hidden_size"},
      {R"({"hidden_size": null})", "hidden_size"},
      {R"({"hidden_size": 99999999999})", "hidden_size"},
      {R"({"hidden_size": "64"})", "hidden_size"},
      {R"({"hidden_size": 64.5})", "hidden_size"},
      {R"({"intermediate_size": 18446744073709551615})", "intermediate_size"},
      {R"({"num_hidden_layers": 100000000})", "num_hidden_layers"},
      {R"({"num_attention_heads": 0})", "num_attention_heads"},
      {R"({"num_attention_heads": 16384})", "rotated part"},
      {R"({"num_key_value_heads": 3})", "key/value heads"},
      {R"({"num_key_value_heads": 8})", "key/value heads"},
      {R"({"head_dim": 15})", "head_dim"},
      {R"({"vocab_size": 1e300})", "vocab_size"},
      {R"({"max_position_embeddings": 0})", "max_position_embeddings"},
      {R"({"rms_norm_eps": -1e-5})", "rms_norm_eps"},
      {R"({"rope_theta": 0})", "rope_theta"},
      {R"({"rope_theta": []})", "rope_theta"},
      {R"({"rope_parameters": []})", "rope_parameters"},
      {R"({"rope_parameters": {"full_attention": 3}})", "full_attention"},
      {R"({"rope_parameters": {"partial_rotary_factor": 2}})", "partial_rotary_factor"},
      {R"({"rope_parameters": {"partial_rotary_factor": 0.01}})", "rotated part"},
      {R"({"rope_scaling": {"rope_type": "linear"}})", "factor"},
      {R"({"rope_scaling": {"rope_type": "linear", "factor": 0}})", "factor"},
      {R"({"rope_scaling": {"rope_type": "longrope", "short_factor": [1], "long_factor": [1]}})",
       "short factors"},
      {R"({"rope_scaling": {"rope_type": "longrope", "short_factor": [1,1,1,1,1,1,1,0],
           "long_factor": [1,1,1,1,1,1,1,1]}})",
       "short factors"},
      {R"({"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 4,
           "high_freq_factor": 1}})",
       "high_freq_factor"},
      {R"({"hidden_act": "tanh\nx"})", "hidden_act"},
      {R"({"tie_word_embeddings": "yes"})", "tie_word_embeddings"},
      {R"({"quantization_config": {"quant_method": "bitnet", "modules_to_not_convert": [3]}})",
       "modules_to_not_convert"},
  };
  for (const Refusal& item : kRefusals) {
    const std::string message = refusal(item.patch);
    EXPECT_NE(message.find("config.json"), std::string::npos) << item.patch << ": " << message;
    EXPECT_NE(message.find(item.named), std::string::npos) << item.patch << ": " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << item.patch;
  }
}

TEST(HfConfig, WhatIsNotComputedIsRefusedByName) {
  const Refusal kRefusals[] = {
      {R"({"quantization_config": {"quant_method": "gptq", "bits": 4}})", "gptq"},
      {R"({"quantization_config": {"quant_method": "awq"}})", "awq"},
      {R"({"quantization_config": {"load_in_4bit": true}})", "quant_method"},
      {R"({"quantization_config": {"quant_method": "bitnet", "use_rms_norm": true}})",
       "use_rms_norm"},
      {R"({"quantization_config": {"quant_method": "bitnet", "linear_class": "other"}})",
       "linear_class"},
      {R"({"quantization_config": {"quant_method": "bitnet",
           "modules_to_not_convert": ["model\\.layers\\.[0-3].*"]}})",
       "modules_to_not_convert"},
      {R"({"rope_scaling": {"rope_type": "mrope"}})", "mrope"},
      {R"({"use_sliding_window": true})", "use_sliding_window"},
      {R"({"layer_types": ["full_attention", "linear_attention"]})", "linear_attention"},
      {R"({"hidden_act": "xielu"})", "xielu"},
  };
  for (const Refusal& item : kRefusals)
    EXPECT_NE(refusal(item.patch).find(item.named), std::string::npos)
        << item.patch << ": " << refusal(item.patch);
}

// --- GGUF -------------------------------------------------------------------------------------

format::Checkpoint gguf_checkpoint() {
  format::Checkpoint checkpoint;
  checkpoint.metadata.file_name = "model.gguf";
  auto& metadata = checkpoint.metadata;
  metadata.set("general.architecture", format::value_of(std::string("llama")));
  metadata.set("llama.embedding_length", format::value_of(uint32_t{64}));
  metadata.set("llama.feed_forward_length", format::value_of(uint32_t{96}));
  metadata.set("llama.block_count", format::value_of(uint32_t{2}));
  metadata.set("llama.attention.head_count", format::value_of(uint32_t{4}));
  metadata.set("llama.context_length", format::value_of(uint32_t{128}));
  checkpoint.tensors.emplace_back();
  checkpoint.tensors.back().name = "token_embd.weight";
  checkpoint.tensors.back().shape = {100, 64};
  checkpoint.index();
  return checkpoint;
}

Config read_gguf(const format::Checkpoint& checkpoint) {
  return model::config_from_gguf(checkpoint, *model::find_by_gguf_name("llama"));
}

template <typename T>
std::string gguf_refusal(const std::string& key, T value) {
  format::Checkpoint checkpoint = gguf_checkpoint();
  checkpoint.metadata.set(key, format::value_of(value));
  try {
    read_gguf(checkpoint);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

TEST(GgufConfig, ReadsKeysAndDefaults) {
  const Config config = read_gguf(gguf_checkpoint());
  EXPECT_EQ(config.hidden_size, 64);
  EXPECT_EQ(config.kv_head_count, 4);
  EXPECT_EQ(config.head_dim, 16);
  EXPECT_EQ(config.vocab_size, 100);  // rows of the embedding
  EXPECT_EQ(config.rope.theta, 1e4);
  EXPECT_TRUE(config.tied_embedding);
}

TEST(GgufConfig, PerLayerListsOfEqualValuesAreOneValue) {
  format::Checkpoint checkpoint = gguf_checkpoint();
  checkpoint.metadata.set("llama.attention.head_count_kv",
                          format::value_of(std::vector<int32_t>{2, 2}));
  EXPECT_EQ(read_gguf(checkpoint).kv_head_count, 2);
  EXPECT_NE(gguf_refusal("llama.feed_forward_length", std::vector<int32_t>{96, 64})
                .find("feed_forward_length"),
            std::string::npos);
}

TEST(GgufConfig, RopeScalingKeys) {
  format::Checkpoint checkpoint = gguf_checkpoint();
  auto& metadata = checkpoint.metadata;
  metadata.set("llama.rope.scaling.type", format::value_of(std::string("yarn")));
  metadata.set("llama.rope.scaling.factor", format::value_of(4.0f));
  metadata.set("llama.rope.scaling.original_context_length", format::value_of(uint32_t{32}));
  const Config yarn = read_gguf(checkpoint);
  EXPECT_EQ(yarn.rope.scaling, RopeScaling::yarn);
  EXPECT_EQ(yarn.rope.factor, 4.0);
  EXPECT_EQ(yarn.rope.original_context, 32);
  EXPECT_NEAR(yarn.rope.attention_factor, 1.1386294, 1e-6);
  metadata.set("llama.rope.scaling.type", format::value_of(std::string("linear")));
  EXPECT_EQ(read_gguf(checkpoint).rope.scaling, RopeScaling::linear);
}

TEST(GgufConfig, HostileOrUncomputedValuesAreRefusedByName) {
  EXPECT_NE(gguf_refusal("llama.embedding_length", uint32_t{0}).find("embedding_length"),
            std::string::npos);
  EXPECT_NE(gguf_refusal("llama.block_count", uint32_t{4000000000}).find("block_count"),
            std::string::npos);
  EXPECT_NE(gguf_refusal("llama.attention.head_count", std::vector<int32_t>{}).find("head_count"),
            std::string::npos);
  EXPECT_NE(gguf_refusal("llama.attention.key_length", uint32_t{1u << 31}).find("key_length"),
            std::string::npos);
  EXPECT_NE(gguf_refusal("llama.attention.value_length", uint32_t{8}).find("value_length"),
            std::string::npos);
  EXPECT_NE(gguf_refusal("llama.rope.dimension_count", uint32_t{18}).find("dimension_count"),
            std::string::npos);
  EXPECT_NE(gguf_refusal("llama.rope.freq_base", 0.5f).find("freq_base"), std::string::npos);
  EXPECT_NE(gguf_refusal("llama.expert_count", uint32_t{8}).find("expert_used_count"),
            std::string::npos);
  EXPECT_NE(gguf_refusal("llama.attn_logit_softcapping", 30.0f).find("attn_logit_softcapping"),
            std::string::npos);
  EXPECT_NE(gguf_refusal("llama.residual_scale", 0.5f).find("residual_scale"), std::string::npos);
  EXPECT_NE(gguf_refusal("llama.rope.scaling.type", std::string("alien")).find("alien"),
            std::string::npos);
}

}  // namespace
}  // namespace bittern::test
