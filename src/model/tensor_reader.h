// From names to weights: finds a family's tensors under the spelling that the file has, holds
// every shape and number format against what the configuration implies, and hands them to the
// packer as views. Nothing is trusted, and nothing but transposed weights is copied.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "backend/backend.h"
#include "model/arch.h"
#include "model/model.h"

namespace bittern::model {

// A linear layer to be read: [out, in] of a tensor [stored_rows, in].
struct LinearShape {
  int64_t out = 0, in = 0;
  bool ternary = false;
  bool needs_bias = false;
  bool head = false;               // the output layer
  int64_t stored_rows = 0;         // 0: `out`
  std::vector<int32_t> rows = {};  // of the stored ones; empty: as stored
};

class TensorReader {
 public:
  TensorReader(Model& model, backend::Backend& backend);

  const TensorNames& names() const { return names_; }
  bool from_gguf() const { return from_gguf_; }
  // A pattern's module in this file: layer and item number filled in, the prefix and the
  // alternative that the file has (the first where it has none). Empty where the pattern is.
  std::string module(std::string_view pattern, int64_t layer = -1, int64_t item = -1) const;
  bool has_module(const std::string& module) const;
  // The same for a pattern of whole tensor names, which has no alternatives.
  std::string tensor(std::string_view pattern, int64_t layer) const;

  // Null where absent; Error{unsupported} where its number format has no codec.
  const TensorView* find(const std::string& name);
  const TensorView& require(const std::string& name);
  void require_shape(const TensorView& tensor, std::vector<int64_t> shape) const;
  void require_real(const TensorView& tensor) const;

  Norm norm(const std::string& module, int64_t size);
  // A weight [head_dim] for each head, no bias: in one tensor, or where the pattern numbers the
  // heads in a tensor each.
  Norm head_norms(std::string_view pattern, int64_t layer, int64_t head_count, int64_t head_dim);
  // A table of real numbers with at least `rows` rows.
  const TensorView& table(const std::string& module, int64_t rows, int64_t columns);

  std::unique_ptr<backend::Linear> linear(const std::string& module, LinearShape shape);
  // Rows [first, first + out) of a tensor that holds several matrices.
  std::unique_ptr<backend::Linear> linear_slice(const TensorView& stacked, int64_t first,
                                                int64_t out);
  std::unique_ptr<backend::Linear> pack(backend::LinearSource source);

  // Whether the file names the weight as rotated; each must be asked for in the end.
  bool is_rotated(const std::string& weight);
  void require_all_rotated_read() const;
  // What no call asked for, known extras aside.
  std::vector<std::string> unused() const;

 private:
  std::string spelled(std::string_view name) const;
  std::vector<float> vector(const TensorView& tensor, int64_t size) const;
  float scalar(const TensorView& tensor) const;
  TensorView weight_view(const std::string& module, const LinearShape& shape);
  TensorView transposed(const TensorView& tensor);
  const TensorView* keep(TensorView view);
  // What a tensor lies in; null where it was made in memory.
  const FileMap* file_of(const TensorView& tensor) const;
  void release_source(const TensorView& tensor);

  Model& model_;
  backend::Backend& backend_;
  const Config& config_;
  bool from_gguf_;
  const TensorNames& names_;
  std::string_view prefix_;  // what stands for names_.prefix in this file
  std::unordered_set<std::string_view> used_;
  std::unordered_set<std::string> rotated_;  // weights that is_rotated() said yes to
  std::unordered_map<std::string_view, TensorView> turned_;  // by name, what transposed() made
};

}  // namespace bittern::model
