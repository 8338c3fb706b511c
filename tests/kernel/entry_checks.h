// One check for each function of the kernel table (guarantees G1 and G6): a table's function and
// the scalar table's are given the same inputs, meant to break them, and must leave the same bits.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kernel/kernel.h"
#include "kernel/kernel_support.h"

namespace bittern::kernel {

struct EntryCheck {
  const char* entry;                // "Table.rms_norm", "RealKernels.dots"
  void (*run)(const Table& table);  // fails the running test
};

std::span<const EntryCheck> row_checks();
std::span<const EntryCheck> integer_checks();
std::span<const EntryCheck> float_checks();
std::span<const EntryCheck> attention_checks();

// Values that a kernel could treat in its own way; each fills a whole vector.
struct Fill {
  const char* name;
  std::vector<float> (*make)(random::Sequence& draw, int64_t count);
};
std::span<const Fill> fills();

// Codes of activations: random in [-127, 127], or all of one value, or one 127 among zeros.
inline constexpr int kRandom = 1000, kOneHuge = 1001;
inline constexpr int kCodeFills[] = {kRandom, 127, -127, 1, 0, kOneHuge};
std::vector<int8_t> codes_of(random::Sequence& draw, int64_t count, int fill);

// Equal bits, except that one NaN is as good as another: which payload an operation of two of them
// passes on is the compiler's choice of operands.
testing::AssertionResult same_numbers(const std::vector<float>& a, const std::vector<float>& b);

}  // namespace bittern::kernel
