// Packed Hugging Face BitNet linears arrive as uint8 [ceil(R/4), C] beside `weight_scale` [1];
// they become a view with codec hf_ternary, shape [R, C] and the scale turned into the
// multiplying convention (Config::scale_rule).
//
// Parts of fused tensors are row orders over the whole; where the rows follow one another and the
// codec has rows of their own, a view of just these bytes, which the kernels read directly. A
// ternary tensor stays whole: its scale is that of all its rows.
#include "model/tensor_reader.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "model/bind.h"
#include "model/fused.h"

namespace bittern::model {
namespace {

std::string shape_text(std::span<const int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

// Rotary and mask buffers that old checkpoints carry, computed here; and what an encoder was
// trained with, of which its hidden states need nothing.
bool is_known_extra(std::string_view name) {
  const bool of_training = name.find("pooler.dense.") != std::string_view::npos ||
                           name.starts_with("cls.predictions.") ||
                           name.starts_with("cls.seq_relationship.");
  return of_training || name.ends_with(".rotary_emb.inv_freq") || name.ends_with(".attn.bias") ||
         name.ends_with(".attention.bias") || name.ends_with(".masked_bias") ||
         name.ends_with("embeddings.position_ids") || name == "rope_freqs.weight" ||
         name == "rope_factors_long.weight" || name == "rope_factors_short.weight";
}

bool has_rows_of_its_own(const TensorView& view) { return codec::get(view.codec).block_bytes > 0; }

// The rows of a matrix, or elements of a vector, [first, first + count) as a view.
TensorView slice(const TensorView& view, int64_t first, int64_t count) {
  TensorView part = view;
  const codec::Codec& codec = codec::get(view.codec);
  const bool is_vector = view.shape.size() == 1;
  const int64_t row_bytes = codec.tensor_bytes(1, is_vector ? 1 : view.columns()).value_or(0);
  part.shape =
      is_vector ? std::vector<int64_t>{count} : std::vector<int64_t>{count, view.columns()};
  part.bytes = view.bytes.subspan(static_cast<size_t>(first * row_bytes),
                                  static_cast<size_t>(count * row_bytes));
  return part;
}

bool are_consecutive(const std::vector<int32_t>& rows) {
  return std::ranges::adjacent_find(rows, [](int32_t a, int32_t b) { return b != a + 1; }) ==
         rows.end();
}

}  // namespace

TensorReader::TensorReader(Model& model, backend::Backend& backend)
    : model_(model),
      backend_(backend),
      config_(model.config),
      from_gguf_(model.checkpoint.container == format::Container::gguf),
      names_(from_gguf_ ? *model.arch->gguf : *model.arch->hf),
      prefix_(names_.prefix) {
  if (from_gguf_ || has_module(module(names_.embedding))) return;
  for (const std::string_view other : model.arch->hf_prefixes) {
    prefix_ = other;
    if (has_module(module(names_.embedding))) return;
  }
  prefix_ = names_.prefix;
}

std::string TensorReader::spelled(std::string_view name) const {
  if (!names_.prefix.empty() && name.starts_with(names_.prefix))
    return fmt::format("{}{}", prefix_, name.substr(names_.prefix.size()));
  return std::string(name);
}

std::string TensorReader::module(std::string_view pattern, int64_t layer, int64_t item) const {
  if (pattern.empty()) return "";
  std::string first;
  for (size_t start = 0; start <= pattern.size();) {
    const size_t end = std::min(pattern.find('|', start), pattern.size());
    std::string name = spelled(pattern.substr(start, end - start));
    if (layer >= 0) name = module_name(name, layer);
    if (item >= 0) name = module_name(name, item);
    if (has_module(name)) return name;
    if (start == 0) first = std::move(name);
    start = end + 1;
  }
  return first;
}

bool TensorReader::has_module(const std::string& module) const {
  const std::string weight = module + ".weight";
  return model_.checkpoint.find(weight) != nullptr ||
         model_.checkpoint.find_opaque(weight) != nullptr;
}

std::string TensorReader::tensor(std::string_view pattern, int64_t layer) const {
  return module_name(spelled(pattern), layer);
}

const TensorView* TensorReader::find(const std::string& name) {
  const TensorView* tensor = model_.checkpoint.find(name);
  if (tensor != nullptr) used_.insert(tensor->name);
  if (const format::OpaqueTensor* opaque = model_.checkpoint.find_opaque(name)) {
    fail(ErrorKind::unsupported, "{}: tensor '{}': {} is not supported yet", config_.file,
         printable(name), opaque->type);
  }
  return tensor;
}

const TensorView& TensorReader::require(const std::string& name) {
  const TensorView* tensor = find(name);
  if (tensor == nullptr) {
    bad_input("{}: {}: expected a tensor ({} needs it), got nothing", config_.file, name,
              printable(config_.architecture));
  }
  return *tensor;
}

void TensorReader::require_shape(const TensorView& tensor, std::vector<int64_t> shape) const {
  if (!std::ranges::equal(tensor.shape, shape)) {
    bad_input("{}: {}: expected shape {}, got {}", config_.file, printable(tensor.name),
              shape_text(shape), shape_text(tensor.shape));
  }
}

void TensorReader::require_real(const TensorView& tensor) const {
  const codec::Codec& codec = codec::get(tensor.codec);
  if (!codec.real) {
    bad_input("{}: {}: expected real numbers, got {}", config_.file, printable(tensor.name),
              codec.name);
  }
}

std::vector<float> TensorReader::vector(const TensorView& tensor, int64_t size) const {
  require_real(tensor);
  require_shape(tensor, {size});
  std::vector<float> values(static_cast<size_t>(size));
  decode_rows(tensor, 0, 1, values.data());
  return values;
}

// A positive finite scalar tensor.
float TensorReader::scalar(const TensorView& tensor) const {
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

Norm TensorReader::norm(const std::string& module, int64_t size) {
  Norm norm = {.present = true, .weight = vector(require(module + ".weight"), size), .bias = {}};
  if (!from_gguf_ && model_.arch->hf_norm_plus_one)
    for (float& weight : norm.weight) weight += 1.0f;
  if (config_.norm_bias) norm.bias = vector(require(module + ".bias"), size);
  return norm;
}

Norm TensorReader::head_norms(std::string_view pattern, int64_t layer, int64_t head_count,
                              int64_t head_dim) {
  Norm all = {.present = true, .weight = {}, .bias = {}};
  const bool is_numbered = pattern.find("{}") != pattern.rfind("{}");
  if (!is_numbered) {
    const TensorView& tensor = require(module(pattern, layer) + ".weight");
    require_real(tensor);
    require_shape(tensor, {head_count, head_dim});
    all.weight.resize(static_cast<size_t>(head_count * head_dim));
    decode_rows(tensor, 0, head_count, all.weight.data());
    return all;
  }
  for (int64_t head = 0; head < head_count; ++head) {
    const auto weight = vector(require(module(pattern, layer, head) + ".weight"), head_dim);
    all.weight.insert(all.weight.end(), weight.begin(), weight.end());
  }
  return all;
}

const TensorView& TensorReader::table(const std::string& module, int64_t rows, int64_t columns) {
  const TensorView& tensor = require(module + ".weight");
  require_real(tensor);
  const bool is_matrix = tensor.shape.size() == 2 && tensor.columns() == columns;
  if (!is_matrix || tensor.rows() < rows) {
    bad_input("{}: {}: expected at least {} rows of {}, got {}", config_.file,
              printable(tensor.name), rows, columns, shape_text(tensor.shape));
  }
  return tensor;
}

const TensorView* TensorReader::keep(TensorView view) {
  model_.views.push_back(std::move(view));
  return &model_.views.back();
}

// [in, out] turned into [out, in], in memory of the model's own.
TensorView TensorReader::transposed(const TensorView& tensor) {
  if (const auto known = turned_.find(tensor.name); known != turned_.end()) return known->second;
  const codec::Codec& codec = codec::get(tensor.codec);
  if (codec.block_elements != 1) {
    fail(ErrorKind::unsupported,
         "{}: {}: expected plain numbers (the matrix is transposed), got {}", config_.file,
         printable(tensor.name), codec.name);
  }
  const auto size = static_cast<size_t>(codec.block_bytes);
  const auto rows = static_cast<size_t>(tensor.rows());
  const auto columns = static_cast<size_t>(tensor.columns());
  auto& bytes = model_.checkpoint.buffers.emplace_back(rows * columns * size);
  for (size_t column = 0; column < columns; ++column) {
    for (size_t row = 0; row < rows; ++row) {
      std::memcpy(bytes.data() + (column * rows + row) * size,
                  tensor.bytes.data() + (row * columns + column) * size, size);
    }
  }
  model_.copied_weight_bytes += static_cast<int64_t>(bytes.size());
  release_source(tensor);
  TensorView view = tensor;
  std::swap(view.shape[0], view.shape[1]);
  view.bytes = bytes;
  turned_.emplace(tensor.name, view);
  return view;
}

// The weight of a linear as a view with its logical shape and multiplying scale.
TensorView TensorReader::weight_view(const std::string& module, const LinearShape& shape) {
  const TensorView& tensor = require(module + ".weight");
  TensorView view = tensor;
  const int64_t rows = shape.stored_rows > 0 ? shape.stored_rows : shape.out;
  if (shape.ternary && !from_gguf_ && tensor.codec == codec::Id::u8) {
    require_shape(tensor, {(rows + 3) / 4, shape.in});
    view.codec = codec::Id::hf_ternary;
    view.shape = {rows, shape.in};
  } else if (names_.transposed) {
    require_real(tensor);
    require_shape(tensor, {shape.in, rows});
    view = transposed(tensor);
  } else {
    require_real(tensor);
    require_shape(tensor, {rows, shape.in});
  }
  if (from_gguf_) {
    if (const TensorView* scale = find(module + ".scale")) view.scale = scalar(*scale);
  } else if (shape.ternary) {
    const TensorView* scale = find(module + ".weight_scale");
    if (scale == nullptr && view.codec == codec::Id::hf_ternary) require(module + ".weight_scale");
    if (scale != nullptr) {
      const float value = scalar(*scale);
      view.scale = config_.scale_rule == ScaleRule::multiply ? value : 1.0f / value;
    }
  }
  return view;
}

std::unique_ptr<backend::Linear> TensorReader::linear(const std::string& module,
                                                      LinearShape shape) {
  TensorView view = weight_view(module, shape);
  backend::LinearSource source;
  // I2_S exists for BitNet only: its presence says W1.58A8 even in a "llama" file.
  source.ternary = shape.ternary || codec::is_i2_s(view.codec);
  source.head = shape.head;
  const std::string bias_name = module + ".bias";
  source.bias = from_gguf_ ? find(bias_name) : shape.needs_bias ? &require(bias_name) : nullptr;
  if (source.bias != nullptr) {
    require_real(*source.bias);
    require_shape(*source.bias, {view.rows()});
  }
  const bool is_slice =
      !shape.rows.empty() && are_consecutive(shape.rows) && !source.ternary &&
      has_rows_of_its_own(view) &&
      (source.bias == nullptr || codec::get(source.bias->codec).block_elements == 1);
  if (is_slice) {
    view = slice(view, shape.rows.front(), shape.out);
    if (source.bias != nullptr)
      source.bias = keep(slice(*source.bias, shape.rows.front(), shape.out));
  } else {
    source.row_order = std::move(shape.rows);
  }
  source.weight = keep(std::move(view));
  auto packed = pack(std::move(source));
  packed->rotated = is_rotated(module + ".weight");
  return packed;
}

std::unique_ptr<backend::Linear> TensorReader::linear_slice(const TensorView& stacked,
                                                            int64_t first, int64_t out) {
  if (!has_rows_of_its_own(stacked)) {
    fail(ErrorKind::unsupported, "{}: {}: expected a number format with rows, got {}", config_.file,
         printable(stacked.name), codec::get(stacked.codec).name);
  }
  backend::LinearSource source;
  source.weight = keep(slice(stacked, first, out));
  auto packed = pack(std::move(source));
  packed->rotated = is_rotated(stacked.name);
  return packed;
}

bool TensorReader::is_rotated(const std::string& weight) {
  const auto& rotation = model_.checkpoint.rotation;
  if (!rotation || std::ranges::find(rotation->weights, weight) == rotation->weights.end())
    return false;
  rotated_.insert(weight);
  return true;
}

// One left over would be multiplied as it stands, which gives fluent nonsense.
void TensorReader::require_all_rotated_read() const {
  if (!model_.checkpoint.rotation) return;
  for (const std::string& weight : model_.checkpoint.rotation->weights) {
    if (rotated_.contains(weight)) continue;
    fail(ErrorKind::unsupported,
         "{}: prism.hadamard.weight_names: expected linear layers of {}, got '{}'", config_.file,
         printable(config_.architecture), printable(weight));
  }
}

// What packing finds wrong (an invalid code, a scale that is not finite) is a fault of the file.
std::unique_ptr<backend::Linear> TensorReader::pack(backend::LinearSource source) {
  source.file = file_of(*source.weight);
  try {
    return backend_.pack(source);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::bad_input) throw;
    bad_input("{}: {}", config_.file, error.message());
  }
}

const FileMap* TensorReader::file_of(const TensorView& tensor) const {
  for (const FileMap& map : model_.checkpoint.maps) {
    const Bytes file = map.bytes();
    if (tensor.bytes.data() >= file.data() && tensor.bytes.data() < file.data() + file.size())
      return &map;
  }
  return nullptr;
}

// What was copied is read no more where it lies in a mapped file: the pages may go, so that no
// second copy stays resident. Tensors built in memory are left alone.
void TensorReader::release_source(const TensorView& tensor) {
  if (file_of(tensor) != nullptr) FileMap::release(tensor.bytes);
}

std::vector<std::string> TensorReader::unused() const {
  std::vector<std::string> names;
  for (const TensorView& tensor : model_.checkpoint.tensors) {
    if (!used_.contains(tensor.name) && !is_known_extra(tensor.name)) names.push_back(tensor.name);
  }
  return names;
}

}  // namespace bittern::model
