// Loops that do nothing but multiply and add registers: what the arithmetic units of one core can
// do at most. A kernel's share of the limit is its rate over this. Written in assembly, for two
// reasons: a compiler would fold or spill such loops, and this file may then be compiled without
// instruction-set flags (those are for src/kernel/isa/ alone).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace bittern::bench {

// What is multiplied; a product and its addition are two operations.
enum class Arithmetic { int8, float32, bfloat16 };
std::string_view arithmetic_name(Arithmetic arithmetic);

struct PeakLoop {
  std::string_view name;  // "vpdpbusd zmm"
  std::string_view isa;   // the first kernel table (kernel/select.h) that may use it
  Arithmetic arithmetic;
  uint64_t features;  // bits of cpu::Feature that it needs
  int64_t operations_per_round;
  void (*run)(int64_t rounds);  // at least one
};

// The loops of this architecture; empty where none are written.
std::span<const PeakLoop> peak_loops();

}  // namespace bittern::bench
