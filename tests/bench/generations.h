// Generations of small random models, by which guarantees G2 to G6 are proved for every format: the
// tokens and the hash of the logits that chose them must not depend on the threads, the sequences
// that share the steps, the rows that a prompt is cut into, or the instruction set.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "base/thread_pool.h"
#include "bench/shapes.h"
#include "kernel/kernel.h"
#include "model/model.h"

namespace bittern::test {

// A format that a model's matrices can have.
struct ModelFormat {
  std::string name;  // of the codec, "... f32" where its activations stay floats
  std::string codec;
  bool ternary = false;            // W1.58A8
  bool float_activations = false;  // of a block format
};
// Every one that random models can be made in.
std::vector<ModelFormat> model_formats();

struct Machine {
  const kernel::Table* table = nullptr;
  int threads = 1;
};
// The tables that this processor can run, best first; for bf16 those that add as the best one does
// (kernel/bf16.h: tiles have an order of their own).
std::vector<const kernel::Table*> processor_tables(const ModelFormat& format);

enum class ModelSize : uint8_t {
  // One layer: 5 heads of 32 elements with one of keys, 96 and 224 columns; 4 heads of 64 with 2 of
  // keys and 256 columns where the format's blocks want that.
  small,
  large  // 2 layers, 4 heads of 64 elements with 2 of keys, 256 and 768 columns, 499 tokens
};

class BoundModel {
 public:
  BoundModel(const ModelFormat& format, const Machine& machine, ModelSize size);
  backend::Backend& backend() { return *backend_; }
  const model::Model& model() const { return *model_; }

 private:
  ThreadPool pool_;
  std::unique_ptr<backend::Backend> backend_;
  std::unique_ptr<model::Model> model_;
};

struct Request {
  std::vector<int32_t> prompt;
  int64_t generated = 0;  // tokens
};
// Request 0: 45 tokens and 256 more, across 5 pages and 2 chunks of attention. Request 1: 530
// tokens, more than any chunk. Others: a few dozen positions, each different.
std::vector<Request> requests(int64_t count, int64_t vocabulary);

struct Trace {
  std::vector<int32_t> tokens;
  uint64_t logits = 0;  // of every position that gave a token, in order
  bool operator==(const Trace&) const = default;
};

struct Way {
  int64_t batch = 1;    // requests side by side; each begins some steps after the one before
  int64_t chunk = 512;  // rows of a prompt in a step, at most
  backend::KvType kv = backend::KvType::f16;
};
// What each request gives. Tokens are chosen among a seventh of the vocabulary that changes with
// the position, by the largest logit, so that no text repeats itself.
std::vector<Trace> generate(BoundModel& bound, const std::vector<Request>& asked, const Way& way);

std::string_view kv_name(backend::KvType type);

}  // namespace bittern::test
