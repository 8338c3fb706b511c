// Tensors to layers: which of them a layer of this configuration needs, and in what shape. Reading
// and checking one is tensor_reader.h; parts of fused tensors are fused.h.
#include "model/bind.h"

#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/float_mode.h"
#include "model/fused.h"
#include "model/rope.h"
#include "model/tensor_reader.h"

namespace bittern::model {
namespace {

class Binder {
 public:
  Binder(Model& model, backend::Backend& backend, const LayerBound& layer_bound)
      : model_(model),
        layer_bound_(layer_bound),
        config_(model.config),
        reader_(model, backend),
        names_(reader_.names()) {}

  void run() {
    bind_rope();
    bind_rotation();
    bind_embedding();
    model_.output_norm = norm(names_.output_norm, -1, config_.hidden_size);
    model_.layers.resize(static_cast<size_t>(config_.layer_count));
    for (int64_t index = 0; index < config_.layer_count; ++index) {
      bind_norms(index);
      bind_attention(index);
      if (config_.layers[static_cast<size_t>(index)].experts)
        bind_experts(index);
      else
        bind_ffn(index);
      if (layer_bound_) layer_bound_(index);
    }
    if (config_.has_head) bind_head();
    reader_.require_all_rotated_read();
    model_.unused_tensors = reader_.unused();
  }

 private:
  void bind_rope() {
    if (!config_.has_rotary()) return;
    // Rows stay as stored where only a part of a head is rotated: the converter's permutation
    // spans the whole head.
    const bool interleaved = reader_.from_gguf() && model_.arch->gguf_interleaves_heads;
    unpermute_ = interleaved && rope_dim(config_, config_.rope) == config_.head_dim;
    model_.interleaved_heads = interleaved && !unpermute_;
    const auto pairing =
        interleaved && !unpermute_ ? backend::RopePairing::interleaved : model_.arch->pairing;
    model_.rope = make_rope_table(config_, config_.rope, pairing, model_.context);
    if (config_.window_rope)
      model_.window_rope = make_rope_table(config_, *config_.window_rope, pairing, model_.context);
  }

  // Which linears are rotated the reader sees by their names; of tables that are turned back there
  // is the embedding.
  void bind_rotation() {
    const auto& stated = model_.checkpoint.rotation;
    if (!stated) return;
    InputRotation& rotation = model_.rotation;
    rotation.block_size = stated->block_size;
    for (const auto& row : stated->signs)
      rotation.signs.push_back({row.width, {row.values.begin(), row.values.end()}});
    const std::string embedding = reader_.module(names_.embedding) + ".weight";
    for (const std::string& name : stated->inverse_weights) {
      if (name != embedding) {
        fail(ErrorKind::unsupported,
             "{}: prism.hadamard.inverse_weight_names: expected {}, got '{}'", config_.file,
             embedding, printable(name));
      }
      rotation.embedding = true;
    }
  }

  void bind_embedding() {
    const int64_t hidden = config_.hidden_size;
    const TensorView& table =
        reader_.table(reader_.module(names_.embedding), config_.vocab_size, hidden);
    reader_.require_shape(table, {config_.vocab_size, hidden});
    model_.embedding = &table;
    if (config_.learned_positions) {
      model_.position_embedding =
          &reader_.table(reader_.module(names_.position_embedding), config_.max_context, hidden);
    }
    if (config_.token_types) {
      const TensorView& types = reader_.table(reader_.module(names_.token_types), 1, hidden);
      model_.token_type.resize(static_cast<size_t>(hidden));
      decode_rows(types, 0, 1, model_.token_type.data());
    }
    model_.embedding_norm = norm(names_.embedding_norm, -1, hidden);
  }

  // A head of its own wins over tying (transformers unties when both are there and differ).
  void bind_head() {
    const std::string name = reader_.module(names_.head);
    if (reader_.has_module(name)) {
      config_.tied_embedding = false;
      model_.head = reader_.linear(name, {.out = config_.vocab_size,
                                          .in = config_.hidden_size,
                                          .ternary = config_.ternary_head,
                                          .needs_bias = config_.head_bias,
                                          .head = true});
      return;
    }
    if (!config_.tied_embedding) reader_.require(name + ".weight");
    backend::LinearSource source;
    source.weight = model_.embedding;
    source.head = true;
    model_.head = reader_.pack(std::move(source));
    // e = s * (H z) of a stored row z, hence e.x = z.(H (s * x)).
    model_.head->rotated = model_.rotation.embedding;
  }

