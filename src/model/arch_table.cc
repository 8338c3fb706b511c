// The rows. Sources: the configuration and modelling classes of transformers 5.23 (llama, qwen3,
// bitnet), microsoft/BitNet and the 1bitLLM remote code for the BitNet arrangements, llama.cpp's
// tensor names and converter for GGUF.
//
// Three BitNet arrangements must not be mixed up; confusing them yields plausible nonsense:
//   BitNetForCausalLM (2B-4T)    attn_sub_norm, ffn_sub_norm, relu^2   GGUF bitnet-25, bitnet-b1.58
//   BitnetForCausalLM (1bitLLM)  inner_attn_ln, ffn_layernorm, SiLU    GGUF bitnet
//   LlamaForCausalLM + quantization_config (HF1BitLLM, Falcon3-1.58, Falcon-E): no sub-norms
#include <array>

#include <fmt/format.h>

#include "model/arch.h"

namespace bittern::model {
namespace {

using backend::Activation;
using backend::RopePairing;

constexpr TensorNames kHfLlama = {
    .embedding = "model.embed_tokens",
    .output_norm = "model.norm",
    .head = "lm_head",
    .attention_norm = "model.layers.{}.input_layernorm",
    .query = "model.layers.{}.self_attn.q_proj",
    .key = "model.layers.{}.self_attn.k_proj",
    .value = "model.layers.{}.self_attn.v_proj",
    .output = "model.layers.{}.self_attn.o_proj",
    .query_norm = "model.layers.{}.self_attn.q_norm",
    .key_norm = "model.layers.{}.self_attn.k_norm",
    .attention_sub_norm = "model.layers.{}.self_attn.attn_sub_norm",
    .ffn_norm = "model.layers.{}.post_attention_layernorm",
    .gate = "model.layers.{}.mlp.gate_proj",
    .up = "model.layers.{}.mlp.up_proj",
    .down = "model.layers.{}.mlp.down_proj",
    .ffn_sub_norm = "model.layers.{}.mlp.ffn_sub_norm",
};

constexpr TensorNames with_1bitllm_names(TensorNames names) {
  names.attention_sub_norm = "model.layers.{}.self_attn.inner_attn_ln";
  names.ffn_sub_norm = "model.layers.{}.mlp.ffn_layernorm";
  return names;
}
constexpr TensorNames kHf1bitLlm = with_1bitllm_names(kHfLlama);

constexpr TensorNames kGguf = {
    .embedding = "token_embd",
    .output_norm = "output_norm",
    .head = "output",
    .attention_norm = "blk.{}.attn_norm",
    .query = "blk.{}.attn_q",
    .key = "blk.{}.attn_k",
    .value = "blk.{}.attn_v",
    .output = "blk.{}.attn_output",
    .query_norm = "blk.{}.attn_q_norm",
    .key_norm = "blk.{}.attn_k_norm",
    .attention_sub_norm = "blk.{}.attn_sub_norm",
    .ffn_norm = "blk.{}.ffn_norm",
    .gate = "blk.{}.ffn_gate",
    .up = "blk.{}.ffn_up",
    .down = "blk.{}.ffn_down",
    .ffn_sub_norm = "blk.{}.ffn_sub_norm",
};

constexpr std::string_view kLlamaClasses[] = {"LlamaForCausalLM"};
constexpr std::string_view kLlamaGguf[] = {"llama"};
constexpr std::string_view kQwen3Classes[] = {"Qwen3ForCausalLM"};
constexpr std::string_view kQwen3Gguf[] = {"qwen3"};
constexpr std::string_view kBitnetClasses[] = {"BitNetForCausalLM"};
constexpr std::string_view kBitnetGguf[] = {"bitnet-b1.58", "bitnet-25"};
constexpr std::string_view k1bitLlmClasses[] = {"BitnetForCausalLM"};
constexpr std::string_view k1bitLlmGguf[] = {"bitnet"};

constexpr std::array kTable = {
    ArchSpec{.name = "llama",
             .hf_classes = kLlamaClasses,
             .gguf_names = kLlamaGguf,
             .hf = &kHfLlama,
             .gguf = &kGguf,
             .activation = Activation::silu,
             .activation_from_file = true,
             .pairing = RopePairing::half,
             .gguf_interleaves_heads = true,
             .head_norms = false,
             .sub_norms = false,
             .ternary = false,
             .default_theta = 1e4,
             .default_norm_eps = 1e-6,
             .default_context = 2048,
             .default_head_dim = 0,
             .default_tied = false},
    ArchSpec{.name = "qwen3",
             .hf_classes = kQwen3Classes,
             .gguf_names = kQwen3Gguf,
             .hf = &kHfLlama,
             .gguf = &kGguf,
             .activation = Activation::silu,
             .activation_from_file = true,
             .pairing = RopePairing::half,
             .gguf_interleaves_heads = false,
             .head_norms = true,
             .sub_norms = false,
             .ternary = false,
             .default_theta = 1e4,
             .default_norm_eps = 1e-6,
             .default_context = 32768,
             .default_head_dim = 128,
             .default_tied = false},
    ArchSpec{.name = "bitnet",
             .hf_classes = kBitnetClasses,
             .gguf_names = kBitnetGguf,
             .hf = &kHfLlama,
             .gguf = &kGguf,
             .activation = Activation::relu2,
             .activation_from_file = true,
             .pairing = RopePairing::half,
             .gguf_interleaves_heads = false,
             .head_norms = false,
             .sub_norms = true,
             .ternary = true,
             .default_theta = 5e5,
             .default_norm_eps = 1e-5,
             .default_context = 2048,
             .default_head_dim = 0,
             .default_tied = false},
    ArchSpec{.name = "bitnet-1bitllm",
             .hf_classes = k1bitLlmClasses,
             .gguf_names = k1bitLlmGguf,
             .hf = &kHf1bitLlm,
             .gguf = &kGguf,
             .activation = Activation::silu,
             .activation_from_file = true,
             .pairing = RopePairing::half,
             .gguf_interleaves_heads = false,
             .head_norms = false,
             .sub_norms = true,
             .ternary = true,
             .default_theta = 1e4,
             .default_norm_eps = 1e-5,
             .default_context = 2048,
             .default_head_dim = 0,
             .default_tied = true},
};

const ArchSpec* find(std::string_view name, std::span<const std::string_view> ArchSpec::*names) {
  for (const ArchSpec& row : kTable) {
    for (const std::string_view candidate : row.*names)
      if (candidate == name) return &row;
  }
  return nullptr;
}

}  // namespace

std::span<const ArchSpec> arch_table() { return kTable; }

const ArchSpec* find_by_hf_class(std::string_view name) {
  return find(name, &ArchSpec::hf_classes);
}

const ArchSpec* find_by_gguf_name(std::string_view name) {
  return find(name, &ArchSpec::gguf_names);
}

std::string supported_architectures() {
  std::string list;
  for (const ArchSpec& row : kTable) {
    list += fmt::format("{}{} ({}; gguf {})", list.empty() ? "" : ", ", row.name,
                        fmt::join(row.hf_classes, ", "), fmt::join(row.gguf_names, ", "));
  }
  return list;
}

}  // namespace bittern::model
