// The operations of the forward on the CPU. Weights that are W1.58A8 are packed into T2 strips,
// those of block formats and of bf16 into strips of their own numbers; all others stay in the
// mapped file and are decoded, row by row, as they are used.
#pragma once

#include <cstdint>
#include <memory>

#include "backend/backend.h"
#include "base/thread_pool.h"
#include "kernel/kernel.h"

namespace bittern::backend {

class PackCache;

// When an output layer of f32, f16 or bf16 weights gets a coarse plane (Backend::head): a copy of
// half of a half's size or a quarter of a float's, for reading only that and a few rows in a step.
enum class HeadPlane : uint8_t { where_faster, never, always };

// How ternary weights are packed (kernel/pack.h); layout_probe.h chooses.
enum class TernaryLayout : uint8_t {
  t2,
  t16  // T1.6, where the kernels and the machine have it; else T2
};

struct CpuOptions {
  // Work of a region (multiply-adds, or elements of a row operation times a small factor) below
  // which the caller runs it alone: waking workers would cost more. No bit depends on it.
  int64_t inline_work = 32768;
  // Weights of block formats (Q4_K and the like) and of bf16 stay in the file and are decoded to
  // f32 as they are used, against f32 activations: exact, slow, and what the arithmetic of int8 and
  // of bf16 activations is measured by.
  bool float_activations = false;
  HeadPlane head = HeadPlane::where_faster;
  TernaryLayout ternary = TernaryLayout::t16;
  // Where packed weights are looked up and kept; null: nowhere. Must outlive the backend.
  PackCache* cache = nullptr;
};

// `pool` and `table` must outlive the backend. One thread at a time may call it.
std::unique_ptr<Backend> make_cpu_backend(ThreadPool& pool, const kernel::Table& table,
                                          const CpuOptions& options = {});

}  // namespace bittern::backend
