// The probes of kernel_probe.h by what they probe, a file each (probes_*.cc), and what their calls
// read, write and multiply.
#pragma once

#include <cstdint>
#include <span>

#include "bench/kernel_probe.h"

namespace bittern::bench {

std::span<const KernelProbe> linear_probes();     // products of matrices, and what codes their rows
std::span<const KernelProbe> row_probes();        // decoders, and operations on rows
std::span<const KernelProbe> attention_probes();  // products with panels, softmax, joins

inline double no_operations(const ProbeShape&) { return 0.0; }
inline double dot_operations(const ProbeShape& s) {
  return 2.0 * static_cast<double>(s.rows * s.columns * s.weights);
}

// An element read and one written, both floats.
inline double row_bytes(const ProbeShape& s) { return 8.0 * static_cast<double>(s.columns); }
inline double two_row_bytes(const ProbeShape& s) { return 12.0 * static_cast<double>(s.columns); }
// Coded elements, 32 of them in so many bits, and the floats they become.
template <int kBitsOf32>
double coded_bytes(const ProbeShape& s) {
  return (kBitsOf32 / 256.0 + 4.0) * static_cast<double>(s.columns);
}
template <int64_t kBytes>
double weight_bytes(const ProbeShape& s) {
  return static_cast<double>(kBytes * s.weights * s.columns);
}

}  // namespace bittern::bench
