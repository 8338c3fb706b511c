// GGUF metadata -> Config. Keys are "ARCH.name", ARCH being general.architecture; what a key
// leaves open is taken from the tensors (vocabulary, biases, tied head). Source: llama.cpp
// (llama-hparams, llama-model load_hparams, gguf constants).
#include <cmath>
#include <optional>

#include "base/error.h"
#include "model/arch.h"
#include "model/config.h"
#include "model/limits.h"

namespace bittern::model {
namespace {

// llama.cpp's value where rope.freq_base is absent, for every architecture.
constexpr double kGgufDefaultTheta = 1e4;

class Keys {
 public:
  Keys(const format::Metadata& metadata, std::string prefix)
      : metadata_(metadata), prefix_(std::move(prefix)) {}

  std::optional<int64_t> integer(std::string_view key, int64_t least, int64_t most) const {
    const std::string full = prefix_ + std::string(key);
    const auto value = metadata_.get_integer(full);
    if (value) check(full, *value, least, most);
    return value;
  }
  int64_t required_integer(std::string_view key, int64_t least, int64_t most) const {
    const auto value = integer(key, least, most);
    if (!value) missing(key);
    return *value;
  }
  // A number for all layers, or a list of equal ones.
  std::optional<int64_t> per_layer(std::string_view key, int64_t least, int64_t most) const {
    const std::string full = prefix_ + std::string(key);
    const format::MetadataValue* value = metadata_.find(full);
    if (value == nullptr) return std::nullopt;
    if (value->type != format::ValueType::array) return integer(key, least, most);
    const auto list = metadata_.get_integers(full);
    if (!list || list->empty()) missing(key);
    for (const int64_t element : *list) {
      check(full, element, least, most);
      if (element != list->front()) {
        fail(ErrorKind::unsupported, "{}: {}: expected one value for all layers, got {} and {}",
             metadata_.file_name, full, list->front(), element);
      }
    }
    return list->front();
  }
  std::optional<double> number(std::string_view key, double above, double most) const {
    const std::string full = prefix_ + std::string(key);
    const auto value = metadata_.get_number(full);
    if (value && !(*value > above && *value <= most)) {
      bad_input("{}: {}: expected a number above {} up to {}, got {}", metadata_.file_name, full,
                above, most, *value);
    }
    return value;
  }
  std::optional<std::string> string(std::string_view key) const {
    return metadata_.get_string(prefix_ + std::string(key));
  }
  // Refuses a trait that the forward does not compute unless it is absent or at `neutral`.
  void refuse(std::string_view key, double neutral) const {
    const std::string full = prefix_ + std::string(key);
    const auto value = metadata_.get_number(full);
    if (value && *value != neutral) {
      fail(ErrorKind::unsupported, "{}: {}: expected {} (anything else is not supported), got {}",
           metadata_.file_name, full, neutral, *value);
    }
  }

 private:
  void check(const std::string& full, int64_t value, int64_t least, int64_t most) const {
    if (value < least || value > most) {
      bad_input("{}: {}: expected {} to {}, got {}", metadata_.file_name, full, least, most, value);
    }
  }
  [[noreturn]] void missing(std::string_view key) const {
    bad_input("{}: {}{}: expected a value, got nothing", metadata_.file_name, prefix_, key);
  }

  const format::Metadata& metadata_;
  std::string prefix_;
};

void refuse_uncomputed(const Keys& keys) {
  for (const std::string_view key :
       {"expert_count", "attention.sliding_window", "attn_logit_softcapping",
        "final_logit_softcapping", "attention.clamp_kqv", "attention.max_alibi_bias",
        "attention.scale"})
    keys.refuse(key, 0.0);
  for (const std::string_view key : {"logit_scale", "residual_scale", "embedding_scale"})
    keys.refuse(key, 1.0);
}

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

void read_rope(const format::Checkpoint& checkpoint, const Keys& keys, Config& config) {
  RopeConfig& rope = config.rope;
  rope.theta = keys.number("rope.freq_base", 1.0, 1e15).value_or(kGgufDefaultTheta);
  const int64_t dim =
      keys.integer("rope.dimension_count", 2, config.head_dim).value_or(config.head_dim);
  rope.partial = static_cast<double>(dim) / static_cast<double>(config.head_dim);
  rope.original_context = keys.integer("rope.scaling.original_context_length", 1, kContextMax)
                              .value_or(config.max_context);
  rope.divisors = read_factors(checkpoint, "rope_freqs.weight", dim / 2);

  const auto old_linear = keys.number("rope.scale_linear", 0.0, 1e6);
  const std::string type =
      keys.string("rope.scaling.type").value_or(old_linear ? "linear" : "none");
  rope.factor = keys.number("rope.scaling.factor", 0.0, 1e6).value_or(old_linear.value_or(1.0));
  const double extra = keys.number("rope.scaling.attn_factor", 0.0, 1e6).value_or(1.0);
  if (type == "none") {
    rope.scaling = RopeScaling::none;
  } else if (type == "linear") {
    rope.scaling = RopeScaling::linear;
  } else if (type == "yarn") {
    rope.scaling = RopeScaling::yarn;
    rope.beta_fast = keys.number("rope.scaling.yarn_beta_fast", 0.0, 1e6).value_or(32.0);
    rope.beta_slow = keys.number("rope.scaling.yarn_beta_slow", 0.0, 1e6).value_or(1.0);
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

}  // namespace

Config config_from_gguf(const format::Checkpoint& checkpoint, const ArchSpec& arch) {
  const format::Metadata& metadata = checkpoint.metadata;
  Config config;
  config.file = metadata.file_name;
  config.architecture = metadata.get_string("general.architecture").value_or("");
  const Keys keys(metadata, config.architecture + ".");
  refuse_uncomputed(keys);
  config.hidden_size = keys.required_integer("embedding_length", 1, kHiddenMax);
  config.ffn_size = keys.per_layer("feed_forward_length", 1, kFfnMax).value_or(0);
  if (config.ffn_size == 0)
    bad_input("{}: {}.feed_forward_length: expected a value, got nothing", config.file,
              printable(config.architecture));
  config.layer_count = keys.required_integer("block_count", 1, kLayersMax);
  config.head_count = keys.per_layer("attention.head_count", 1, kHeadsMax).value_or(0);
  if (config.head_count == 0)
    bad_input("{}: {}.attention.head_count: expected a value, got nothing", config.file,
              printable(config.architecture));
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
  config.norm_eps =
      keys.number("attention.layer_norm_rms_epsilon", 0.0, 1.0).value_or(arch.default_norm_eps);
  const TensorView* embedding = checkpoint.find("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2)
    bad_input("{}: token_embd.weight: expected a table of two dimensions, got {}", config.file,
              embedding == nullptr ? "nothing" : "another shape");
  // The tensor decides: files carry padded or stale vocabulary counts.
  config.vocab_size = embedding->rows();
  if (config.vocab_size < 1 || config.vocab_size > kVocabMax)
    bad_input("{}: token_embd.weight: expected 1 to {} rows, got {}", config.file, kVocabMax,
              config.vocab_size);
  config.activation = arch.activation;
  config.tied_embedding = checkpoint.find("output.weight") == nullptr;
  config.attention_bias = checkpoint.find("blk.0.attn_q.bias") != nullptr;
  config.mlp_bias = checkpoint.find("blk.0.ffn_up.bias") != nullptr;
  config.ternary = arch.ternary;
  // GGUF scales multiply by definition.
  config.scale_rule = ScaleRule::multiply;
  read_rope(checkpoint, keys, config);
  check_config(config);
  return config;
}

}  // namespace bittern::model
