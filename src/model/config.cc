// What both configuration readers share: names of enumerations and the relations that a decoder's
// numbers must satisfy whatever file they came from.
#include "model/config.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "model/arch.h"
#include "model/limits.h"

namespace bittern::model {

std::string_view rope_scaling_name(RopeScaling scaling) {
  constexpr std::array<std::string_view, 6> kNames = {"none",   "linear", "dynamic",
                                                      "llama3", "yarn",   "longrope"};
  return kNames[static_cast<size_t>(scaling)];
}

backend::Activation activation_from_name(std::string_view name, const std::string& file) {
  using backend::Activation;
  // transformers' ACT2FN: "gelu" is the exact erf form, the other gelu names the tanh form.
  static constexpr std::array<std::pair<std::string_view, Activation>, 8> kNames = {{
      {"silu", Activation::silu},
      {"swish", Activation::silu},
      {"relu", Activation::relu},
      {"relu2", Activation::relu2},
      {"gelu", Activation::gelu},
      {"gelu_new", Activation::gelu_tanh},
      {"gelu_pytorch_tanh", Activation::gelu_tanh},
      {"gelu_fast", Activation::gelu_tanh},
  }};
  for (const auto& [known, activation] : kNames)
    if (known == name) return activation;
  fail(ErrorKind::unsupported,
       "{}: hidden_act: expected one of silu, relu, relu2, gelu, gelu_new, gelu_pytorch_tanh, "
       "got \"{}\"",
       file, printable(name));
}

bool Config::is_ternary(std::string_view module) const {
  if (!ternary) return false;
  // transformers should_convert_module: a pattern matches from the start up to a module boundary
  // ("model.layers.1" is not "model.layers.11"), or as a suffix.
  for (const std::string& pattern : not_ternary) {
    if (module.ends_with(pattern)) return false;
    if (module.starts_with(pattern) && module[pattern.size()] == '.') return false;
  }
  return true;
}

bool Config::has_rotary() const {
  return std::ranges::any_of(layers, [](const LayerConfig& layer) { return layer.rotary; });
}

Config config_of(const ArchSpec& arch) {
  Config config;
  config.norm = arch.norm;
  config.norm_bias = arch.norm == NormKind::layer;
  config.residual = arch.residual;
  config.head_norm = arch.head_norm;
  config.learned_positions = !arch.rotary;
  config.mask = arch.encoder ? backend::Mask::bidirectional : backend::Mask::causal;
  config.has_head = !arch.encoder;
  config.gated = arch.gated;
  config.activation = arch.activation;
  config.rope.theta = arch.default_theta;
  config.rope.partial = arch.default_partial;
  config.ternary = arch.ternary;
  return config;
}

namespace {

void require(bool holds, const Config& config, std::string_view field, std::string_view expected,
             int64_t got) {
  if (!holds) bad_input("{}: {}: expected {}, got {}", config.file, field, expected, got);
}

void check_rope(const Config& config, const RopeConfig& rope) {
  const auto dim = static_cast<int64_t>(static_cast<double>(config.head_dim) * rope.partial);
  require(dim >= 2 && dim % 2 == 0, config, "rotated part of a head",
          "an even number of at least 2", dim);
  // The exponent dim / (dim - 2) of dynamic scaling.
  require(rope.scaling != RopeScaling::dynamic || dim > 2, config, "rotated part of a head",
          "more than 2 for dynamic rope scaling", dim);
  if (rope.scaling == RopeScaling::llama3 && rope.high_freq_factor <= rope.low_freq_factor) {
    bad_input("{}: rope high_freq_factor: expected more than low_freq_factor {}, got {}",
              config.file, rope.low_freq_factor, rope.high_freq_factor);
  }
  const auto require_factors = [&](const std::vector<double>& factors, std::string_view field) {
    require(static_cast<int64_t>(factors.size()) == dim / 2, config, field,
            fmt::format("{} numbers", dim / 2), static_cast<int64_t>(factors.size()));
    for (const double factor : factors) {
      if (!(factor > 0.0 && factor < 1e9))
        bad_input("{}: {}: expected positive numbers, got {}", config.file, field, factor);
    }
  };
  if (rope.scaling == RopeScaling::longrope) {
    require_factors(rope.short_factors, "rope short factors");
    require_factors(rope.long_factors, "rope long factors");
  }
  if (!rope.divisors.empty()) require_factors(rope.divisors, "rope_freqs.weight");
}

void check_experts(const Config& config) {
  const bool sparse =
      std::ranges::any_of(config.layers, [](const LayerConfig& layer) { return layer.experts; });
  if (!sparse) return;
  const ExpertConfig& experts = config.experts;
  require(experts.count >= 1, config, "experts", "at least 1", experts.count);
  require(experts.ffn_size >= 1, config, "ffn size of an expert", "at least 1", experts.ffn_size);
  const int64_t most = std::min(experts.count, backend::kMaxChosenExperts);
  require(experts.chosen >= 1 && experts.chosen <= most, config, "experts per token",
          fmt::format("1 to {}", most), experts.chosen);
}

}  // namespace

void check_config(const Config& config) {
  require(
      config.kv_head_count <= config.head_count && config.head_count % config.kv_head_count == 0,
      config, "key/value heads", fmt::format("a divisor of the {} query heads", config.head_count),
      config.kv_head_count);
  if (config.has_rotary()) {
    require(config.head_dim % 2 == 0, config, "head_dim", "an even number", config.head_dim);
    check_rope(config, config.rope);
    if (config.window_rope) check_rope(config, *config.window_rope);
  }
  require(config.head_dim >= 1, config, "head_dim", "at least 1", config.head_dim);
  require(static_cast<int64_t>(config.layers.size()) == config.layer_count, config, "layers",
          fmt::format("{}", config.layer_count), static_cast<int64_t>(config.layers.size()));
  check_experts(config);
  for (const LayerConfig& layer : config.layers) {
    require(layer.window == 0 || config.mask == backend::Mask::causal, config, "sliding window",
            "none in an encoder", layer.window);
  }
}

}  // namespace bittern::model
