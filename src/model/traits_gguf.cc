// GGUF keys of single families, and what llama.cpp fixes by architecture where the file has no key
// (patterns of windows and of layers without rotation). Source: llama.cpp llama-model and its
// converter, gguf constants.
#include <cmath>
#include <string>

#include "base/error.h"
#include "model/limits.h"
#include "model/traits.h"

namespace bittern::model::gguf {
namespace {

bool has(const GgufKeys& keys, std::string_view tensor) {
  return keys.checkpoint().find(tensor) != nullptr;
}

int64_t window_size(const GgufKeys& keys) {
  return keys.integer("attention.sliding_window", 0, kContextMax).value_or(0);
}

void window_everywhere(const GgufKeys& keys, Config& config) {
  for (LayerConfig& layer : config.layers) layer.window = window_size(keys);
}

// The file's list of layers, else all layers but each `every`-th.
void window_by_layer(const GgufKeys& keys, Config& config, int64_t every) {
  const int64_t window = window_size(keys);
  const auto listed = keys.list("attention.sliding_window_pattern");
  if (!listed.empty() && static_cast<int64_t>(listed.size()) != config.layer_count) {
    bad_input("{}: attention.sliding_window_pattern: expected {} layers, got {}", config.file,
              config.layer_count, listed.size());
  }
  for (int64_t index = 0; index < config.layer_count; ++index) {
    const auto at = static_cast<size_t>(index);
    const bool slides = listed.empty() ? (index + 1) % every != 0 : listed[at] != 0;
    config.layers[at].window = slides ? window : 0;
  }
}

void read_experts(const GgufKeys& keys, Config& config, bool renormalise) {
  ExpertConfig& experts = config.experts;
  experts.count = keys.integer("expert_count", 0, kExpertsMax).value_or(0);
  if (experts.count == 0) return;
  experts.chosen = keys.required_integer("expert_used_count", 1, kExpertsMax);
  experts.ffn_size =
      keys.integer("expert_feed_forward_length", 1, kFfnMax).value_or(config.ffn_size);
  experts.renormalise = keys.boolean("expert_weights_norm").value_or(renormalise);
  keys.refuse("expert_gating_func", 1.0);  // softmax
  for (int64_t index = 0; index < config.layer_count; ++index) {
    config.layers[static_cast<size_t>(index)].experts =
        has(keys, "blk." + std::to_string(index) + ".ffn_gate_inp.weight");
  }
}

// No key holds the divisor of the queries: it is that of the head, but for the largest model of
// each generation (gemma2 46 layers, gemma3 62), which divides by hidden / heads.
void read_query_scalar(Config& config, int64_t largest_layer_count) {
  const int64_t scalar = config.layer_count == largest_layer_count
                             ? config.hidden_size / config.head_count
                             : config.head_dim;
  config.attention_scale = 1.0 / std::sqrt(static_cast<double>(scalar));
}

double cap(const GgufKeys& keys, std::string_view key, double if_absent) {
  return keys.number(key, -1.0, kFactorMax).value_or(if_absent);
}

}  // namespace

// Also mistral and mixtral.
void read_llama(const GgufKeys& keys, Config& config) {
  window_everywhere(keys, config);
  read_experts(keys, config, true);
}

void read_qwen3_moe(const GgufKeys& keys, Config& config) { read_experts(keys, config, true); }

void read_gemma(const GgufKeys&, Config& config) {
  config.embedding_scale = std::sqrt(static_cast<double>(config.hidden_size));
}

void read_gemma2(const GgufKeys& keys, Config& config) {
  constexpr int64_t kLargest = 46;
  read_gemma(keys, config);
  read_query_scalar(config, kLargest);
  config.attention_softcap = cap(keys, "attn_logit_softcapping", 50.0);
  config.logit_softcap = cap(keys, "final_logit_softcapping", 30.0);
  window_by_layer(keys, config, 2);
}

void read_gemma3(const GgufKeys& keys, Config& config) {
  constexpr int64_t kLargest = 62;
  read_gemma(keys, config);
  read_query_scalar(config, kLargest);
  config.logit_softcap = cap(keys, "final_logit_softcapping", 0.0);
  window_by_layer(keys, config, 6);
  config.window_rope =
      RopeConfig{.theta = keys.number("rope.freq_base_swa", 1.0, kThetaMax).value_or(1e4)};
}

void read_phi3(const GgufKeys& keys, Config& config) { window_everywhere(keys, config); }

void read_phi(const GgufKeys&, Config& config) { config.shared_norm = true; }

void read_cohere(const GgufKeys& keys, Config& config) {
  config.norm_bias = false;
  config.shared_norm = true;
  config.head_norm = has(keys, "blk.0.attn_q_norm.weight") ? HeadNorm::own : HeadNorm::none;
  config.logit_scale = keys.number("logit_scale", 0.0, kFactorMax).value_or(1.0);
}

void read_granite(const GgufKeys& keys, Config& config) {
  const auto scale = [&](std::string_view key, double if_absent) {
    const double value = keys.number(key, -1.0, kFactorMax).value_or(0.0);
    return value > 0.0 ? value : if_absent;  // 0 is written for none
  };
  config.embedding_scale = scale("embedding_scale", 1.0);
  config.residual_scale = scale("residual_scale", 1.0);
  config.attention_scale = scale("attention.scale", 0.0);
  config.logit_scale = 1.0 / scale("logit_scale", 1.0);
}

void read_smollm3(const GgufKeys&, Config& config) {
  constexpr int64_t kEvery = 4;
  for (int64_t index = 0; index < config.layer_count; ++index)
    config.layers[static_cast<size_t>(index)].rotary = (index + 1) % kEvery != 0;
}

// The converter's use_parallel_residual is not to be trusted (true where the file was silent).
void read_stablelm(const GgufKeys& keys, Config& config) {
  config.head_norm = has(keys, "blk.0.attn_q_norm.weight") ? HeadNorm::own : HeadNorm::none;
  config.shared_norm = !has(keys, "blk.0.ffn_norm.weight");
  config.residual = config.shared_norm ? Residual::parallel : Residual::sequential;
}

void read_gpt_neox(const GgufKeys& keys, Config& config) {
  if (!keys.boolean("use_parallel_residual").value_or(true)) config.residual = Residual::sequential;
}

void read_falcon(const GgufKeys& keys, Config& config) {
  config.shared_norm = !has(keys, "blk.0.attn_norm_2.weight");
}

void read_bert(const GgufKeys& keys, Config& config) {
  if (keys.boolean("attention.causal").value_or(false)) {
    fail(ErrorKind::unsupported, "{}: attention.causal: expected false in an encoder, got true",
         config.file);
  }
  config.token_types = true;
}

}  // namespace bittern::model::gguf
