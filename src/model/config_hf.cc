// config.json of a Hugging Face folder -> Config. Understands the keys of transformers 4 and 5:
// `rope_parameters` (flat, or nested by layer type) and the older `rope_theta` + `rope_scaling`,
// with the reference's precedence; `quantization_config` of quant_method "bitnet" and no other.
// Source: transformers 5.23 configuration_utils, modeling_rope_utils, integrations/bitnet.
#include <cmath>
#include <optional>

#include "base/error.h"
#include "model/arch.h"
#include "model/config.h"
#include "model/limits.h"

namespace bittern::model {
namespace {

// Range-checked reads of one object's members.
class Fields {
 public:
  Fields(json::Value object, std::string prefix) : object_(object), prefix_(std::move(prefix)) {}

  const json::Value& object() const { return object_; }
  bool has(std::string_view key) const { return object_.get(key).has_value(); }

  std::optional<int64_t> integer(std::string_view key, int64_t least, int64_t most) const {
    const auto value = object_.get_integer(key);
    if (value && (*value < least || *value > most))
      bad_input("{}: {}{}: expected {} to {}, got {}", file(), prefix_, key, least, most, *value);
    return value;
  }
  int64_t required_integer(std::string_view key, int64_t least, int64_t most) const {
    const auto value = integer(key, least, most);
    if (!value) bad_input("{}: {}{}: expected a number, got nothing", file(), prefix_, key);
    return *value;
  }
  // A number in (above, most].
  std::optional<double> number(std::string_view key, double above, double most) const {
    const auto value = object_.get_number(key);
    if (value && !(*value > above && *value <= most)) {
      bad_input("{}: {}{}: expected a number above {} up to {}, got {}", file(), prefix_, key,
                above, most, *value);
    }
    return value;
  }
  double required_number(std::string_view key, double above, double most) const {
    const auto value = number(key, above, most);
    if (!value) bad_input("{}: {}{}: expected a number, got nothing", file(), prefix_, key);
    return *value;
  }
  std::vector<double> numbers(std::string_view key) const {
    std::vector<double> result;
    const auto list = object_.get(key);
    if (!list) bad_input("{}: {}{}: expected a list, got nothing", file(), prefix_, key);
    for (const json::Value& element : list->elements(key)) result.push_back(element.as_number(key));
    return result;
  }
  const std::string& file() const { return object_.file_name(); }

