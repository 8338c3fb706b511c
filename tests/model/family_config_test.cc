// What the families say in fields of their own, in config.json and in GGUF keys: defaults of the
// reference classes, null against missing, lists against patterns, and what is refused by name.
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "base/json_write.h"
#include "model/arch.h"
#include "model/config.h"

namespace bittern::test {
namespace {

using model::Config;
using model::HeadNorm;
using model::Residual;

Config read(std::string_view architecture, const std::string& fields) {
  JsonBuilder json = {{"hidden_size", 64},
                      {"intermediate_size", 96},
                      {"num_hidden_layers", 8},
                      {"num_attention_heads", 4},
                      {"num_key_value_heads", 2},
                      {"vocab_size", 100},
                      {"max_position_embeddings", 128}};
  const JsonBuilder changes = JsonBuilder::parse(fields);
  for (const auto& [key, value] : changes.items()) json[key] = value;
  const auto document = json::Document::parse(to_text(json), "config.json");
  return model::config_from_hf(document->root(), *model::find_by_hf_class(architecture));
}

std::string refusal(std::string_view architecture, const std::string& fields) {
  try {
    read(architecture, fields);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

// The layers' windows, one digit each: "w" slides, "." sees everything.
std::string windows(const Config& config) {
  std::string text;
  for (const model::LayerConfig& layer : config.layers) text += layer.window > 0 ? 'w' : '.';
  return text;
}
std::string rotations(const Config& config) {
  std::string text;
  for (const model::LayerConfig& layer : config.layers) text += layer.rotary ? 'r' : '.';
  return text;
}
std::string sparse(const Config& config) {
  std::string text;
  for (const model::LayerConfig& layer : config.layers) text += layer.experts ? 'e' : '.';
  return text;
}

TEST(FamilyConfig, WindowsByTheDefaultOfTheClass) {
  EXPECT_EQ(read("MistralForCausalLM", "{}").layers[0].window, 4096);  // missing
  EXPECT_EQ(windows(read("MistralForCausalLM", R"({"sliding_window": null})")), "........");
  EXPECT_EQ(windows(read("MixtralForCausalLM", "{}")), "........");
  EXPECT_EQ(windows(read("Phi3ForCausalLM", R"({"sliding_window": 16})")), "wwwwwwww");
  EXPECT_EQ(windows(read("Gemma2ForCausalLM", "{}")), "w.w.w.w.");
  EXPECT_EQ(windows(read("Gemma3ForCausalLM", "{}")), "wwwww.ww");
  EXPECT_EQ(windows(read("Gemma3ForCausalLM", R"({"sliding_window_pattern": 4})")), "www.www.");
}

TEST(FamilyConfig, QwenWindowsOnlyWhereSwitchedOn) {
  EXPECT_EQ(windows(read("Qwen2ForCausalLM", R"({"sliding_window": 8})")), "........");
  EXPECT_EQ(windows(read("Qwen2ForCausalLM",
                         R"({"use_sliding_window": true, "sliding_window": 8,
                             "max_window_layers": 5})")),
            ".....www");
  EXPECT_EQ(
      windows(read("Qwen3ForCausalLM", R"({"use_sliding_window": true, "sliding_window": 8})")),
      "........");  // max_window_layers is 28
}

TEST(FamilyConfig, AListOfLayerTypesWins) {
  const std::string list = R"({"sliding_window": 8, "layer_types": [
      "full_attention", "sliding_attention", "full_attention", "full_attention",
      "full_attention", "full_attention", "full_attention", "full_attention"]})";
  EXPECT_EQ(windows(read("Gemma2ForCausalLM", list)), ".w......");
  EXPECT_NE(refusal("Gemma2ForCausalLM", R"({"layer_types": ["full_attention"]})")
                .find("layer_types: expected 8"),
            std::string::npos);
  EXPECT_NE(refusal("LlamaForCausalLM", list).find("layer_types"), std::string::npos);
  EXPECT_NE(refusal("MistralForCausalLM", list).find("layer_types"), std::string::npos);
}

TEST(FamilyConfig, CapsAndScalesByTheDefaultOfTheClass) {
  const Config gemma2 = read("Gemma2ForCausalLM", "{}");
  EXPECT_EQ(gemma2.attention_softcap, 50.0);
  EXPECT_EQ(gemma2.logit_softcap, 30.0);
  EXPECT_EQ(gemma2.attention_scale, 1.0 / 16.0);
  EXPECT_EQ(gemma2.embedding_scale, 8.0);
  EXPECT_EQ(read("Gemma2ForCausalLM", R"({"attn_logit_softcapping": null})").attention_softcap,
            0.0);
  EXPECT_EQ(read("Gemma3ForCausalLM", "{}").logit_softcap, 0.0);
  EXPECT_EQ(read("GraniteForCausalLM", "{}").attention_scale, 1.0);
  EXPECT_EQ(read("GraniteForCausalLM", R"({"logits_scaling": 4.0})").logit_scale, 0.25);
  EXPECT_EQ(read("CohereForCausalLM", "{}").logit_scale, 0.0625);
}

TEST(FamilyConfig, RotaryPartsAndAngles) {
  EXPECT_EQ(read("StableLmForCausalLM", "{}").rope.partial, 0.25);
  EXPECT_EQ(read("PhiForCausalLM", "{}").rope.partial, 0.5);
  EXPECT_EQ(read("GPTNeoXForCausalLM", R"({"rotary_pct": 0.5})").rope.partial, 0.5);
  EXPECT_EQ(read("GPTNeoXForCausalLM", R"({"rotary_emb_base": 20000})").rope.theta, 2e4);
  EXPECT_EQ(read("SmolLM3ForCausalLM", "{}").rope.theta, 2e6);
  const Config gemma3 = read("Gemma3ForCausalLM", "{}");
  EXPECT_EQ(gemma3.rope.theta, 1e6);
  EXPECT_EQ(gemma3.window_rope->theta, 1e4);
  EXPECT_EQ(read("Gemma3ForCausalLM", R"({"rope_local_base_freq": 500})").window_rope->theta, 500);
}

TEST(FamilyConfig, NoRopeLayersIsOneWhereALayerRotates) {
  EXPECT_EQ(rotations(read("SmolLM3ForCausalLM", "{}")), "rrr.rrr.");
  EXPECT_EQ(rotations(read("SmolLM3ForCausalLM", R"({"no_rope_layer_interval": 2})")), "r.r.r.r.");
  EXPECT_EQ(
      rotations(read("SmolLM3ForCausalLM", R"({"no_rope_layers": [0, 1, 1, 1, 1, 1, 1, 0]})")),
      ".rrrrrr.");
  EXPECT_NE(refusal("SmolLM3ForCausalLM", R"({"no_rope_layers": [0]})").find("no_rope_layers"),
            std::string::npos);
}

TEST(FamilyConfig, Experts) {
  const Config mixtral = read("MixtralForCausalLM", "{}");
  EXPECT_EQ(mixtral.experts.count, 8);
  EXPECT_EQ(mixtral.experts.chosen, 2);
  EXPECT_EQ(mixtral.experts.ffn_size, 96);
  EXPECT_TRUE(mixtral.experts.renormalise);
  EXPECT_EQ(sparse(mixtral), "eeeeeeee");
  const std::string fields = R"({"num_experts": 6, "num_experts_per_tok": 2)";
  EXPECT_FALSE(read("Qwen3MoeForCausalLM", fields + "}").experts.renormalise);
  EXPECT_EQ(sparse(read("Qwen3MoeForCausalLM",
                        fields + R"(, "decoder_sparse_step": 2, "mlp_only_layers": [3]})")),
            ".e...e.e");
  EXPECT_NE(
      refusal("MixtralForCausalLM", R"({"num_experts_per_tok": 9})").find("experts per token"),
      std::string::npos);
  EXPECT_NE(
      refusal("MixtralForCausalLM", R"({"num_local_experts": 1000000})").find("num_local_experts"),
      std::string::npos);
}

TEST(FamilyConfig, FalconGenerations) {
  const Config first = read("FalconForCausalLM", "{}");
  EXPECT_EQ(first.kv_head_count, 1);
  EXPECT_TRUE(first.shared_norm);
  EXPECT_EQ(read("FalconForCausalLM", R"({"multi_query": false})").kv_head_count, 4);
  const Config grouped =
      read("FalconForCausalLM", R"({"new_decoder_architecture": true, "num_kv_heads": 2})");
  EXPECT_EQ(grouped.kv_head_count, 2);
  EXPECT_FALSE(grouped.shared_norm);
  EXPECT_TRUE(read("FalconForCausalLM",
                   R"({"new_decoder_architecture": true, "num_ln_in_parallel_attn": 1})")
                  .shared_norm);
}

TEST(FamilyConfig, SwitchesOfTheNormsAndBranches) {
  EXPECT_EQ(read("StableLmForCausalLM", "{}").residual, Residual::sequential);
  const Config stablelm =
      read("StableLmForCausalLM", R"({"use_parallel_residual": true, "qk_layernorm": true})");
  EXPECT_EQ(stablelm.residual, Residual::parallel);
  EXPECT_TRUE(stablelm.shared_norm);
  EXPECT_EQ(stablelm.head_norm, HeadNorm::own);
  EXPECT_EQ(read("GPTNeoXForCausalLM", R"({"use_parallel_residual": false})").residual,
            Residual::sequential);
  EXPECT_EQ(read("CohereForCausalLM", R"({"use_qk_norm": true})").head_norm, HeadNorm::own);
}

TEST(FamilyConfig, OldNamesOfTheSizes) {
  const auto document = json::Document::parse(
      R"({"n_embd": 48, "n_layer": 3, "n_head": 6, "vocab_size": 50, "n_positions": 32,
          "layer_norm_epsilon": 1e-3, "activation_function": "relu"})",
      "config.json");
  const Config config =
      model::config_from_hf(document->root(), *model::find_by_hf_class("GPT2LMHeadModel"));
  EXPECT_EQ(config.hidden_size, 48);
  EXPECT_EQ(config.ffn_size, 192);
  EXPECT_EQ(config.layer_count, 3);
  EXPECT_EQ(config.head_dim, 8);
  EXPECT_EQ(config.max_context, 32);
  EXPECT_EQ(config.norm_eps, 1e-3);
  EXPECT_EQ(config.activation, backend::Activation::relu);
  EXPECT_TRUE(config.learned_positions);
}

