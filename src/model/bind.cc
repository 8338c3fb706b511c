// Tensors to layers. Nothing is trusted: every tensor the architecture names must be there with
// exactly the shape that the configuration implies, in a codec of real numbers.
//
// Packed Hugging Face BitNet linears arrive as uint8 [ceil(R/4), C] beside `weight_scale` [1];
// they become a view with codec hf_ternary, shape [R, C] and the scale turned into the
// multiplying convention (Config::scale_rule).
//
// GGUF files of the llama class hold the rows of q and k permuted per head from half to
// interleaved order (llama.cpp's converter): stored row h*d + 2j + p is row h*d + p*d/2 + j. The
// inverse order is given to the packer, so that both containers run the same arithmetic.
#include "model/bind.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "model/rope.h"

namespace bittern::model {
namespace {

std::string shape_text(std::span<const int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

// Codecs whose values are real numbers as they stand.
bool is_real(codec::Id id) {
  switch (id) {
    case codec::Id::i8:
    case codec::Id::i16:
    case codec::Id::i32:
    case codec::Id::i64:
    case codec::Id::u8:
      return false;
    case codec::Id::f32:
    case codec::Id::f16:
    case codec::Id::bf16:
    case codec::Id::q8_0:
    case codec::Id::q4_0:
    case codec::Id::q4_1:
    case codec::Id::q6_k:
    case codec::Id::tq1_0:
    case codec::Id::tq2_0:
    case codec::Id::i2_s:
    case codec::Id::hf_ternary:
      return true;
  }
  return false;
}

// Result row -> stored row, undoing the per-head interleaving.
std::vector<int32_t> deinterleaved_rows(int64_t head_count, int64_t head_dim) {
  std::vector<int32_t> order;
  order.reserve(static_cast<size_t>(head_count * head_dim));
  for (int64_t head = 0; head < head_count; ++head) {
    for (int64_t part = 0; part < 2; ++part) {
      for (int64_t pair = 0; pair < head_dim / 2; ++pair)
        order.push_back(static_cast<int32_t>(head * head_dim + 2 * pair + part));
    }
  }
  return order;
}

// Rotary and mask buffers that old checkpoints carry; computed here.
bool is_known_buffer(std::string_view name) {
  return name.ends_with(".rotary_emb.inv_freq") || name == "rope_freqs.weight" ||
         name == "rope_factors_long.weight" || name == "rope_factors_short.weight";
}

class Binder {
 public:
  Binder(Model& model, backend::Backend& backend, const LayerBound& layer_bound)
      : model_(model),
        backend_(backend),
        layer_bound_(layer_bound),
        config_(model.config),
        from_gguf_(model.checkpoint.container == format::Container::gguf),
        names_(from_gguf_ ? *model.arch->gguf : *model.arch->hf) {}

  void run() {
    query_width_ = config_.head_count * config_.head_dim;
    key_width_ = config_.kv_head_count * config_.head_dim;
    // Rows stay as stored where only a part of a head is rotated: the converter's permutation
    // spans the whole head.
    unpermute_ =
        from_gguf_ && model_.arch->gguf_interleaves_heads && rope_dim(config_) == config_.head_dim;
    const bool as_stored = from_gguf_ && model_.arch->gguf_interleaves_heads && !unpermute_;
    model_.rope = make_rope_table(
        config_, as_stored ? backend::RopePairing::interleaved : model_.arch->pairing,
        model_.context);
    bind_embedding();
    model_.output_norm = norm(std::string(names_.output_norm), config_.hidden_size);
    model_.layers.resize(static_cast<size_t>(config_.layer_count));
    for (int64_t layer = 0; layer < config_.layer_count; ++layer) {
      bind_layer(layer);
      if (layer_bound_) layer_bound_(layer);
    }
    bind_head();
    for (const TensorView& tensor : model_.checkpoint.tensors) {
      if (!used_.contains(tensor.name) && !is_known_buffer(tensor.name))
        model_.unused_tensors.push_back(tensor.name);
    }
  }

 private:
  struct LinearShape {
    int64_t out = 0, in = 0;
    bool ternary = false;
    bool needs_bias = false;
    std::vector<int32_t> row_order = {};
  };

  const TensorView* find(const std::string& name) {
    const TensorView* tensor = model_.checkpoint.find(name);
    if (tensor != nullptr) used_.insert(tensor->name);
    if (const format::OpaqueTensor* opaque = model_.checkpoint.find_opaque(name)) {
      fail(ErrorKind::unsupported, "{}: tensor '{}': {} is not supported yet", config_.file,
           printable(name), opaque->type);
    }
    return tensor;
  }
  const TensorView& require(const std::string& name) {
    const TensorView* tensor = find(name);
    if (tensor == nullptr) {
      bad_input("{}: {}: expected a tensor ({} needs it), got nothing", config_.file, name,
                printable(config_.architecture));
    }
    return *tensor;
  }
  void require_shape(const TensorView& tensor, std::span<const int64_t> shape) {
    if (!std::ranges::equal(tensor.shape, shape)) {
      bad_input("{}: {}: expected shape {}, got {}", config_.file, printable(tensor.name),
                shape_text(shape), shape_text(tensor.shape));
    }
  }
  void require_real(const TensorView& tensor) {
    if (!is_real(tensor.codec)) {
      bad_input("{}: {}: expected real numbers, got {}", config_.file, printable(tensor.name),
                codec::get(tensor.codec).name);
    }
  }

  std::vector<float> vector(const TensorView& tensor, int64_t size) {
    require_real(tensor);
    const int64_t shape[] = {size};
    require_shape(tensor, shape);
    std::vector<float> values(static_cast<size_t>(size));
    decode_rows(tensor, 0, 1, values.data());
    return values;
  }
  std::vector<float> norm(const std::string& module, int64_t size) {
    return vector(require(module + ".weight"), size);
  }
  std::vector<float> layer_norm(std::string_view pattern, int64_t layer, int64_t size) {
    return norm(module_name(pattern, layer), size);
  }

  // A positive finite scalar tensor.
  float scalar(const TensorView& tensor) {
    require_real(tensor);
    if (tensor.elements() != 1) {
      bad_input("{}: {}: expected one number, got shape {}", config_.file, printable(tensor.name),
                shape_text(tensor.shape));
    }
    float value = 0.0f;
    decode_rows(tensor, 0, 1, &value);
    if (!(std::isfinite(value) && value > 0.0f)) {
      bad_input("{}: {}: expected a positive number, got {}", config_.file, printable(tensor.name),
                value);
    }
    return value;
  }

  // The weight of a linear as a view with its logical shape and multiplying scale.
  const TensorView* weight_view(const std::string& module, const LinearShape& shape) {
    const TensorView& tensor = require(module + ".weight");
    TensorView view = tensor;
    if (shape.ternary && !from_gguf_ && tensor.codec == codec::Id::u8) {
      const int64_t packed_shape[] = {(shape.out + 3) / 4, shape.in};
      require_shape(tensor, packed_shape);
      view.codec = codec::Id::hf_ternary;
      view.shape = {shape.out, shape.in};
    } else {
      require_real(tensor);
      const int64_t dense_shape[] = {shape.out, shape.in};
      require_shape(tensor, dense_shape);
    }
    if (from_gguf_) {
      if (const TensorView* scale = find(module + ".scale")) view.scale = scalar(*scale);
    } else if (shape.ternary) {
      const TensorView* scale = find(module + ".weight_scale");
      if (scale == nullptr && view.codec == codec::Id::hf_ternary)
        require(module + ".weight_scale");
      if (scale != nullptr) {
        const float value = scalar(*scale);
        view.scale = config_.scale_rule == ScaleRule::multiply ? value : 1.0f / value;
      }
    }
    model_.views.push_back(std::move(view));
    return &model_.views.back();
  }

  std::unique_ptr<backend::Linear> linear(const std::string& module, LinearShape shape) {
    backend::LinearSource source;
    source.weight = weight_view(module, shape);
    // I2_S exists for BitNet only: its presence says W1.58A8 even in a "llama" file.
    source.ternary = shape.ternary || source.weight->codec == codec::Id::i2_s;
    const std::string bias_name = module + ".bias";
    source.bias = from_gguf_ ? find(bias_name) : shape.needs_bias ? &require(bias_name) : nullptr;
    if (source.bias != nullptr) {
      require_real(*source.bias);
      const int64_t bias_shape[] = {shape.out};
      require_shape(*source.bias, bias_shape);
    }
    source.row_order = std::move(shape.row_order);
    auto packed = pack(source);
    if (source.ternary) release_source(*source.weight);
    return packed;
  }

  // What packing finds wrong (an invalid code, a scale that is not finite) is a fault of the file.
  std::unique_ptr<backend::Linear> pack(const backend::LinearSource& source) {
    try {
      return backend_.pack(source);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::bad_input) throw;
      bad_input("{}: {}", config_.file, error.message());
    }
  }

  // Packed weights are read no more where they lie in a mapped file: the pages may go, so that no
  // second copy stays resident. Tensors built in memory are left alone.
  void release_source(const TensorView& tensor) {
    for (const FileMap& map : model_.checkpoint.maps) {
      const Bytes file = map.bytes();
      if (tensor.bytes.data() >= file.data() && tensor.bytes.data() < file.data() + file.size())
        FileMap::release(tensor.bytes);
    }
  }

  std::unique_ptr<backend::Linear> layer_linear(std::string_view pattern, int64_t layer,
                                                LinearShape shape) {
    const std::string module = module_name(pattern, layer);
    shape.ternary = config_.is_ternary(module);
    return linear(module, std::move(shape));
  }

  void bind_embedding() {
    const TensorView& tensor = require(std::string(names_.embedding) + ".weight");
    require_real(tensor);
    const int64_t shape[] = {config_.vocab_size, config_.hidden_size};
    require_shape(tensor, shape);
    model_.embedding = &tensor;
  }

  // A head of its own wins over tying (transformers unties when both are there and differ).
  void bind_head() {
    const std::string name(names_.head);
    const LinearShape shape = {
        .out = config_.vocab_size, .in = config_.hidden_size, .ternary = config_.ternary_head};
    if (find(name + ".weight") != nullptr) {
      config_.tied_embedding = false;
      model_.head = linear(name, shape);
      return;
    }
    if (!config_.tied_embedding) require(name + ".weight");
    backend::LinearSource source;
    source.weight = model_.embedding;
    model_.head = pack(source);
  }

  void bind_layer(int64_t index) {
    Layer& layer = model_.layers[static_cast<size_t>(index)];
    const int64_t hidden = config_.hidden_size;
    const int64_t ffn = config_.ffn_size;
    layer.attention_norm = layer_norm(names_.attention_norm, index, hidden);
    layer.ffn_norm = layer_norm(names_.ffn_norm, index, hidden);
    if (model_.arch->head_norms) {
      layer.query_norm = layer_norm(names_.query_norm, index, config_.head_dim);
      layer.key_norm = layer_norm(names_.key_norm, index, config_.head_dim);
    }
    if (model_.arch->sub_norms) {
      layer.attention_sub_norm = layer_norm(names_.attention_sub_norm, index, query_width_);
      layer.ffn_sub_norm = layer_norm(names_.ffn_sub_norm, index, ffn);
    }
    const auto order = [this](int64_t head_count) {
      return unpermute_ ? deinterleaved_rows(head_count, config_.head_dim) : std::vector<int32_t>();
    };
    const bool bias = config_.attention_bias;
    layer.query = layer_linear(names_.query, index,
                               {.out = query_width_,
                                .in = hidden,
                                .needs_bias = bias,
                                .row_order = order(config_.head_count)});
    layer.key = layer_linear(names_.key, index,
                             {.out = key_width_,
                              .in = hidden,
                              .needs_bias = bias,
                              .row_order = order(config_.kv_head_count)});
    layer.value =
        layer_linear(names_.value, index, {.out = key_width_, .in = hidden, .needs_bias = bias});
    layer.output =
        layer_linear(names_.output, index, {.out = hidden, .in = query_width_, .needs_bias = bias});
    const bool mlp_bias = config_.mlp_bias;
    layer.gate =
        layer_linear(names_.gate, index, {.out = ffn, .in = hidden, .needs_bias = mlp_bias});
    layer.up = layer_linear(names_.up, index, {.out = ffn, .in = hidden, .needs_bias = mlp_bias});
    layer.down =
        layer_linear(names_.down, index, {.out = hidden, .in = ffn, .needs_bias = mlp_bias});
  }

  Model& model_;
  backend::Backend& backend_;
  const LayerBound& layer_bound_;
  Config& config_;
  bool from_gguf_;
  const TensorNames& names_;
  int64_t query_width_ = 0, key_width_ = 0;
  bool unpermute_ = false;
  std::unordered_set<std::string_view> used_;
};

}  // namespace

std::string module_name(std::string_view pattern, int64_t layer) {
  const size_t hole = pattern.find("{}");
  BITTERN_CHECK(hole != std::string_view::npos, "pattern {}", pattern);
  return fmt::format("{}{}{}", pattern.substr(0, hole), layer, pattern.substr(hole + 2));
}

const ArchSpec& find_architecture(const format::Checkpoint& checkpoint) {
  std::string said = "nothing";
  if (checkpoint.container == format::Container::gguf) {
    if (const auto name = checkpoint.metadata.get_string("general.architecture")) {
      if (const ArchSpec* arch = find_by_gguf_name(*name)) return *arch;
      said = *name;
    }
  } else if (checkpoint.config != nullptr) {
    if (const auto classes = checkpoint.config->root().get("architectures")) {
      for (const json::Value& element : classes->elements("architectures")) {
        const std::string_view name = element.as_string("architectures");
        if (const ArchSpec* arch = find_by_hf_class(name)) return *arch;
        said = std::string(name);
      }
    }
  } else {
    bad_input("{}: config.json: expected it beside the tensors, got nothing",
              printable(checkpoint.path.string(), 200));
  }
  fail(ErrorKind::unsupported, "{}: architecture: expected one of {}; got \"{}\"",
       printable(checkpoint.path.string(), 200), supported_architectures(), printable(said));
}

Config read_config(const format::Checkpoint& checkpoint, const ArchSpec& arch) {
  return checkpoint.container == format::Container::gguf
             ? config_from_gguf(checkpoint, arch)
             : config_from_hf(checkpoint.config->root(), arch);
}

std::unique_ptr<Model> bind(format::Checkpoint checkpoint, const ArchSpec& arch, Config config,
                            backend::Backend& backend, int64_t context,
                            const LayerBound& layer_bound) {
  auto model = std::make_unique<Model>();
  model->arch = &arch;
  model->config = std::move(config);
  model->context = context;
  model->checkpoint = std::move(checkpoint);
  Binder(*model, backend, layer_bound).run();
  return model;
}

}  // namespace bittern::model