 private:
  json::Value object_;
  std::string prefix_;
};

constexpr double kThetaMax = 1e15;
constexpr double kFactorMax = 1e6;

RopeScaling scaling_from_name(std::string_view name, const std::string& file) {
  for (const RopeScaling scaling : {RopeScaling::linear, RopeScaling::dynamic, RopeScaling::llama3,
                                    RopeScaling::yarn, RopeScaling::longrope})
    if (name == rope_scaling_name(scaling)) return scaling;
  if (name == "default") return RopeScaling::none;
  fail(ErrorKind::unsupported,
       "{}: rope_type: expected default, linear, dynamic, llama3, yarn or longrope, got \"{}\"",
       file, printable(name));
}

// The object that holds the rotary parameters: a non-empty `rope_scaling` wins over
// `rope_parameters`; of parameters nested by layer type, those of full attention.
std::optional<json::Value> find_rope_object(const json::Value& config) {
  for (const std::string_view key : {"rope_scaling", "rope_parameters"}) {
    const auto value = config.get(key);
    if (!value || value->members(key).empty()) continue;
    if (const auto nested = value->get("full_attention")) {
      nested->members("full_attention");  // must be an object
      return nested;
    }
    return value;
  }
  return std::nullopt;
}

void read_scaling(const Fields& top, const Fields& fields, Config& config) {
  RopeConfig& rope = config.rope;
  rope.original_context = config.max_context;
  if (rope.scaling == RopeScaling::llama3 || rope.scaling == RopeScaling::yarn ||
      rope.scaling == RopeScaling::longrope) {
    // The top level wins (Phi-3 keeps it there).
    constexpr std::string_view kOriginal = "original_max_position_embeddings";
    if (const auto value = top.integer(kOriginal, 1, kContextMax))
      rope.original_context = *value;
    else if (const auto inner = fields.integer(kOriginal, 1, kContextMax))
      rope.original_context = *inner;
  }
  const double context_ratio =
      static_cast<double>(config.max_context) / static_cast<double>(rope.original_context);
  switch (rope.scaling) {
    case RopeScaling::none:
      break;
    case RopeScaling::linear:
    case RopeScaling::dynamic:
      rope.factor = fields.required_number("factor", 0.0, kFactorMax);
      break;
    case RopeScaling::llama3:
      rope.factor = fields.required_number("factor", 0.0, kFactorMax);
      rope.low_freq_factor = fields.required_number("low_freq_factor", 0.0, kFactorMax);
      rope.high_freq_factor = fields.required_number("high_freq_factor", 0.0, kFactorMax);
      break;
    case RopeScaling::yarn:
      rope.factor = fields.number("factor", 0.0, kFactorMax).value_or(context_ratio);
      rope.beta_fast = fields.number("beta_fast", 0.0, kFactorMax).value_or(32.0);
      rope.beta_slow = fields.number("beta_slow", 0.0, kFactorMax).value_or(1.0);
      rope.mscale = fields.number("mscale", -kFactorMax, kFactorMax).value_or(0.0);
      rope.mscale_all_dim = fields.number("mscale_all_dim", -kFactorMax, kFactorMax).value_or(0.0);
      rope.attention_factor = fields.number("attention_factor", 0.0, kFactorMax).value_or(0.0);
      rope.truncate = fields.object().get_boolean("truncate").value_or(true);
      break;
    case RopeScaling::longrope:
      rope.factor = fields.number("factor", 0.0, kFactorMax).value_or(context_ratio);
      rope.attention_factor = fields.number("attention_factor", 0.0, kFactorMax).value_or(0.0);
      rope.short_factors = fields.numbers("short_factor");
      rope.long_factors = fields.numbers("long_factor");
      break;
  }
}

void read_rope(const Fields& top, const ArchSpec& arch, Config& config) {
  const auto object = find_rope_object(top.object());
  const Fields fields(object.value_or(top.object()), object ? "rope: " : "");
  RopeConfig& rope = config.rope;
  const auto theta = fields.number("rope_theta", 1.0, kThetaMax);
  rope.theta =
      theta ? *theta : top.number("rope_theta", 1.0, kThetaMax).value_or(arch.default_theta);
  const auto partial = fields.number("partial_rotary_factor", 0.0, 1.0);
  rope.partial = partial ? *partial : top.number("partial_rotary_factor", 0.0, 1.0).value_or(1.0);
  if (!object) return;
  auto type = object->get_string("rope_type");
  if (!type) type = object->get_string("type");
  rope.scaling = scaling_from_name(type.value_or("default"), top.file());
  read_scaling(top, fields, config);
}

// transformers matches modules_to_not_convert as regular expressions too; only plain names are
// met, so anything else is refused rather than half understood.
void read_exclusions(const json::Value& list, Config& config) {
  for (const json::Value& element : list.elements("modules_to_not_convert")) {
    const std::string_view pattern = element.as_string("modules_to_not_convert");
    if (pattern.empty() || pattern.find_first_of("*+?[](){}|^$\\") != std::string_view::npos) {
      fail(ErrorKind::unsupported,
           "{}: modules_to_not_convert: expected plain module names, got \"{}\"", list.file_name(),
           printable(pattern));
    }
    config.not_ternary.emplace_back(pattern);
  }
}

void read_quantization(const json::Value& top, Config& config) {
  const auto object = top.get("quantization_config");
  if (!object || object->members("quantization_config").empty()) return;
  const bool marked = top.get_boolean("is_bitnet_config").value_or(false) ||
                      object->get_boolean("is_bitnet_config").value_or(false);
  const auto method = object->get_string("quant_method");
  if (method.value_or(marked ? "bitnet" : "nothing") != "bitnet") {
    fail(ErrorKind::unsupported,
         "{}: quantization_config.quant_method: expected bitnet, got \"{}\"", top.file_name(),
         printable(method.value_or("nothing")));
  }
  if (object->get_boolean("use_rms_norm").value_or(false)) {
    fail(ErrorKind::unsupported,
         "{}: quantization_config.use_rms_norm: expected false (a norm inside each linear is not "
         "computed yet), got true",
         top.file_name());
  }
  const std::string_view linear_class = object->get_string("linear_class").value_or("bitlinear");
  if (linear_class == "bitlinear") {
    config.scale_rule = ScaleRule::divide;
  } else if (linear_class == "autobitlinear") {
    config.scale_rule = ScaleRule::multiply;
  } else {
    fail(ErrorKind::unsupported,
         "{}: quantization_config.linear_class: expected bitlinear or autobitlinear, got \"{}\"",
         top.file_name(), printable(linear_class));
  }
  config.ternary = true;
  if (const auto list = object->get("modules_to_not_convert")) {
    read_exclusions(*list, config);
    config.ternary_head = !config.tied_embedding && config.is_ternary("lm_head");
  }
}

void refuse_uncomputed(const json::Value& top) {
  if (top.get_boolean("use_sliding_window").value_or(false)) {
    fail(ErrorKind::unsupported,
         "{}: use_sliding_window: expected false (windowed attention is not supported yet), got "
         "true",
         top.file_name());
  }
  if (const auto types = top.get("layer_types")) {
    for (const json::Value& type : types->elements("layer_types")) {
      if (const auto name = type.as_string("layer_types"); name != "full_attention") {
        fail(ErrorKind::unsupported, "{}: layer_types: expected full_attention, got \"{}\"",
             top.file_name(), printable(name));
      }
    }
  }
}

}  // namespace

Config config_from_hf(const json::Value& root, const ArchSpec& arch) {
  const Fields top(root, "");
  root.members("the file");  // must be an object
  Config config;
  config.file = root.file_name();
  config.architecture = arch.hf_classes[0];
  refuse_uncomputed(root);
  config.hidden_size = top.required_integer("hidden_size", 1, kHiddenMax);
  config.ffn_size = top.required_integer("intermediate_size", 1, kFfnMax);
  config.layer_count = top.required_integer("num_hidden_layers", 1, kLayersMax);
  config.vocab_size = top.required_integer("vocab_size", 1, kVocabMax);
  config.head_count = top.required_integer("num_attention_heads", 1, kHeadsMax);
  config.kv_head_count =
      top.integer("num_key_value_heads", 1, kHeadsMax).value_or(config.head_count);
  const int64_t default_head_dim =
      arch.default_head_dim > 0 ? arch.default_head_dim : config.hidden_size / config.head_count;
  config.head_dim = top.integer("head_dim", 1, kHeadDimMax).value_or(default_head_dim);
  config.max_context =
      top.integer("max_position_embeddings", 1, kContextMax).value_or(arch.default_context);
  config.norm_eps = top.number("rms_norm_eps", 0.0, 1.0).value_or(arch.default_norm_eps);
  config.activation = arch.activation;
  if (const auto name = root.get_string("hidden_act"); name && arch.activation_from_file)
    config.activation = activation_from_name(*name, config.file);
  config.tied_embedding = root.get_boolean("tie_word_embeddings").value_or(arch.default_tied);
  config.attention_bias = root.get_boolean("attention_bias").value_or(false);
  config.mlp_bias = root.get_boolean("mlp_bias").value_or(false);
  config.ternary = arch.ternary;
  read_rope(top, arch, config);
  read_quantization(root, config);
  check_config(config);
  return config;
}

}  // namespace bittern::model
