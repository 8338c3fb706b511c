// Running tests/data/models through forward() and holding the logits against the stored ones.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/thread_pool.h"
#include "format/checkpoint.h"
#include "kernel/kernel.h"
#include "model/bind.h"
#include "model/forward.h"
#include "model/model.h"
#include "model/sequence.h"

namespace bittern::test {

// Logits of every position of one run, [ids.size(), vocab]; of an encoder its hidden states
// [ids.size(), hidden_size], whose width is then called `vocab`.
struct Golden {
  std::vector<int32_t> ids;
  int64_t vocab = 0;
  std::vector<float> logits;
};
Golden read_golden(const std::string& name);  // "llama/golden.bin", below tests/data/models

// A folder or file below tests/data/models, opened; `config` names another config.json in it.
format::Checkpoint open_case(const std::string& name, const std::string& config = "");

// Binds as Model::load does, without tokenizer. Context 0: the model's maximum.
std::unique_ptr<model::Model> bind_case(format::Checkpoint checkpoint, backend::Backend& backend,
                                        int64_t context = 0);

// The CPU backend with a pool of its own. Regions are never run inline, so that `threads` really
// share the work of these tiny models.
class Cpu {
 public:
  // Table null: the best here. `float_activations` as in CpuOptions.
  explicit Cpu(int threads = 1, const kernel::Table* table = nullptr,
               bool float_activations = false);
  backend::Backend& operator*() { return *backend_; }

 private:
  ThreadPool pool_;
  std::unique_ptr<backend::Backend> backend_;
};
// The kernel tables that this machine can run, best first.
std::vector<const kernel::Table*> runnable_tables();

// A model with a store, pages and buffers of its own.
class Runner {
 public:
  Runner(const model::Model& model, backend::Backend& backend,
         backend::KvType type = backend::KvType::f32, int64_t max_rows = 64);

  // Logits (encoders: hidden states) of all positions of a fresh sequence, run in chunks of `chunk`
  // rows (0: all at once).
  std::vector<float> run(const std::vector<int32_t>& ids, int64_t chunk = 0,
                         model::Taps* taps = nullptr);
  // The same for several sequences whose rows are dealt into steps in the order of a generator
  // seeded with `seed`; result [sequence]. Each with its adapters, where given.
  std::vector<std::vector<float>> run_interleaved(
      const std::vector<std::vector<int32_t>>& prompts, uint64_t seed,
      const std::vector<const model::AdapterSet*>& adapters = {});
  model::PagePool& pages() { return pages_; }

  const model::AdapterSet* adapters = nullptr;  // of run()

 private:
  const model::Model& model_;
  backend::Backend& backend_;
  model::PagePool pages_;
  std::unique_ptr<backend::KvStore> store_;
  model::Workspace workspace_;
};

// max |a - b| over the range (largest - smallest) of the golden logits.
double relative_error(const Golden& golden, const std::vector<float>& logits);

}  // namespace bittern::test