// Old Gemma files say "gelu" and mean the tanh form; others mean what they say.
TEST(FamilyConfig, GeluOfGemmaIsTheTanhForm) {
  EXPECT_EQ(read("GemmaForCausalLM", R"({"hidden_act": "gelu"})").activation,
            backend::Activation::gelu_tanh);
  EXPECT_EQ(read("GPTNeoXForCausalLM", R"({"hidden_act": "gelu"})").activation,
            backend::Activation::gelu);
}

TEST(FamilyConfig, WhatTheForwardDoesNotComputeIsRefusedByName) {
  const struct {
    const char* architecture;
    const char* fields;
    const char* named;
  } kRefusals[] = {
      {"FalconForCausalLM", R"({"alibi": true})", "alibi"},
      {"FalconForCausalLM", R"({"parallel_attn": false})", "parallel_attn"},
      {"LlamaForCausalLM", R"({"clip_qkv": 8.0})", "clip_qkv"},
      {"GPT2LMHeadModel", R"({"scale_attn_by_inverse_layer_idx": true})",
       "scale_attn_by_inverse_layer_idx"},
      {"GPT2LMHeadModel", R"({"add_cross_attention": true})", "add_cross_attention"},
      {"Gemma3ForCausalLM", R"({"use_bidirectional_attention": true})",
       "use_bidirectional_attention"},
      {"PhiForCausalLM", R"({"qk_layernorm": true})", "qk_layernorm"},
      {"Phi3ForCausalLM", R"({"rope_scaling": {"type": "linear", "factor": 2}})", "rope_type"},
      {"BertModel", R"({"is_decoder": true})", "is_decoder"},
      {"BertModel", R"({"position_embedding_type": "relative_key"})", "position_embedding_type"},
      {"MistralForCausalLM", R"({"sliding_window": 0})", "sliding_window"},
      {"Gemma2ForCausalLM", R"({"query_pre_attn_scalar": 0})", "query_pre_attn_scalar"},
      {"GraniteForCausalLM", R"({"residual_multiplier": -1})", "residual_multiplier"},
  };
  for (const auto& item : kRefusals) {
    const std::string message = refusal(item.architecture, item.fields);
    EXPECT_NE(message.find(item.named), std::string::npos) << item.fields << ": " << message;
  }
}

