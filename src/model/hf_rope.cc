// Understands the keys of transformers 4 and 5: `rope_parameters` (flat, or nested by layer type)
// and the older `rope_theta` + `rope_scaling`, with the reference's precedence: inside the object,
// then at the top level, then the class default. Source: transformers 5.23 modeling_rope_utils and
// the configuration classes (gpt_neox calls them rotary_emb_base and rotary_pct).
#include "model/hf_rope.h"

#include <cmath>

#include "base/error.h"
#include "model/limits.h"

namespace bittern::model {
namespace {

std::optional<double> theta_in(const HfFields& fields) {
  return fields.number({"rope_theta", "rotary_emb_base"}, 1.0, kThetaMax);
}
std::optional<double> partial_in(const HfFields& fields) {
  return fields.number({"partial_rotary_factor", "rotary_pct"}, 0.0, 1.0);
}

RopeScaling scaling_from_name(std::string_view name, const std::string& file) {
  for (const RopeScaling scaling : {RopeScaling::linear, RopeScaling::dynamic, RopeScaling::llama3,
                                    RopeScaling::yarn, RopeScaling::longrope})
    if (name == rope_scaling_name(scaling)) return scaling;
  if (name == "default") return RopeScaling::none;
  if (name == "su") return RopeScaling::longrope;  // its name in the first Phi-3 files
  fail(ErrorKind::unsupported,
       "{}: rope_type: expected default, linear, dynamic, llama3, yarn or longrope, got \"{}\"",
       file, printable(name));
}

// The object that holds the rotary parameters: a non-empty `rope_scaling` wins over
// `rope_parameters`.
std::optional<json::Value> find_rope_object(const HfFields& top) {
  for (const std::string_view key : {"rope_scaling", "rope_parameters"}) {
    const auto value = top.get(key);
    if (value && !value->members(key).empty()) return value;
  }
  return std::nullopt;
}

// As the reference holds them, and GGUF.
std::vector<double> rounded(std::vector<double> factors) {
  for (double& factor : factors) factor = static_cast<double>(static_cast<float>(factor));
  return factors;
}

void read_scaling(const HfFields& top, const HfFields& fields, const Config& config,
                  RopeConfig& rope) {
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
      rope.truncate = fields.boolean("truncate", true);
      break;
    case RopeScaling::longrope:
      rope.factor = fields.number("factor", 0.0, kFactorMax).value_or(context_ratio);
      rope.attention_factor = fields.number("attention_factor", 0.0, kFactorMax).value_or(0.0);
      rope.short_factors = rounded(fields.numbers("short_factor"));
      rope.long_factors = rounded(fields.numbers("long_factor"));
      break;
  }
}

// `defaults`: what holds where the object is silent.
RopeConfig read_object(const HfFields& top, const HfFields& fields, const Config& config,
                       const RopeConfig& defaults) {
  RopeConfig rope;
  rope.theta = theta_in(fields).value_or(defaults.theta);
  rope.partial = partial_in(fields).value_or(defaults.partial);
  auto type = fields.object().get_string("rope_type");
  if (!type) type = fields.object().get_string("type");
  rope.scaling = scaling_from_name(type.value_or("default"), top.file());
  read_scaling(top, fields, config, rope);
  return rope;
}

}  // namespace

void read_rope(const HfFields& top, Config& config) {
  RopeConfig& rope = config.rope;
  const RopeConfig of_class = rope;
  rope.theta = theta_in(top).value_or(rope.theta);
  rope.partial = partial_in(top).value_or(rope.partial);
  const auto object = find_rope_object(top);
  if (!object) return;
  const auto full = object->get("full_attention");
  if (full) full->members("full_attention");  // must be an object
  rope = read_object(top, HfFields(full.value_or(*object), "rope: "), config, rope);
  if (const auto window = full ? object->get("sliding_attention") : std::nullopt) {
    window->members("sliding_attention");
    config.window_rope = read_object(top, HfFields(*window, "rope: "), config, of_class);
  }
}

}  // namespace bittern::model
