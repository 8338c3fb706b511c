// Every entry of the kernel table with representative arguments: what `bench kernels` times and
// what the instruction counts of tests/bench are taken of. A new entry of kernel::Table needs a
// row here (a test compares the two).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/peak_loops.h"
#include "kernel/kernel.h"

namespace bittern::bench {

// `rows` rows of activations of `columns` elements; `weights` rows of weights where there are any.
struct ProbeShape {
  int64_t rows = 1, columns = 0, weights = 0;
};

// Buffers that the calls read and write, large enough for any shape here. Numbers are such that a
// million calls in place neither overflow nor fade into denormals.
struct ProbeData {
  explicit ProbeData(const ProbeShape& shape);
  std::vector<float> x, y, z, out;
  std::vector<float> cosine, sine, scratch;
  std::vector<int8_t> codes;
  std::vector<int32_t> sums, dots;
  std::vector<uint8_t> strips, blocks;
  std::vector<uint16_t> halves;
  uint64_t features = 0;  // of this machine
};

struct KernelProbe {
  std::string_view entry;    // member of kernel::Table
  std::string_view variant;  // which of its cases, or empty
  // Shapes that models have, and a small one whose instructions are counted one by one.
  ProbeShape large, small;
  void (*run)(const kernel::Table&, ProbeData&, const ProbeShape&);
  // What a call must read and write, and its multiply-adds times two (0: no product of matrices).
  double (*bytes)(const ProbeShape&);
  double (*operations)(const ProbeShape&);
  Arithmetic arithmetic = Arithmetic::float32;

  std::string name() const;                         // "gate silu"
  std::string shape_text(const ProbeShape&) const;  // "1 x 2560"
};

std::span<const KernelProbe> kernel_probes();

}  // namespace bittern::bench