// --- GGUF -------------------------------------------------------------------------------------

format::Checkpoint gguf(const std::string& architecture, const std::vector<std::string>& tensors) {
  format::Checkpoint checkpoint;
  checkpoint.metadata.file_name = "model.gguf";
  auto& metadata = checkpoint.metadata;
  metadata.set("general.architecture", format::value_of(architecture));
  metadata.set(architecture + ".embedding_length", format::value_of(uint32_t{64}));
  metadata.set(architecture + ".feed_forward_length", format::value_of(uint32_t{96}));
  metadata.set(architecture + ".block_count", format::value_of(uint32_t{8}));
  metadata.set(architecture + ".attention.head_count", format::value_of(uint32_t{4}));
  metadata.set(architecture + ".context_length", format::value_of(uint32_t{128}));
  for (const std::string& name : tensors) {
    checkpoint.tensors.emplace_back();
    checkpoint.tensors.back().name = name;
    checkpoint.tensors.back().shape = {100, 64};
  }
  checkpoint.tensors.emplace_back();
  checkpoint.tensors.back().name = "token_embd.weight";
  checkpoint.tensors.back().shape = {100, 64};
  checkpoint.index();
  return checkpoint;
}

Config read(const format::Checkpoint& checkpoint) {
  const auto name = checkpoint.metadata.get_string("general.architecture");
  return model::config_from_gguf(checkpoint, *model::find_by_gguf_name(*name));
}

