// The operations of the forward on the CPU. Weights that are W1.58A8 are packed into T2 strips,
// those of block formats into strips of their own codes and scales; all others stay in the mapped
// file and are decoded, row by row, as they are used.
#pragma once

#include <cstdint>
#include <memory>

#include "backend/backend.h"
#include "base/thread_pool.h"
#include "kernel/kernel.h"

namespace bittern::backend {

class PackCache;

struct CpuOptions {
  // Work of a region (multiply-adds, or elements of a row operation times a small factor) below
  // which the caller runs it alone: waking workers would cost more. No bit depends on it.
  int64_t inline_work = 32768;
  // Weights of block formats (Q4_K and the like) stay in the file and are decoded to f32 as they
  // are used, against f32 activations: exact, slow, and what the int8 arithmetic is measured by.
  bool float_activations = false;
  // Where packed weights are looked up and kept; null: nowhere. Must outlive the backend.
  PackCache* cache = nullptr;
};

// `pool` and `table` must outlive the backend. One thread at a time may call it.
std::unique_ptr<Backend> make_cpu_backend(ThreadPool& pool, const kernel::Table& table,
                                          const CpuOptions& options = {});

}  // namespace bittern::backend
