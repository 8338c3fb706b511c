// bf16 products in portable C++, in the order of pairs: the truth the other tables are held to.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/bf16.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_scalar.inl"

#include "kernel/isa/bf16_encode.inl"

#include "kernel/isa/bf16_soft.inl"

void bf16_dots(const Bf16Dots& job) {
  for (int64_t row = 0; row < job.rows; ++row) {
    for (int64_t n = 0; n < job.outputs; ++n) {
      float total = 0.0f;
      for (int64_t k = 0; k < job.columns; k += 2) {
        total = flushed_fma(weight_at(job, n, k + 1), input_at(job, row, k + 1), total);
        total = flushed_fma(weight_at(job, n, k), input_at(job, row, k), total);
      }
      job.out[row * job.stride + n] = job.bias == nullptr ? total : total + job.bias[n];
    }
  }
}

}  // namespace

constinit const Bf16Kernels scalar_bfloat = {.name = "scalar",
                                             .order = Bf16Order::pairs,
                                             .needs = Bf16Needs::nothing,
                                             .dots = bf16_dots,
                                             .encode = bf16_encode,
                                             .fallback = nullptr};

}  // namespace bittern::kernel
