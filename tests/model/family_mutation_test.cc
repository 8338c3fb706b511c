// One mutation per trait of the families (mutation.h): window, caps, multipliers, norms, residual
// arrangement, biases, fused layouts, experts, positions, masks.
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "model/mutation.h"

namespace bittern::test {
namespace {

using backend::Activation;
using model::HeadNorm;
using model::LayerConfig;
using model::Residual;

// That of families_test.cc.
constexpr double kFloat = 5e-6;

void set_windows(Subject& s, int64_t window) {
  for (LayerConfig& layer : s.config.layers) layer.window = window;
}

// Windows move by one layer.
void rotate_layers(Subject& s) {
  std::rotate(s.config.layers.begin(), s.config.layers.begin() + 1, s.config.layers.end());
}

const Mutation kMutations[] = {
    // Windows.
    {"mistral_window_dropped", "mistral", "", "mistral/golden.bin", kFloat,
     [](Subject& s) { set_windows(s, 0); }},
    {"mistral_window_longer_by_one", "mistral", "", "mistral/golden.bin", kFloat,
     [](Subject& s) { set_windows(s, 9); }},
    {"mistral_window_invented", "mistral", "config.whole.json", "mistral/golden.whole.bin", kFloat,
     [](Subject& s) { set_windows(s, 8); }},
    {"qwen2_window_dropped", "qwen2", "config.window.json", "qwen2/golden.window.bin", kFloat,
     [](Subject& s) { set_windows(s, 0); }},
    {"qwen2_window_in_every_layer", "qwen2", "config.window.json", "qwen2/golden.window.bin",
     kFloat, [](Subject& s) { set_windows(s, 8); }},
    {"qwen2_unused_window_used", "qwen2", "", "qwen2/golden.bin", kFloat,
     [](Subject& s) { set_windows(s, 8); }},
    {"gemma2_windows_in_the_other_layers", "gemma2", "", "gemma2/golden.bin", kFloat,
     rotate_layers},
    {"gemma3_window_pattern_moved", "gemma3", "", "gemma3/golden.bin", kFloat, rotate_layers},
    {"phi3_window_dropped", "phi3", "config.window.json", "phi3/golden.window.bin", kFloat,
     [](Subject& s) { set_windows(s, 0); }},
    {"starcoder2_window_dropped", "starcoder2", "", "starcoder2/golden.bin", kFloat,
     [](Subject& s) { set_windows(s, 0); }},
    // Positions.
    {"gemma3_one_theta", "gemma3", "", "gemma3/golden.bin", kFloat,
     [](Subject& s) { s.config.window_rope.reset(); }},
    {"gemma3_window_theta", "gemma3", "", "gemma3/golden.bin", kFloat,
     [](Subject& s) { s.config.window_rope->theta = 1e6; }},
    {"gemma3_unscaled", "gemma3", "", "gemma3/golden.bin", kFloat,
     [](Subject& s) { s.config.rope.scaling = model::RopeScaling::none; }},
    {"gemma3_windows_scaled_too", "gemma3", "", "gemma3/golden.bin", kFloat,
     [](Subject& s) {
       s.config.window_rope->scaling = s.config.rope.scaling;
       s.config.window_rope->factor = s.config.rope.factor;
     }},
    {"phi3_whole_head_rotated", "phi3", "config.plain.json", "phi3/golden.plain.bin", kFloat,
     [](Subject& s) { s.config.rope.partial = 1.0; }},
    {"phi3_short_for_long", "phi3", "", "phi3/golden.bin", kFloat,
     [](Subject& s) { s.config.rope.long_factors = s.config.rope.short_factors; }},
    {"stablelm_partial", "stablelm", "", "stablelm/golden.bin", kFloat,
     [](Subject& s) { s.config.rope.partial = 1.0; }},
    {"nemotron_partial", "nemotron", "", "nemotron/golden.bin", kFloat,
     [](Subject& s) { s.config.rope.partial = 1.0; }},
    {"gpt_neox_partial", "gpt_neox", "", "gpt_neox/golden.bin", kFloat,
     [](Subject& s) { s.config.rope.partial = 0.25; }},
    {"smollm3_every_layer_rotated", "smollm3", "", "smollm3/golden.bin", kFloat,
     [](Subject& s) { s.config.layers[3].rotary = true; }},
    {"smollm3_flags_inverted", "smollm3", "", "smollm3/golden.bin", kFloat,
     [](Subject& s) {
       for (LayerConfig& layer : s.config.layers) layer.rotary = !layer.rotary;
     }},
    {"gpt2_positions_dropped", "gpt2", "", "gpt2/golden.bin", kFloat,
     [](Subject& s) { s.config.learned_positions = false; }},
    {"bert_positions_dropped", "bert", "", "bert/golden.bin", kFloat,
     [](Subject& s) { s.config.learned_positions = false; }},
    {"bert_types_dropped", "bert", "", "bert/golden.bin", kFloat,
     [](Subject& s) { s.config.token_types = false; }},
    {"bert_causal", "bert", "", "bert/golden.bin", kFloat,
     [](Subject& s) { s.config.mask = backend::Mask::causal; }},
    {"cohere_halves_paired", "cohere", "", "cohere/golden.bin", kFloat,
     [](Subject& s) { s.arch.pairing = backend::RopePairing::half; }},
    // Scales and caps.
    {"gemma_embedding_unscaled", "gemma", "", "gemma/golden.bin", kFloat,
     [](Subject& s) { s.config.embedding_scale = 1.0; }},
    {"gemma2_scores_by_head_size", "gemma2", "", "gemma2/golden.bin", kFloat,
     [](Subject& s) { s.config.attention_scale = 0.0; }},
    {"gemma2_scores_uncapped", "gemma2", "", "gemma2/golden.bin", kFloat,
     [](Subject& s) { s.config.attention_softcap = 0.0; }},
    {"gemma2_logits_uncapped", "gemma2", "", "gemma2/golden.bin", kFloat,
     [](Subject& s) { s.config.logit_softcap = 0.0; }},
    {"gemma3_scores_by_head_size", "gemma3", "", "gemma3/golden.bin", kFloat,
     [](Subject& s) { s.config.attention_scale = 0.0; }},
    {"granite_embedding_multiplier", "granite", "", "granite/golden.bin", kFloat,
     [](Subject& s) { s.config.embedding_scale = 1.0; }},
    {"granite_residual_multiplier", "granite", "", "granite/golden.bin", kFloat,
     [](Subject& s) { s.config.residual_scale = 1.0; }},
    {"granite_attention_multiplier", "granite", "", "granite/golden.bin", kFloat,
     [](Subject& s) { s.config.attention_scale = 0.0; }},
    {"granite_logits_scaling", "granite", "", "granite/golden.bin", kFloat,
     [](Subject& s) { s.config.logit_scale = 1.0; }},
    {"granite_logits_scaling_inverted", "granite", "", "granite/golden.bin", kFloat,
     [](Subject& s) { s.config.logit_scale = 1.0 / s.config.logit_scale; }},
    {"cohere_logit_scale", "cohere", "", "cohere/golden.bin", kFloat,
     [](Subject& s) { s.config.logit_scale = 1.0; }},
    // Norms.
    {"gemma_norms_without_one", "gemma", "", "gemma/golden.bin", kFloat,
     [](Subject& s) { s.arch.hf_norm_plus_one = false; }},
    {"nemotron_norms_without_one", "nemotron", "", "nemotron/golden.bin", kFloat,
     [](Subject& s) { s.arch.hf_norm_plus_one = false; }},
    {"qwen2_norms_with_one", "qwen2", "", "qwen2/golden.bin", kFloat,
     [](Subject& s) { s.arch.hf_norm_plus_one = true; }},
    {"gemma2_post_norm_dropped", "gemma2", "", "gemma2/golden.bin", kFloat,
     [](Subject& s) { s.names.attention_post_norm = ""; }},
    {"gemma2_ffn_post_norm_dropped", "gemma2", "", "gemma2/golden.bin", kFloat,
     [](Subject& s) { s.names.ffn_post_norm = ""; }},
    {"olmo2_post_norm_moved_before", "olmo2", "", "olmo2/golden.bin", kFloat,
     [](Subject& s) { std::swap(s.names.attention_norm, s.names.attention_post_norm); }},
    {"olmo2_head_norms_dropped", "olmo2", "", "olmo2/golden.bin", kFloat,
     [](Subject& s) { s.config.head_norm = HeadNorm::none; }},
    {"gemma3_head_norms_dropped", "gemma3", "", "gemma3/golden.bin", kFloat,
     [](Subject& s) { s.config.head_norm = HeadNorm::none; }},
    {"qwen3_moe_head_norms_dropped", "qwen3_moe", "", "qwen3_moe/golden.bin", kFloat,
     [](Subject& s) { s.config.head_norm = HeadNorm::none; }},
    {"stablelm_head_norms_dropped", "stablelm_parallel", "", "stablelm_parallel/golden.bin", kFloat,
     [](Subject& s) { s.config.head_norm = HeadNorm::none; }},
    {"stablelm_norm_without_mean", "stablelm", "", "stablelm/golden.bin", kFloat,
     [](Subject& s) { s.config.norm = model::NormKind::rms; }},
    {"qwen2_norm_of_the_centred", "qwen2", "", "qwen2/golden.bin", kFloat,
     [](Subject& s) { s.config.norm = model::NormKind::layer; }},
    {"olmo2_eps", "olmo2", "", "olmo2/golden.bin", kFloat,
     [](Subject& s) { s.config.norm_eps = 1e-2; }},
    {"bert_embedding_norm_dropped", "bert", "", "bert/golden.bin", kFloat,
     [](Subject& s) { s.names.embedding_norm = ""; }},
    // How branches join.
    {"falcon_sequential", "falcon_new", "", "falcon_new/golden.bin", kFloat,
     [](Subject& s) { s.config.residual = Residual::sequential; }},
    {"cohere_sequential", "cohere", "", "cohere/golden.bin", kFloat,
     [](Subject& s) { s.config.residual = Residual::sequential; }},
    {"gpt_neox_sequential", "gpt_neox", "", "gpt_neox/golden.bin", kFloat,
     [](Subject& s) { s.config.residual = Residual::sequential; }},
    {"gpt_neox_parallel", "gpt_neox", "config.sequential.json", "gpt_neox/golden.sequential.bin",
     kFloat, [](Subject& s) { s.config.residual = Residual::parallel; }},
    {"falcon_new_one_norm", "falcon_new", "", "falcon_new/golden.bin", kFloat,
     [](Subject& s) {
       s.config.shared_norm = true;
       s.names.ffn_norm = "";
     }},
    {"bert_norms_before", "bert", "", "bert/golden.bin", kFloat,
     [](Subject& s) { s.config.residual = Residual::sequential; }},
    // Biases and activations.
    {"qwen2_bias_dropped", "qwen2", "", "qwen2/golden.bin", kFloat,
     [](Subject& s) { s.config.qkv_bias = false; }},
    {"stablelm_bias_dropped", "stablelm", "", "stablelm/golden.bin", kFloat,
     [](Subject& s) { s.config.qkv_bias = false; }},
    {"phi_head_bias_dropped", "phi", "", "phi/golden.bin", kFloat,
     [](Subject& s) { s.config.head_bias = false; }},
    {"starcoder2_output_bias_dropped", "starcoder2", "", "starcoder2/golden.bin", kFloat,
     [](Subject& s) { s.config.output_bias = false; }},
    {"starcoder2_mlp_bias_dropped", "starcoder2", "", "starcoder2/golden.bin", kFloat,
     [](Subject& s) { s.config.mlp_bias = false; }},
    {"gpt2_qkv_bias_dropped", "gpt2", "", "gpt2/golden.bin", kFloat,
     [](Subject& s) { s.config.qkv_bias = false; }},
    {"gpt_neox_norm_bias_dropped", "gpt_neox", "", "gpt_neox/golden.bin", kFloat,
     [](Subject& s) { s.config.norm_bias = false; }},
    {"gemma_gelu_as_silu", "gemma", "", "gemma/golden.bin", kFloat,
     [](Subject& s) { s.config.activation = Activation::silu; }},
    {"nemotron_relu2_as_relu", "nemotron", "", "nemotron/golden.bin", kFloat,
     [](Subject& s) { s.config.activation = Activation::relu; }},
    {"gpt2_gelu_exact", "gpt2", "", "gpt2/golden.bin", kFloat,
     [](Subject& s) { s.config.activation = Activation::gelu; }},
    {"gpt_neox_gelu_by_tanh", "gpt_neox", "", "gpt_neox/golden.bin", kFloat,
     [](Subject& s) { s.config.activation = Activation::gelu_tanh; }},
    // Fused and permuted rows.
    {"phi3_rows_grouped", "phi3", "", "phi3/golden.bin", kFloat,
     [](Subject& s) { s.names.fused_layout = model::FusedLayout::grouped; }},
    {"falcon_new_rows_concatenated", "falcon_new", "", "falcon_new/golden.bin", kFloat,
     [](Subject& s) { s.names.fused_layout = model::FusedLayout::concatenated; }},
    {"gpt_neox_rows_concatenated", "gpt_neox", "", "gpt_neox/golden.bin", kFloat,
     [](Subject& s) { s.names.fused_layout = model::FusedLayout::concatenated; }},
    {"granite_gguf_rows_left_permuted", "granite/model.gguf", "", "granite/golden.bin", kFloat,
     [](Subject& s) { s.arch.gguf_interleaves_heads = false; }},
    {"smollm3_gguf_rows_left_permuted", "smollm3/model.gguf", "", "smollm3/golden.bin", kFloat,
     [](Subject& s) { s.arch.gguf_interleaves_heads = false; }},
    {"olmo2_gguf_rows_permuted", "olmo2/model.gguf", "", "olmo2/golden.bin", kFloat,
     [](Subject& s) { s.arch.gguf_interleaves_heads = true; }},
    // Experts.
    {"mixtral_one_expert", "mixtral", "", "mixtral/golden.bin", kFloat,
     [](Subject& s) { s.config.experts.chosen = 1; }},
    {"mixtral_shares_as_they_are", "mixtral", "", "mixtral/golden.bin", kFloat,
     [](Subject& s) { s.config.experts.renormalise = false; }},
    {"qwen3_moe_shares_as_they_are", "qwen3_moe", "", "qwen3_moe/golden.bin", kFloat,
     [](Subject& s) { s.config.experts.renormalise = false; }},
    {"qwen3_moe_shares_divided", "qwen3_moe", "config.raw.json", "qwen3_moe/golden.raw.bin", kFloat,
     [](Subject& s) { s.config.experts.renormalise = true; }},
};

class FamilyMutation : public testing::TestWithParam<Mutation> {};

TEST_P(FamilyMutation, IsNoticed) { expect_noticed(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Traits, FamilyMutation, testing::ValuesIn(kMutations),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace bittern::test
