// What the backend tests share: tensors in any codec, a backend of any table and thread count,
// and plain double-precision versions of what it computes.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/cpu_backend.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "codec/tensor_view.h"
#include "kernel/kernel.h"
#include "same_bits.h"

namespace bittern::test {

// A tensor that owns its bytes.
class OwnedTensor {
 public:
  OwnedTensor(codec::Id id, int64_t rows, int64_t columns, const std::vector<float>& values);
  OwnedTensor(const OwnedTensor&) = delete;
  OwnedTensor& operator=(const OwnedTensor&) = delete;
  const TensorView& view() const { return view_; }
  // What the codec decodes.
  std::vector<float> values() const;

 private:
  std::vector<std::byte> bytes_;
  TensorView view_;
};

// A backend with its pool; regions always go to the pool, however small.
struct Machine {
  Machine(int threads, const kernel::Table& table, bool float_activations = false);
  ThreadPool pool;
  std::unique_ptr<backend::Backend> backend;
};

// The table that this machine would choose.
const kernel::Table& best_table();

// Calls body for every table this machine can run and for 1 to 4 threads.
void on_every_machine(const std::function<void(Machine&)>& body, bool float_activations = false);

std::vector<float> random_values(random::Sequence& draw, int64_t count, float range);

// The buffers of Activations.
class OwnedActivations {
 public:
  OwnedActivations(int64_t count, int64_t width, const std::vector<float>& values);
  backend::Activations in;

 private:
  std::vector<float> values_;
  std::vector<int8_t> codes_;
  std::vector<float> inverse_scales_, block_scales_;
  std::vector<int32_t> sums_, block_sums_;
  std::vector<float> block_scaled_sums_;
  std::vector<int32_t> block_starts_;
};

// y [count, out_size] of one linear layer.
std::vector<float> run_linear(Machine& machine, const backend::Linear& linear, int64_t count,
                              const std::vector<float>& in);

// -1, 0 or 1 for each value.
std::vector<int> signs_of(const std::vector<float>& values);
// y [count, rows] by W1.58A8 as backend.h states it, one output at a time: weights -1, 0 and 1, one
// scale for each row of them, activations int8 by the row; bias [rows], or empty.
std::vector<float> plain_ternary(const std::vector<int>& weights,
                                 const std::vector<float>& row_scales,
                                 const std::vector<float>& bias, int64_t columns, int64_t count,
                                 const std::vector<float>& in);

}  // namespace bittern::test
