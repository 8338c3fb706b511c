// config.json fields of single families. Source: the configuration and modelling classes of
// transformers 5.23, whose defaults hold where a key is missing (null is often a value of its own:
// no window, no cap).
#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "model/limits.h"
#include "model/traits.h"

namespace bittern::model::hf {
namespace {

void all_attention_biases(const HfFields& fields, Config& config, bool if_absent) {
  config.qkv_bias = config.output_bias = fields.boolean("attention_bias", if_absent);
}

// The window in positions, 0 for none: what stands there, null: none, missing: `if_absent`.
int64_t window_size(const HfFields& fields, int64_t if_absent) {
  if (fields.is_null("sliding_window")) return 0;
  return fields.integer("sliding_window", 1, kContextMax).value_or(if_absent);
}

void window_everywhere(Config& config, int64_t window) {
  for (LayerConfig& layer : config.layers) layer.window = window;
}

// `layer_types`, or the family's pattern where the file has none.
void window_by_layer(const HfFields& fields, Config& config, int64_t window,
                     const std::function<bool(int64_t layer)>& pattern) {
  const auto types = fields.strings("layer_types");
  if (!types.empty() && static_cast<int64_t>(types.size()) != config.layer_count) {
    bad_input("{}: layer_types: expected {} layers, got {}", config.file, config.layer_count,
              types.size());
  }
  for (int64_t index = 0; index < config.layer_count; ++index) {
    const auto at = static_cast<size_t>(index);
    const bool sliding = types.empty() ? pattern(index) : types[at] == "sliding_attention";
    if (sliding && window == 0 && !types.empty())
      bad_input("{}: sliding_window: expected a number (layer {} slides), got nothing", config.file,
                index);
    if (sliding) config.layers[at].window = window;
  }
}

// Number, or the default where missing, or 0 (none) where null.
double cap(const HfFields& fields, std::string_view key, double if_absent) {
  if (fields.is_null(key)) return 0.0;
  return fields.number(key, 0.0, kFactorMax).value_or(if_absent);
}

void experts_everywhere(Config& config) {
  for (LayerConfig& layer : config.layers) layer.experts = true;
}

// Queries are divided by the square root of this.
void read_query_scalar(const HfFields& fields, Config& config) {
  const double scalar = fields.number("query_pre_attn_scalar", 0.0, kFactorMax).value_or(256.0);
  config.attention_scale = 1.0 / std::sqrt(scalar);
}

}  // namespace

void read_llama(const HfFields& fields, Config& config) {
  fields.refuse_unless("use_sliding_window", false);
  all_attention_biases(fields, config, false);
  config.mlp_bias = fields.boolean("mlp_bias", false);
}

void read_qwen2(const HfFields& fields, Config& config) {
  config.qkv_bias = true;
  const bool slides = fields.boolean("use_sliding_window", false);
  const int64_t first = fields.integer("max_window_layers", 0, kLayersMax).value_or(28);
  window_by_layer(fields, config, slides ? window_size(fields, 4096) : 0,
                  [&](int64_t layer) { return layer >= first; });
}

void read_qwen3(const HfFields& fields, Config& config) {
  read_qwen2(fields, config);
  all_attention_biases(fields, config, false);
}

void read_qwen3_moe(const HfFields& fields, Config& config) {
  all_attention_biases(fields, config, false);
  if (fields.boolean("use_sliding_window", false))
    window_everywhere(config, window_size(fields, 4096));
  ExpertConfig& experts = config.experts;
  experts.count =
      fields.integer({"num_experts", "num_local_experts"}, 0, kExpertsMax).value_or(128);
  experts.chosen = fields.integer("num_experts_per_tok", 1, kExpertsMax).value_or(8);
  experts.ffn_size = fields.integer("moe_intermediate_size", 1, kFfnMax).value_or(768);
  experts.renormalise = fields.boolean("norm_topk_prob", false);
  const int64_t step = fields.integer("decoder_sparse_step", 1, kLayersMax).value_or(1);
  const auto dense = fields.integers("mlp_only_layers");
  for (int64_t index = 0; index < config.layer_count; ++index) {
    const bool listed = std::find(dense.begin(), dense.end(), index) != dense.end();
    config.layers[static_cast<size_t>(index)].experts =
        !listed && experts.count > 0 && (index + 1) % step == 0;
  }
}

void read_mistral(const HfFields& fields, Config& config) {
  window_everywhere(config, window_size(fields, 4096));
}

void read_mixtral(const HfFields& fields, Config& config) {
  window_everywhere(config, window_size(fields, 0));
  config.experts = {
      .count = fields.integer({"num_local_experts", "num_experts"}, 1, kExpertsMax).value_or(8),
      .chosen = fields.integer("num_experts_per_tok", 1, kExpertsMax).value_or(2),
      .ffn_size = config.ffn_size,
      .renormalise = true};
  experts_everywhere(config);
}

void read_gemma(const HfFields& fields, Config& config) {
  all_attention_biases(fields, config, false);
  config.embedding_scale = std::sqrt(static_cast<double>(config.hidden_size));
}

void read_gemma2(const HfFields& fields, Config& config) {
  read_gemma(fields, config);
  read_query_scalar(fields, config);
  config.attention_softcap = cap(fields, "attn_logit_softcapping", 50.0);
  config.logit_softcap = cap(fields, "final_logit_softcapping", 30.0);
  window_by_layer(fields, config, window_size(fields, 4096),
                  [](int64_t layer) { return layer % 2 == 0; });
}

void read_gemma3(const HfFields& fields, Config& config) {
  read_gemma(fields, config);
  read_query_scalar(fields, config);
  config.attention_softcap = cap(fields, "attn_logit_softcapping", 0.0);
  config.logit_softcap = cap(fields, "final_logit_softcapping", 0.0);
  const int64_t every = fields.integer("sliding_window_pattern", 1, kLayersMax).value_or(6);
  window_by_layer(fields, config, window_size(fields, 4096),
                  [&](int64_t layer) { return (layer + 1) % every != 0; });
  if (!config.window_rope) {
    config.window_rope =
        RopeConfig{.theta = fields.number("rope_local_base_freq", 1.0, kThetaMax).value_or(1e4)};
  }
}

void read_phi3(const HfFields& fields, Config& config) {
  if (config.rope.scaling != RopeScaling::none && config.rope.scaling != RopeScaling::longrope) {
    fail(ErrorKind::unsupported, "{}: rope_type: expected default or longrope, got \"{}\"",
         config.file, rope_scaling_name(config.rope.scaling));
  }
  window_everywhere(config, window_size(fields, 0));
}

void read_phi(const HfFields& fields, Config& config) {
  fields.refuse_unless("qk_layernorm", false);
  config.qkv_bias = config.output_bias = config.mlp_bias = config.head_bias = true;
  config.shared_norm = true;
}

void read_cohere(const HfFields& fields, Config& config) {
  all_attention_biases(fields, config, false);
  config.norm_bias = false;
  config.shared_norm = true;
  if (fields.boolean("use_qk_norm", false)) config.head_norm = HeadNorm::own;
  config.logit_scale = fields.number("logit_scale", 0.0, kFactorMax).value_or(0.0625);
}

void read_granite(const HfFields& fields, Config& config) {
  read_llama(fields, config);
  const auto multiplier = [&](std::string_view key) {
    return fields.number(key, 0.0, kFactorMax).value_or(1.0);
  };
  config.embedding_scale = multiplier("embedding_multiplier");
  config.residual_scale = multiplier("residual_multiplier");
  config.attention_scale = multiplier("attention_multiplier");
  config.logit_scale = 1.0 / multiplier("logits_scaling");
}

// no_rope_layers[i] is 1 where layer i does rotate.
void read_smollm3(const HfFields& fields, Config& config) {
  all_attention_biases(fields, config, false);
  config.mlp_bias = fields.boolean("mlp_bias", false);
  const auto rotates = fields.integers("no_rope_layers");
  const int64_t every = fields.integer("no_rope_layer_interval", 1, kLayersMax).value_or(4);
  if (!rotates.empty() && static_cast<int64_t>(rotates.size()) < config.layer_count) {
    bad_input("{}: no_rope_layers: expected {} layers, got {}", config.file, config.layer_count,
              rotates.size());
  }
  for (int64_t index = 0; index < config.layer_count; ++index) {
    const auto at = static_cast<size_t>(index);
    config.layers[at].rotary = rotates.empty() ? (index + 1) % every != 0 : rotates[at] != 0;
  }
  const bool slides = fields.boolean("use_sliding_window", false);
  window_by_layer(fields, config, slides ? window_size(fields, 0) : 0, [&](int64_t layer) {
    return slides && !config.layers[static_cast<size_t>(layer)].rotary;
  });
}

void read_stablelm(const HfFields& fields, Config& config) {
  config.qkv_bias = fields.boolean("use_qkv_bias", false);
  if (fields.boolean("qk_layernorm", false)) config.head_norm = HeadNorm::own;
  if (fields.boolean("use_parallel_residual", false)) {
    config.residual = Residual::parallel;
    config.shared_norm = true;
  }
}

void read_starcoder2(const HfFields& fields, Config& config) {
  config.qkv_bias = config.output_bias = config.mlp_bias = fields.boolean("use_bias", true);
  window_everywhere(config, window_size(fields, 0));
}

void read_gpt2(const HfFields& fields, Config& config) {
  fields.refuse_unless("scale_attn_by_inverse_layer_idx", false);
  config.qkv_bias = config.output_bias = config.mlp_bias = true;
  if (!fields.boolean("scale_attn_weights", true)) config.attention_scale = 1.0;
}

void read_gpt_neox(const HfFields& fields, Config& config) {
  all_attention_biases(fields, config, true);
  config.mlp_bias = true;
  if (!fields.boolean("use_parallel_residual", true)) config.residual = Residual::sequential;
}

// The three generations: one key/value head for all; as many as heads; groups with two norms.
void read_falcon(const HfFields& fields, Config& config) {
  const bool grouped = fields.boolean("new_decoder_architecture", false);
  if (!grouped) fields.refuse_unless("parallel_attn", true);
  config.qkv_bias = config.output_bias = config.mlp_bias = fields.boolean("bias", false);
  if (grouped) {
    config.kv_head_count = fields.integer("num_kv_heads", 1, kHeadsMax).value_or(config.head_count);
  } else {
    config.kv_head_count = fields.boolean("multi_query", true) ? 1 : config.head_count;
  }
  const int64_t norms = fields.integer("num_ln_in_parallel_attn", 1, 2).value_or(2);
  config.shared_norm = !(grouped && norms == 2);
}

void read_bert(const HfFields& fields, Config& config) {
  fields.refuse_unless("is_decoder", false);
  if (const auto kind = fields.string({"position_embedding_type"}); kind && *kind != "absolute") {
    fail(ErrorKind::unsupported, "{}: position_embedding_type: expected absolute, got \"{}\"",
         config.file, printable(*kind));
  }
  config.qkv_bias = config.output_bias = config.mlp_bias = true;
  config.token_types = true;
}

}  // namespace bittern::model::hf
