// The operations of the forward on the CPU. Weights that are W1.58A8 are packed into T2 strips;
// all others stay in the mapped file and are decoded, row by row, as they are used.
#pragma once

#include <cstdint>
#include <memory>

#include "backend/backend.h"
#include "base/thread_pool.h"
#include "kernel/kernel.h"

namespace bittern::backend {

struct CpuOptions {
  // Work of a region (multiply-adds, or elements of a row operation times a small factor) below
  // which the caller runs it alone: waking workers would cost more. No bit depends on it.
  int64_t inline_work = 32768;
};

// `pool` and `table` must outlive the backend. One thread at a time may call it.
std::unique_ptr<Backend> make_cpu_backend(ThreadPool& pool, const kernel::Table& table,
                                          const CpuOptions& options = {});

}  // namespace bittern::backend
