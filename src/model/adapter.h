// LoRA adapters bound to a model: linear layer by linear layer the matrices whose product is added
// to what the layer gives, from the same input: after the norms, before any rotation or rounding.
// Rows of one step may use different adapters, several, or none (BatchRow::adapters); what a row
// gets depends on its own alone.
//
// Names and the order of rows are those of the adapter's own container, whatever the model came
// from: a PEFT adapter serves a GGUF model and a GGUF adapter a Hugging Face folder.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend/backend.h"
#include "format/adapter.h"
#include "model/model.h"

namespace bittern::model {

struct Adapter {
  struct Delta {
    std::unique_ptr<backend::LowRank> weights;
    float scale = 1.0f;
  };

  const Model* model = nullptr;
  std::string identity;                                      // of its files, SHA-256
  std::unordered_map<const backend::Linear*, Delta> deltas;  // looked up, never walked
  int64_t rank = 0;                                          // the largest
  int64_t resident_bytes = 0;

  // Null where it leaves the layer as it is.
  const Delta* find(const backend::Linear* linear) const {
    const auto found = deltas.find(linear);
    return found == deltas.end() ? nullptr : &found->second;
  }
};

// Matrices for linear layers of the attention and of a dense ffn. Throws Error{unsupported} naming
// a tensor for any other module (output layer, embedding, experts), Error{bad_input} naming
// expected and got where a shape does not fit, Error{resources}. The file may go afterwards; the
// model must outlive the adapter. May run while the backend computes for others.
std::shared_ptr<const Adapter> bind_adapter(const format::AdapterFile& file, const Model& model,
                                            backend::Backend& backend);

// What one request adds to the model: adapters in this order, each times its scale.
class AdapterSet {
 public:
  struct Entry {
    std::shared_ptr<const Adapter> adapter;
    float scale = 1.0f;
  };
  static constexpr size_t kMost = 8;

  // Throws Error{usage} where there are too many, one is of another model or a scale is no number.
  // Those with a scale of 0 are left out.
  explicit AdapterSet(std::vector<Entry> entries);

  std::span<const Entry> entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }
  // Null where empty.
  const Model* model() const;
  // Two sets with the same text add the same, in this process and in any other.
  const std::string& identity() const { return identity_; }

 private:
  std::vector<Entry> entries_;
  std::string identity_;
};

}  // namespace bittern::model
