// bf16 products in portable C++, in the order of AMX tiles: the truth of the kernels that have it.

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
      for (int64_t first = 0; first < job.columns; first += kBf16Chunk) {
        float even = 0.0f, odd = 0.0f;
        for (int64_t k = first; k < first + kBf16Chunk; k += 2) {
          even = flushed_fma(weight_at(job, n, k), input_at(job, row, k), even);
          odd = flushed_fma(weight_at(job, n, k + 1), input_at(job, row, k + 1), odd);
        }
        total = flushed_sum(total, flushed_sum(even, odd));
      }
      job.out[row * job.stride + n] = job.bias == nullptr ? total : total + job.bias[n];
    }
  }
}

}  // namespace

constinit const Bf16Kernels scalar_tilebfloat = {.name = "scalar tiles",
                                                 .order = Bf16Order::tiles,
                                                 .needs = Bf16Needs::nothing,
                                                 .dots = bf16_dots,
                                                 .encode = bf16_encode,
                                                 .fallback = nullptr};

}  // namespace bittern::kernel
