// What one step of a model must read and compute at the very least, whatever the kernels do: the
// numbers that turn a time into bytes and operations a second.
//
//   bytes       every weight that a linear layer keeps, once (in the layout it runs from), and the
//               keys and values that the rows see, once for each row; of an output layer that is
//               read by its coarse plane, that plane and the rows of weights that were read in full
//   operations  two for each weight and row, four for each query element and position (scores and
//               values); split by the arithmetic that the layer's kernel uses
//
// Not counted: activations, norms, rotations, sampling. Of a layer with experts those that the
// rows can reach at most.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "backend/backend.h"
#include "bench/limits.h"
#include "model/model.h"

namespace bittern::bench {

struct StepWork {
  double bytes = 0.0;
  double int8_operations = 0.0, float32_operations = 0.0, bfloat16_operations = 0.0;

  double operations() const { return int8_operations + float32_operations + bfloat16_operations; }
  StepWork& operator+=(const StepWork& other);
};

// A step over rows that stand at these positions (each in its own sequence or in one), the last
// `logit_rows` of which want logits; less its output layer.
StepWork work_of_body(const model::Model& model, backend::KvType kv_type,
                      std::span<const int64_t> positions);
// The output layer for `logit_rows` rows of a step: `refined` rows of weights beside the coarse
// plane, or the whole layer where that is nothing.
StepWork work_of_head(const model::Model& model, double logit_rows, std::optional<double> refined);
// Both, the whole output layer.
StepWork work_of_step(const model::Model& model, backend::KvType kv_type,
                      std::span<const int64_t> positions, int64_t logit_rows);

// A product of `rows` rows with one linear layer.
StepWork work_of_linear(const backend::Linear& linear, double rows);

// By the name that Linear::kernel gives: "ternary/avx512-vnni", "float/avx512". Kernels of bf16
// without an instruction for it ("bf16/avx512") count as float32.
Arithmetic arithmetic_of_kernel(std::string_view kernel);

// The least time that the limits allow: memory and arithmetic side by side. Zero parts where a
// limit is not known.
struct LeastTime {
  double memory_seconds = 0.0, compute_seconds = 0.0;
};
LeastTime least_time(const StepWork& work, const Limits& limits);

}  // namespace bittern::bench
