// bf16 products with NEON: fused multiply-adds in f32. A virtual vector is four q registers; a tile
// is one strip x 5 rows, 20 accumulators, and takes 4 loads, 5 broadcasts and 20 FMLA a column.
//
// FPCR.FZ flushes as the unit for bf16 does, but for results that only rounding makes normal: those
// are flushed here and not there. Every flushed result raises FPSR.UFC, so a call that finds it
// raised is done again by the scalar kernel; nothing raises it in ordinary weights.
// The speed of this is unverified: it has run under an emulator only.

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/bf16.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_neon.inl"

constexpr int kTileStrips = 1, kTileRows = 5;
constexpr int kFewStrips = 1, kFewRows = 4;
constexpr int64_t kDirectRows = kFewRows;

#include "kernel/isa/bf16_encode.inl"

#include "kernel/isa/bf16_totals.inl"

#include "kernel/isa/bf16_fma.inl"

// The registers of mode and status; "memory" keeps what is computed on its side of them.
[[gnu::always_inline]] inline uint64_t read_mode() {
  uint64_t word;
  asm volatile("mrs %0, fpcr" : "=r"(word) : : "memory");
  return word;
}
[[gnu::always_inline]] inline void write_mode(uint64_t word) {
  asm volatile("msr fpcr, %0" : : "r"(word) : "memory");
}
[[gnu::always_inline]] inline uint64_t read_status() {
  uint64_t word;
  asm volatile("mrs %0, fpsr" : "=r"(word) : : "memory");
  return word;
}
[[gnu::always_inline]] inline void write_status(uint64_t word) {
  asm volatile("msr fpsr, %0" : : "r"(word) : "memory");
}

void bf16_dots(const Bf16Dots& job) {
  constexpr uint64_t kFlushToZero = 1u << 24, kUnderflow = 1u << 3;
  const uint64_t mode = read_mode(), status = read_status();
  write_mode(kFlushToZero);
  write_status(status & ~kUnderflow);
  multiply(job);
  const bool flushed = (read_status() & kUnderflow) != 0;
  write_status(status);
  write_mode(mode);
  if (flushed) return scalar_bfloat.dots(job);
  write_totals(job);
}

}  // namespace

constinit const Bf16Kernels neon_bfloat = {.name = "neon",
                                           .order = Bf16Order::pairs,
                                           .needs = Bf16Needs::nothing,
                                           .dots = bf16_dots,
                                           .encode = bf16_encode,
                                           .fallback = nullptr};

}  // namespace bittern::kernel
