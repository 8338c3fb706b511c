// GGUF metadata -> Config. Keys are "ARCH.name", ARCH being general.architecture; what a key
// leaves open is taken from the tensors (vocabulary, biases, tied head); the family's own keys are
// in traits_gguf.cc. Source: llama.cpp (llama-hparams, llama-model load_hparams, gguf constants).
#include <cmath>
#include <optional>

#include "base/error.h"
#include "model/arch.h"
#include "model/config.h"
#include "model/gguf_keys.h"
#include "model/limits.h"

namespace bittern::model {
namespace {

// llama.cpp's value where rope.freq_base is absent, for every architecture.
constexpr double kGgufDefaultTheta = 1e4;

// A one-dimensional float tensor of rotary factors; empty where absent.
std::vector<double> read_factors(const format::Checkpoint& checkpoint, std::string_view name,
                                 int64_t expected) {
  const TensorView* tensor = checkpoint.find(name);
  if (tensor == nullptr) return {};
  if (tensor->elements() != expected) {
    bad_input("{}: {}: expected {} numbers, got {}", checkpoint.metadata.file_name, name, expected,
              tensor->elements());
  }
  std::vector<float> values(static_cast<size_t>(expected));
  decode_rows(*tensor, 0, tensor->rows(), values.data());
  return {values.begin(), values.end()};
}

// 0.1 ln(factor) + 1: what YaRN multiplies cos and sin by. llama.cpp's attn_factor comes on top.
double yarn_magnitude(double factor) { return factor > 1.0 ? 0.1 * std::log(factor) + 1.0 : 1.0; }

void read_rope(const format::Checkpoint& checkpoint, const GgufKeys& keys, Config& config) {
  RopeConfig& rope = config.rope;
  rope.theta = keys.number("rope.freq_base", 1.0, kThetaMax).value_or(kGgufDefaultTheta);
  const int64_t dim =
      keys.integer("rope.dimension_count", 2, config.head_dim).value_or(config.head_dim);
  rope.partial = static_cast<double>(dim) / static_cast<double>(config.head_dim);
  rope.original_context = keys.integer("rope.scaling.original_context_length", 1, kContextMax)
                              .value_or(config.max_context);
  rope.divisors = read_factors(checkpoint, "rope_freqs.weight", dim / 2);

  const auto old_linear = keys.number("rope.scale_linear", 0.0, kFactorMax);
  // The phi3 converter names no type: the factor tensors speak for themselves.
  const bool has_factors = checkpoint.find("rope_factors_short.weight") != nullptr;
  const std::string type = keys.string("rope.scaling.type")
                               .value_or(has_factors  ? "longrope"
                                         : old_linear ? "linear"
                                                      : "none");
  rope.factor =
      keys.number("rope.scaling.factor", 0.0, kFactorMax).value_or(old_linear.value_or(1.0));
  const double extra = keys.number("rope.scaling.attn_factor", 0.0, kFactorMax).value_or(1.0);
  if (type == "none") {
    rope.scaling = RopeScaling::none;
  } else if (type == "linear") {
    rope.scaling = RopeScaling::linear;
  } else if (type == "yarn") {
    rope.scaling = RopeScaling::yarn;
    rope.beta_fast = keys.number("rope.scaling.yarn_beta_fast", 0.0, kFactorMax).value_or(32.0);
    rope.beta_slow = keys.number("rope.scaling.yarn_beta_slow", 0.0, kFactorMax).value_or(1.0);
    rope.attention_factor = extra * yarn_magnitude(rope.factor);
  } else if (type == "longrope") {
    keys.refuse("rope.scaling.factor", 1.0);  // the factor tensors hold all of it
    rope.scaling = RopeScaling::longrope;
    rope.short_factors = read_factors(checkpoint, "rope_factors_short.weight", dim / 2);
    rope.long_factors = read_factors(checkpoint, "rope_factors_long.weight", dim / 2);
    rope.attention_factor = extra;
  } else {
    fail(ErrorKind::unsupported,
         "{}: rope.scaling.type: expected none, linear, yarn or longrope, got \"{}\"",
         checkpoint.metadata.file_name, printable(type));
  }
}

void read_sizes(const GgufKeys& keys, const ArchSpec& arch, Config& config) {
  config.hidden_size = keys.required_integer("embedding_length", 1, kHiddenMax);
  const auto ffn_size = keys.per_layer("feed_forward_length", 1, kFfnMax);
  if (!ffn_size) keys.missing("feed_forward_length");
  config.ffn_size = *ffn_size;
  config.layer_count = keys.required_integer("block_count", 1, kLayersMax);
  config.layers.resize(static_cast<size_t>(config.layer_count));
  for (LayerConfig& layer : config.layers) layer.rotary = arch.rotary;
  const auto head_count = keys.per_layer("attention.head_count", 1, kHeadsMax);
  if (!head_count) keys.missing("attention.head_count");
  config.head_count = *head_count;
  config.kv_head_count =
      keys.per_layer("attention.head_count_kv", 1, kHeadsMax).value_or(config.head_count);
  config.head_dim = keys.integer("attention.key_length", 1, kHeadDimMax)
                        .value_or(config.hidden_size / config.head_count);
  if (const auto value_length = keys.integer("attention.value_length", 1, kHeadDimMax);
      value_length.value_or(config.head_dim) != config.head_dim) {
    fail(ErrorKind::unsupported, "{}: attention.value_length: expected the key length {}, got {}",
         config.file, config.head_dim, *value_length);
  }
  config.max_context =
      keys.integer("context_length", 1, kContextMax).value_or(arch.default_context);
}

// What no key says.
void read_tensors(const format::Checkpoint& checkpoint, Config& config) {
  const auto has = [&](std::string_view name) { return checkpoint.find(name) != nullptr; };
  const TensorView* embedding = checkpoint.find("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2)
    bad_input("{}: token_embd.weight: expected a table of two dimensions, got {}", config.file,
              embedding == nullptr ? "nothing" : "another shape");
  // The tensor decides: files carry padded or stale vocabulary counts.
  config.vocab_size = embedding->rows();
  if (config.vocab_size < 1 || config.vocab_size > kVocabMax)
    bad_input("{}: token_embd.weight: expected 1 to {} rows, got {}", config.file, kVocabMax,
              config.vocab_size);
  config.tied_embedding = !has("output.weight");
  config.qkv_bias = has("blk.0.attn_q.bias") || has("blk.0.attn_qkv.bias");
  config.output_bias = has("blk.0.attn_output.bias");
  config.mlp_bias = has("blk.0.ffn_up.bias");
  config.head_bias = has("output.bias");
  config.rotated_inputs = checkpoint.rotation.has_value();
}

}  // namespace

Config config_from_gguf(const format::Checkpoint& checkpoint, const ArchSpec& arch) {
  const format::Metadata& metadata = checkpoint.metadata;
  Config config = config_of(arch);
  config.file = metadata.file_name;
  config.architecture = metadata.get_string("general.architecture").value_or("");
  const GgufKeys keys(checkpoint, config.architecture);
  read_sizes(keys, arch, config);
  read_tensors(checkpoint, config);
  const std::string_view eps = arch.norm == NormKind::rms ? "attention.layer_norm_rms_epsilon"
                                                          : "attention.layer_norm_epsilon";
  config.norm_eps = keys.number(eps, 0.0, 1.0).value_or(arch.default_norm_eps);
  // GGUF scales multiply by definition.
  config.scale_rule = ScaleRule::multiply;
  if (arch.rotary) read_rope(checkpoint, keys, config);
  if (arch.read_gguf != nullptr) arch.read_gguf(keys, config);
  keys.refuse_unread();
  check_config(config);
  return config;
}

}  // namespace bittern::model