  // Absent where the family has no such norm.
  Norm norm(std::string_view pattern, int64_t layer, int64_t size) {
    if (pattern.empty()) return {};
    return reader_.norm(reader_.module(pattern, layer), size);
  }

  void bind_norms(int64_t index) {
    Layer& layer = model_.layers[static_cast<size_t>(index)];
    const int64_t hidden = config_.hidden_size;
    layer.attention_norm = norm(names_.attention_norm, index, hidden);
    if (!config_.shared_norm) layer.ffn_norm = norm(names_.ffn_norm, index, hidden);
    layer.attention_post_norm = norm(names_.attention_post_norm, index, hidden);
    layer.ffn_post_norm = norm(names_.ffn_post_norm, index, hidden);
    layer.query_norm = head_norm(names_.query_norm, index, config_.head_count);
    layer.key_norm = head_norm(names_.key_norm, index, config_.kv_head_count);
    if (model_.arch->sub_norms) {
      layer.attention_sub_norm = norm(names_.attention_sub_norm, index, config_.query_width());
      layer.ffn_sub_norm = norm(names_.ffn_sub_norm, index, config_.ffn_size);
    }
  }

  Norm head_norm(std::string_view pattern, int64_t index, int64_t head_count) {
    switch (config_.head_norm) {
      case HeadNorm::none:
        return {};
      case HeadNorm::shared:
        return norm(pattern, index, config_.head_dim);
      case HeadNorm::full:
        return norm(pattern, index, head_count * config_.head_dim);
      case HeadNorm::own:
        return reader_.head_norms(pattern, index, head_count, config_.head_dim);
    }
    return {};
  }

  // The part of the fused tensor where the file has one, else a tensor of its own.
  std::unique_ptr<backend::Linear> attention_input(std::string_view own, QkvPart part,
                                                   int64_t index) {
    const int64_t heads = part == QkvPart::query ? config_.head_count : config_.kv_head_count;
    const std::string fused = reader_.module(names_.query_key_value, index);
    const bool is_fused = own.empty() || (!fused.empty() && reader_.has_module(fused));
    const std::string module = is_fused ? fused : reader_.module(own, index);
    LinearShape shape = {
        .out = heads * config_.head_dim, .in = config_.hidden_size, .needs_bias = config_.qkv_bias};
    if (is_fused) shape.stored_rows = config_.query_width() + 2 * config_.key_width();
    // Lists of rows only of what the file is large enough to hold; the rest is refused by shape.
    if (4 * reader_.require(module + ".weight").elements() >= shape.out) {
      if (is_fused) {
        shape.rows = fused_rows(names_.fused_layout, part, config_.head_count,
                                config_.kv_head_count, config_.head_dim);
      }
      if (unpermute_ && part != QkvPart::value)
        shape.rows = compose(shape.rows, deinterleaved_rows(heads, config_.head_dim));
    }
    return layer_linear(module, std::move(shape));
  }

  void bind_attention(int64_t index) {
    Layer& layer = model_.layers[static_cast<size_t>(index)];
    layer.query = attention_input(names_.query, QkvPart::query, index);
    layer.key = attention_input(names_.key, QkvPart::key, index);
    layer.value = attention_input(names_.value, QkvPart::value, index);
    layer.output =
        layer_linear(reader_.module(names_.output, index), {.out = config_.hidden_size,
                                                            .in = config_.query_width(),
                                                            .needs_bias = config_.output_bias});
  }