TEST(FamilyGguf, PatternsThatNoKeyHolds) {
  EXPECT_EQ(rotations(read(gguf("smollm3", {}))), "rrr.rrr.");
  auto gemma2 = gguf("gemma2", {});
  gemma2.metadata.set("gemma2.attention.sliding_window", format::value_of(uint32_t{16}));
  EXPECT_EQ(windows(read(gemma2)), "w.w.w.w.");
  auto gemma3 = gguf("gemma3", {});
  gemma3.metadata.set("gemma3.attention.sliding_window", format::value_of(uint32_t{16}));
  EXPECT_EQ(windows(read(gemma3)), "wwwww.ww");
  EXPECT_EQ(read(gemma3).window_rope->theta, 1e4);
  gemma3.metadata.set("gemma3.attention.sliding_window_pattern",
                      format::value_of(std::vector<int32_t>{1, 0, 0, 0, 0, 0, 0, 1}));
  EXPECT_EQ(windows(read(gemma3)), "w......w");
  gemma3.metadata.set("gemma3.attention.sliding_window_pattern",
                      format::value_of(std::vector<int32_t>{1}));
  EXPECT_THROW(read(gemma3), Error);
}

// The largest model of a generation divides its queries by hidden / heads.
TEST(FamilyGguf, TheDivisorOfTheQueriesIsKnownByTheLayers) {
  auto gemma2 = gguf("gemma2", {});
  gemma2.metadata.set("gemma2.attention.key_length", format::value_of(uint32_t{64}));
  EXPECT_EQ(read(gemma2).attention_scale, 1.0 / 8.0);
  gemma2.metadata.set("gemma2.block_count", format::value_of(uint32_t{46}));
  EXPECT_EQ(read(gemma2).attention_scale, 1.0 / 4.0);
}

TEST(FamilyGguf, MultipliersOfGraniteAndTheirZero) {
  auto granite = gguf("granite", {});
  granite.metadata.set("granite.logit_scale", format::value_of(4.0f));
  granite.metadata.set("granite.residual_scale", format::value_of(0.5f));
  granite.metadata.set("granite.embedding_scale", format::value_of(0.0f));
  EXPECT_EQ(read(granite).logit_scale, 0.25);
  EXPECT_EQ(read(granite).residual_scale, 0.5);
  EXPECT_EQ(read(granite).embedding_scale, 1.0);
}

TEST(FamilyGguf, TensorsSayWhatKeysDoNot) {
  EXPECT_TRUE(read(gguf("stablelm", {})).shared_norm);
  EXPECT_EQ(read(gguf("stablelm", {})).residual, Residual::parallel);
  const Config stablelm =
      read(gguf("stablelm", {"blk.0.ffn_norm.weight", "blk.0.attn_q_norm.weight"}));
  EXPECT_EQ(stablelm.residual, Residual::sequential);
  EXPECT_EQ(stablelm.head_norm, HeadNorm::own);
  EXPECT_FALSE(read(gguf("falcon", {"blk.0.attn_norm_2.weight"})).shared_norm);
  EXPECT_TRUE(read(gguf("falcon", {})).shared_norm);
}

TEST(FamilyGguf, ExpertsStandInTheLayersThatHaveARouter) {
  auto moe = gguf("qwen3moe", {"blk.1.ffn_gate_inp.weight", "blk.3.ffn_gate_inp.weight"});
  moe.metadata.set("qwen3moe.expert_count", format::value_of(uint32_t{8}));
  moe.metadata.set("qwen3moe.expert_used_count", format::value_of(uint32_t{2}));
  moe.metadata.set("qwen3moe.expert_feed_forward_length", format::value_of(uint32_t{32}));
  EXPECT_EQ(sparse(read(moe)), ".e.e....");
  EXPECT_EQ(read(moe).experts.ffn_size, 32);
  moe.metadata.set("qwen3moe.expert_gating_func", format::value_of(uint32_t{2}));
  EXPECT_THROW(read(moe), Error);
}

TEST(FamilyGguf, AKeyThatNobodyReadsIsRefused) {
  for (const char* key : {"attention.sliding_window", "final_logit_softcapping", "expert_count"}) {
    auto checkpoint = gguf("qwen2", {});
    checkpoint.metadata.set(std::string("qwen2.") + key, format::value_of(uint32_t{7}));
    try {
      read(checkpoint);
      FAIL() << key;
    } catch (const Error& error) {
      EXPECT_NE(error.message().find(key), std::string::npos) << error.message();
    }
  }
  auto bert = gguf("bert", {});
  bert.metadata.set("bert.attention.causal", format::value_of(true));
  EXPECT_THROW(read(bert), Error);
}

}  // namespace
}  // namespace bittern::test
