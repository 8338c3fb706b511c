// config.json of a Hugging Face folder -> Config: the fields that all families share (by whatever
// name), the rotary parameters (hf_rope.cc), the family's own fields (traits_hf.cc), and
// `quantization_config` of quant_method "bitnet" and no other.
// Source: transformers 5.23 configuration classes, integrations/bitnet.
#include <algorithm>
#include <optional>

#include "base/error.h"
#include "model/arch.h"
#include "model/config.h"
#include "model/hf_fields.h"
#include "model/hf_rope.h"
#include "model/limits.h"

namespace bittern::model {
namespace {

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

// Switches that no supported class computes here, whatever family's file holds them.
void refuse_uncomputed(const HfFields& top) {
  for (const std::string_view key : {"alibi", "add_cross_attention", "is_encoder_decoder",
                                     "use_bidirectional_attention", "use_mrope"})
    top.refuse_unless(key, false);
  if (const auto clip = top.number("clip_qkv", 0.0, kFactorMax)) {
    fail(ErrorKind::unsupported, "{}: clip_qkv: expected none (clipping is not supported), got {}",
         top.file(), *clip);
  }
}

void read_sizes(const HfFields& top, const ArchSpec& arch, Config& config) {
  config.hidden_size = top.integer_or({"hidden_size", "n_embd"}, 1, kHiddenMax, 0);
  config.ffn_size = top.integer_or({"intermediate_size", "ffn_hidden_size", "n_inner"}, 1, kFfnMax,
                                   arch.default_ffn_factor * config.hidden_size);
  config.layer_count = top.integer_or({"num_hidden_layers", "n_layer"}, 1, kLayersMax, 0);
  config.layers.resize(static_cast<size_t>(config.layer_count));
  for (LayerConfig& layer : config.layers) layer.rotary = arch.rotary;
  config.vocab_size = top.integer_or({"vocab_size"}, 1, kVocabMax, arch.default_vocab_size);
  config.head_count =
      top.integer_or({"num_attention_heads", "n_head"}, 1, kHeadsMax, arch.default_head_count);
  config.kv_head_count =
      top.integer_or({"num_key_value_heads"}, 1, kHeadsMax,
                     arch.default_kv_head_count > 0 && !top.is_null("num_key_value_heads")
                         ? arch.default_kv_head_count
                         : config.head_count);
  const int64_t default_head_dim =
      arch.default_head_dim > 0 ? arch.default_head_dim : config.hidden_size / config.head_count;
  config.head_dim = top.integer("head_dim", 1, kHeadDimMax).value_or(default_head_dim);
  config.max_context = top.integer_or({"max_position_embeddings", "n_positions"}, 1, kContextMax,
                                      arch.default_context);
}

// Whatever decided the windows, a list of layer types must not contradict them.
void check_layer_types(const HfFields& top, const Config& config) {
  const auto types = top.strings("layer_types");
  for (size_t index = 0; index < std::min(types.size(), config.layers.size()); ++index) {
    const std::string_view computed =
        config.layers[index].window > 0 ? "sliding_attention" : "full_attention";
    if (types[index] == computed) continue;
    fail(ErrorKind::unsupported, "{}: layer_types: expected {} in layer {}, got \"{}\"", top.file(),
         computed, index, printable(types[index]));
  }
}

}  // namespace

Config config_from_hf(const json::Value& root, const ArchSpec& arch) {
  root.members("the file");  // must be an object
  // Wrappers of several modalities keep the decoder's numbers in an object of its own.
  const auto nested = root.get("text_config");
  const HfFields top(nested.value_or(root), nested ? "text_config: " : "");
  top.object().members("text_config");
  Config config = config_of(arch);
  config.file = root.file_name();
  config.architecture = *arch.hf_classes.begin();
  refuse_uncomputed(top);
  read_sizes(top, arch, config);
  const HfFields::Spellings rms_eps = {"rms_norm_eps"};
  const HfFields::Spellings layer_eps = {"layer_norm_eps", "layer_norm_epsilon", "norm_epsilon",
                                         "norm_eps"};
  config.norm_eps = top.number(arch.norm == NormKind::rms ? rms_eps : layer_eps, 0.0, 1.0)
                        .value_or(arch.default_norm_eps);
  const auto activation =
      top.string({"hidden_activation", "hidden_act", "activation_function", "activation"});
  if (activation && arch.activation_from_file)
    config.activation = activation_from_name(*activation, config.file);
  if (arch.gelu_is_tanh && config.activation == backend::Activation::gelu)
    config.activation = backend::Activation::gelu_tanh;
  config.tied_embedding = root.get_boolean("tie_word_embeddings").value_or(arch.default_tied);
  config.transposed_linears = arch.hf->transposed;
  if (arch.rotary) read_rope(top, config);
  if (arch.read_hf != nullptr) arch.read_hf(top, config);
  check_layer_types(top, config);
  read_quantization(root, config);
  check_config(config);
  return config;
}

}  // namespace bittern::model
