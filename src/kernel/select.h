// Which kernel table runs: the best one whose instructions this machine really executes and
// whose results equal the scalar table's in a self-test. BITTERN_ISA, the name of a candidate,
// forces one, and is refused, never replaced, where it cannot run.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/log.h"
#include "kernel/kernel.h"

namespace bittern::kernel {

struct Candidate {
  const Table* table;
  uint64_t features;   // bits of cpu::Feature that it needs
  uint64_t suits = 0;  // those of machines that it is for: taken elsewhere only by name
};

// Every table of this build, best first; the last one is scalar.
std::span<const Candidate> candidates();

// Runs every entry once on small odd shapes and compares the bits with scalar_table. Nothing
// where all are equal, else the name of the first entry that differs.
std::optional<std::string> self_test(const Table& table);
// The part of it for more rows than a tile of a matrix unit has.
std::optional<std::string> tile_test(const Table& table);
// The same for a kernel of T1.6 strips.
bool dense_works(const DenseTernary& dense);
bool dense_tile_test(const DenseTernary& dense);
// The same for a kernel of bf16 weights.
bool bf16_works(const Bf16Kernels& kernels);

// The kernel of T1.6 strips that `table` is faster with than with T2, where this machine has the
// `features` that it needs and its results equal the scalar kernel's; else null.
const DenseTernary* select_dense(const Table& table, uint64_t features);

// `first`, or the first of its fallbacks that needs nothing beyond `features`.
const Bf16Kernels& supported_bf16(const Bf16Kernels& first, uint64_t features);
// The kernel of bf16 weights: the first of the table's that a machine with these `features` has and
// that gives the results of the scalar kernel of its order.
const Bf16Kernels& select_bf16(const Table& table, uint64_t features);

// Chooses among the candidates for a machine with `features`; `forced` is the name of a table.
// Throws usage for an unknown name, unsupported (naming what is missing) where a forced table
// cannot run here. A candidate that fails its self-test is passed over with a warning.
const Table& select(uint64_t features, const std::optional<std::string>& forced, const Log& log);

// For this machine and environment.
const Table& select(const Log& log);

}  // namespace bittern::kernel
