// One step of a model over a batch of rows. Reads like the paper; knows no architecture name and
// no instruction set. Rows of several sequences may stand in any order in one step, but those of
// one sequence in ascending position.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "backend/backend.h"
#include "model/model.h"
#include "model/sequence.h"

namespace bittern::model {

class AdapterSet;

struct BatchRow {
  int32_t token = 0;
  int32_t position = 0;
  SequenceState* sequence = nullptr;  // must already have the pages for `position`
  bool wants_logits = false;
  const AdapterSet* adapters = nullptr;  // null: the model alone
};

// Observes values inside a step (importance matrices, evaluation, golden tests).
class Taps {
 public:
  virtual ~Taps() = default;
  // The input of a named linear ("blk.3.ffn_down"), told after it ran: of a ternary linear the
  // int8 codes are there too (input.quantised).
  virtual void linear_input(std::string_view name, const backend::Activations& input) = 0;
  // The hidden state [count, hidden_size] after a layer; layer -1 is the embedding.
  virtual void layer_output(int64_t layer, const float* hidden, int64_t count) = 0;
};

// The buffers of a step of at most `max_rows` rows; allocated once.
class Workspace {
 public:
  Workspace(const Model& model, int64_t max_rows);
  ~Workspace();
  int64_t max_rows() const;
  static int64_t bytes(const Config& config, int64_t max_rows);

 private:
  friend class Step;
  struct Buffers;
  std::unique_ptr<Buffers> buffers_;
};

// Runs the rows (at most workspace.max_rows()) through all layers, storing their keys and values,
// and writes the logits of the rows that want them to `logits` [wanting rows, vocab_size] in row
// order (may be null where none does). Raises each sequence's length to what is stored. With
// `cuts`, one for each wanting row, only the logits that they name are right, the others may be
// -infinity (Backend::head); whoever taps gets whole rows. Allocates nothing unless tapped.
void forward(const Model& model, backend::Backend& backend, backend::KvStore& store,
             std::span<const BatchRow> rows, Workspace& workspace, float* logits,
             Taps* taps = nullptr, std::span<const backend::HeadCut> cuts = {});

// Layers [first, end) of a model.
struct LayerRange {
  int64_t first = 0;
  int64_t end = 0;
};

// A part of the model, or hidden states instead of logits. `hidden` is [rows, hidden_size]: read
// where the range does not start at layer 0 (else the tokens are embedded), and written with what
// the range leaves, the output norm applied where the range ends the model and it has one. Logits
// as in forward() where the range ends the model; may be null.
//
// Encoders (Config::mask bidirectional) have no logits and see what is stored: all rows of a text
// must stand in one step, positions 0 to count - 1 of a fresh sequence.
void forward_layers(const Model& model, backend::Backend& backend, backend::KvStore& store,
                    std::span<const BatchRow> rows, Workspace& workspace, LayerRange layers,
                    float* hidden, float* logits = nullptr, Taps* taps = nullptr);

}  // namespace bittern::model
