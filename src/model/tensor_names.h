// How each family calls its tensors, as Hugging Face stores them and as GGUF does. Families that
// differ in a few names say which. Sources: the modelling classes of transformers 5.23 (and its
// conversion_mapping for the names experts have on disk), llama.cpp's gguf constants and tensor
// mapping.
#pragma once

#include "model/arch.h"

namespace bittern::model::names {

inline constexpr TensorNames kHfLlama = {
    .prefix = "model.",
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

constexpr TensorNames with_1bitllm(TensorNames names) {
  names.attention_sub_norm = "model.layers.{}.self_attn.inner_attn_ln";
  names.ffn_sub_norm = "model.layers.{}.mlp.ffn_layernorm";
  return names;
}
inline constexpr TensorNames kHf1bitLlm = with_1bitllm(kHfLlama);

// transformers 5 holds all experts in two tensors, and writes them apart unless told not to.
constexpr TensorNames with_experts(TensorNames names) {
  names.router = "model.layers.{}.mlp.gate";
  names.expert_gate = "model.layers.{}.mlp.experts.{}.gate_proj";
  names.expert_up = "model.layers.{}.mlp.experts.{}.up_proj";
  names.expert_down = "model.layers.{}.mlp.experts.{}.down_proj";
  names.experts_gate_up = "model.layers.{}.mlp.experts.gate_up_proj";
  names.experts_down = "model.layers.{}.mlp.experts.down_proj";
  return names;
}
inline constexpr TensorNames kHfQwen3Moe = with_experts(kHfLlama);

constexpr TensorNames with_mixtral_experts(TensorNames names) {
  names.router = "model.layers.{}.block_sparse_moe.gate|model.layers.{}.mlp.gate";
  names.expert_gate = "model.layers.{}.block_sparse_moe.experts.{}.w1";
  names.expert_up = "model.layers.{}.block_sparse_moe.experts.{}.w3";
  names.expert_down = "model.layers.{}.block_sparse_moe.experts.{}.w2";
  return names;
}
inline constexpr TensorNames kHfMixtral = with_mixtral_experts(kHfQwen3Moe);

// A norm before and one behind each branch.
constexpr TensorNames with_sandwich(TensorNames names) {
  names.attention_post_norm = "model.layers.{}.post_attention_layernorm";
  names.ffn_norm = "model.layers.{}.pre_feedforward_layernorm";
  names.ffn_post_norm = "model.layers.{}.post_feedforward_layernorm";
  return names;
}
inline constexpr TensorNames kHfGemma2 = with_sandwich(kHfLlama);

// Norms behind the branches only.
constexpr TensorNames with_post_norms(TensorNames names) {
  names.attention_norm = names.ffn_norm = "";
  names.attention_post_norm = "model.layers.{}.post_attention_layernorm";
  names.ffn_post_norm = "model.layers.{}.post_feedforward_layernorm";
  return names;
}
inline constexpr TensorNames kHfOlmo2 = with_post_norms(kHfLlama);

constexpr TensorNames with_fused_halves(TensorNames names) {
  names.query = names.key = names.value = names.gate = names.up = "";
  names.query_key_value = "model.layers.{}.self_attn.qkv_proj";
  names.gate_up = "model.layers.{}.mlp.gate_up_proj";
  return names;
}
inline constexpr TensorNames kHfPhi3 = with_fused_halves(kHfLlama);

constexpr TensorNames with_numbered_head_norms(TensorNames names) {
  names.query_norm = "model.layers.{}.self_attn.q_layernorm.norms.{}";
  names.key_norm = "model.layers.{}.self_attn.k_layernorm.norms.{}";
  return names;
}
inline constexpr TensorNames kHfStablelm = with_numbered_head_norms(kHfLlama);

constexpr TensorNames without_gate(TensorNames names) {
  names.gate = "";
  return names;
}
inline constexpr TensorNames kHfNemotron = without_gate(kHfLlama);

constexpr TensorNames with_starcoder_mlp(TensorNames names) {
  names.gate = "";
  names.up = "model.layers.{}.mlp.c_fc";
  names.down = "model.layers.{}.mlp.c_proj";
  return names;
}
inline constexpr TensorNames kHfStarcoder2 = with_starcoder_mlp(kHfLlama);

constexpr TensorNames with_phi_modules(TensorNames names) {
  names.output_norm = "model.final_layernorm";
  names.output = "model.layers.{}.self_attn.dense";
  names.gate = "";
  names.up = "model.layers.{}.mlp.fc1";
  names.down = "model.layers.{}.mlp.fc2";
  return names;
}
inline constexpr TensorNames kHfPhi = with_phi_modules(kHfLlama);

inline constexpr TensorNames kHfGpt2 = {
    .prefix = "transformer.",
    .embedding = "transformer.wte",
    .position_embedding = "transformer.wpe",
    .output_norm = "transformer.ln_f",
    .head = "lm_head",
    .attention_norm = "transformer.h.{}.ln_1",
    .output = "transformer.h.{}.attn.c_proj",
    .query_key_value = "transformer.h.{}.attn.c_attn",
    .ffn_norm = "transformer.h.{}.ln_2",
    .up = "transformer.h.{}.mlp.c_fc",
    .down = "transformer.h.{}.mlp.c_proj",
    .transposed = true,
};

inline constexpr TensorNames kHfGptNeox = {
    .prefix = "gpt_neox.",
    .embedding = "gpt_neox.embed_in",
    .output_norm = "gpt_neox.final_layer_norm",
    .head = "embed_out",
    .attention_norm = "gpt_neox.layers.{}.input_layernorm",
    .output = "gpt_neox.layers.{}.attention.dense",
    .query_key_value = "gpt_neox.layers.{}.attention.query_key_value",
    .fused_layout = FusedLayout::grouped,
    .ffn_norm = "gpt_neox.layers.{}.post_attention_layernorm",
    .up = "gpt_neox.layers.{}.mlp.dense_h_to_4h",
    .down = "gpt_neox.layers.{}.mlp.dense_4h_to_h",
};

inline constexpr TensorNames kHfFalcon = {
    .prefix = "transformer.",
    .embedding = "transformer.word_embeddings",
    .output_norm = "transformer.ln_f",
    .head = "lm_head",
    .attention_norm = "transformer.h.{}.ln_attn|transformer.h.{}.input_layernorm",
    .output = "transformer.h.{}.self_attention.dense",
    .query_key_value = "transformer.h.{}.self_attention.query_key_value",
    .fused_layout = FusedLayout::grouped,
    .ffn_norm = "transformer.h.{}.ln_mlp",
    .up = "transformer.h.{}.mlp.dense_h_to_4h",
    .down = "transformer.h.{}.mlp.dense_4h_to_h",
};

inline constexpr TensorNames kHfBert = {
    .prefix = "bert.",
    .embedding = "bert.embeddings.word_embeddings",
    .position_embedding = "bert.embeddings.position_embeddings",
    .token_types = "bert.embeddings.token_type_embeddings",
    .embedding_norm = "bert.embeddings.LayerNorm",
    .query = "bert.encoder.layer.{}.attention.self.query",
    .key = "bert.encoder.layer.{}.attention.self.key",
    .value = "bert.encoder.layer.{}.attention.self.value",
    .output = "bert.encoder.layer.{}.attention.output.dense",
    .attention_post_norm = "bert.encoder.layer.{}.attention.output.LayerNorm",
    .up = "bert.encoder.layer.{}.intermediate.dense",
    .down = "bert.encoder.layer.{}.output.dense",
    .ffn_post_norm = "bert.encoder.layer.{}.output.LayerNorm",
};

// --- GGUF: one set of names, of which a family has its part. ------------------------------------

inline constexpr TensorNames kGguf = {
    .embedding = "token_embd",
    .position_embedding = "position_embd",
    .output_norm = "output_norm",
    .head = "output",
    .attention_norm = "blk.{}.attn_norm",
    .query = "blk.{}.attn_q",
    .key = "blk.{}.attn_k",
    .value = "blk.{}.attn_v",
    .output = "blk.{}.attn_output",
    .query_key_value = "blk.{}.attn_qkv",
    .query_norm = "blk.{}.attn_q_norm",
    .key_norm = "blk.{}.attn_k_norm",
    .attention_sub_norm = "blk.{}.attn_sub_norm",
    .ffn_norm = "blk.{}.ffn_norm",
    .gate = "blk.{}.ffn_gate",
    .up = "blk.{}.ffn_up",
    .down = "blk.{}.ffn_down",
    .ffn_sub_norm = "blk.{}.ffn_sub_norm",
    .router = "blk.{}.ffn_gate_inp",
    .expert_gate = "blk.{}.ffn_gate.{}",
    .expert_up = "blk.{}.ffn_up.{}",
    .expert_down = "blk.{}.ffn_down.{}",
    .experts_gate = "blk.{}.ffn_gate_exps.weight",
    .experts_up = "blk.{}.ffn_up_exps.weight",
    .experts_down = "blk.{}.ffn_down_exps.weight",
    .experts_gate_up = "blk.{}.ffn_gate_up_exps.weight",
};

constexpr TensorNames with_gguf_sandwich(TensorNames names) {
  names.attention_post_norm = "blk.{}.post_attention_norm";
  names.ffn_post_norm = "blk.{}.post_ffw_norm";
  return names;
}
inline constexpr TensorNames kGgufGemma2 = with_gguf_sandwich(kGguf);

constexpr TensorNames without_input_norms(TensorNames names) {
  names.attention_norm = names.ffn_norm = "";
  return names;
}
inline constexpr TensorNames kGgufOlmo2 = without_input_norms(kGgufGemma2);

constexpr TensorNames with_fused_up(TensorNames names) {
  names.gate_up = "blk.{}.ffn_up";
  return names;
}
inline constexpr TensorNames kGgufPhi3 = with_fused_up(kGguf);

// attn_norm is the norm of the ffn where the attention has attn_norm_2 for itself.
constexpr TensorNames with_second_norm(TensorNames names) {
  names.attention_norm = "blk.{}.attn_norm_2|blk.{}.attn_norm";
  names.ffn_norm = "blk.{}.attn_norm";
  return names;
}
inline constexpr TensorNames kGgufFalcon = with_second_norm(kGguf);

constexpr TensorNames with_bert_norms(TensorNames names) {
  names.token_types = "token_types";
  names.embedding_norm = "token_embd_norm";
  names.attention_norm = names.ffn_norm = names.output_norm = "";
  names.attention_post_norm = "blk.{}.attn_output_norm";
  names.ffn_post_norm = "blk.{}.layer_output_norm";
  return names;
}
inline constexpr TensorNames kGgufBert = with_bert_norms(kGguf);

}  // namespace bittern::model::names