  void bind_ffn(int64_t index) {
    Layer& layer = model_.layers[static_cast<size_t>(index)];
    const int64_t ffn = config_.ffn_size;
    const LinearShape in_shape = {
        .out = ffn, .in = config_.hidden_size, .needs_bias = config_.mlp_bias};
    if (config_.gated && !names_.gate_up.empty()) {
      LinearShape half = in_shape;
      half.stored_rows = 2 * ffn;
      const std::string fused = reader_.module(names_.gate_up, index);
      const bool is_there = 4 * reader_.require(fused + ".weight").elements() >= ffn;
      if (is_there) half.rows = row_range(0, ffn);
      layer.gate = layer_linear(fused, half);
      if (is_there) half.rows = row_range(ffn, ffn);
      layer.up = layer_linear(fused, half);
    } else {
      if (config_.gated) layer.gate = layer_linear(reader_.module(names_.gate, index), in_shape);
      layer.up = layer_linear(reader_.module(names_.up, index), in_shape);
    }
    layer.down =
        layer_linear(reader_.module(names_.down, index),
                     {.out = config_.hidden_size, .in = ffn, .needs_bias = config_.mlp_bias});
  }

  void bind_experts(int64_t index) {
    Layer& layer = model_.layers[static_cast<size_t>(index)];
    const int64_t count = config_.experts.count;
    const int64_t ffn = config_.experts.ffn_size;
    const int64_t hidden = config_.hidden_size;
    layer.router =
        reader_.linear(reader_.module(names_.router, index), {.out = count, .in = hidden});
    layer.experts.resize(static_cast<size_t>(count));
    const TensorView* gate_up = stacked(names_.experts_gate_up, index, {count, 2 * ffn, hidden});
    const TensorView* gate = stacked(names_.experts_gate, index, {count, ffn, hidden});
    const TensorView* up = stacked(names_.experts_up, index, {count, ffn, hidden});
    const TensorView* down = stacked(names_.experts_down, index, {count, hidden, ffn});
    for (int64_t item = 0; item < count; ++item) {
      Expert& expert = layer.experts[static_cast<size_t>(item)];
      const auto part = [&](const TensorView* whole, int64_t first, std::string_view own,
                            int64_t out, int64_t in) {
        if (whole != nullptr) return reader_.linear_slice(*whole, first, out);
        return layer_linear(reader_.module(own, index, item), {.out = out, .in = in});
      };
      if (gate_up != nullptr) {
        expert.gate = reader_.linear_slice(*gate_up, item * 2 * ffn, ffn);
        expert.up = reader_.linear_slice(*gate_up, (item * 2 + 1) * ffn, ffn);
      } else {
        expert.gate = part(gate, item * ffn, names_.expert_gate, ffn, hidden);
        expert.up = part(up, item * ffn, names_.expert_up, ffn, hidden);
      }
      expert.down = part(down, item * hidden, names_.expert_down, hidden, ffn);
    }
  }

  // A tensor of all experts; null where the file has none by this name.
  const TensorView* stacked(std::string_view pattern, int64_t index, std::vector<int64_t> shape) {
    if (pattern.empty()) return nullptr;
    const std::string name = reader_.tensor(pattern, index);
    const TensorView* tensor = reader_.find(name);
    if (tensor == nullptr) return nullptr;
    reader_.require_real(*tensor);
    reader_.require_shape(*tensor, std::move(shape));
    if (config_.is_ternary(name)) {
      fail(ErrorKind::unsupported, "{}: {}: expected experts in tensors of their own (W1.58A8)",
           config_.file, printable(name));
    }
    return tensor;
  }

  std::unique_ptr<backend::Linear> layer_linear(const std::string& module, LinearShape shape) {
    shape.ternary = config_.is_ternary(module);
    return reader_.linear(module, std::move(shape));
  }

  Model& model_;
  const LayerBound& layer_bound_;
  Config& config_;
  TensorReader reader_;
  const TensorNames& names_;
  bool unpermute_ = false;  // rows of q and k
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
  const DefaultFloatMode mode;
  return checkpoint.container == format::Container::gguf
             ? config_from_gguf(checkpoint, arch)
             : config_from_hf(checkpoint.config->root(), arch);
}

std::unique_ptr<Model> bind(format::Checkpoint checkpoint, const ArchSpec& arch, Config config,
                            backend::Backend& backend, int64_t context,
                            const LayerBound& layer_bound) {
  const DefaultFloatMode mode;
  auto model = std::make_unique<Model>();
  model->arch = &arch;
  model->config = std::move(config);
  model->context = context;
  model->checkpoint = std::move(checkpoint);
  Binder(*model, backend, layer_bound).run();
  return model;
}

}  // namespace bittern::model
