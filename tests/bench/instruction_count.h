// Instructions of a call, counted by running it one instruction at a time under ptrace. The count
// does not depend on the machine's clock, load or neighbours, so that a kernel which grew is found
// on any of them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernel/kernel.h"

namespace bittern::test {

// How many instructions each of the calls executes, made once before, one after the other in a
// child process. Nothing where the system forbids tracing, or on a processor other than x86-64.
std::optional<std::vector<int64_t>> count_instructions(
    const std::vector<std::function<void()>>& calls);

// One line of tests/bench/instruction_counts.txt.
struct CountRow {
  std::string compiler;  // "g++ 12.2"
  std::string isa, kernel;
  int64_t instructions = 0;
  bool same_kernel(const CountRow& other) const {
    return compiler == other.compiler && isa == other.isa && kernel == other.kernel;
  }
};
std::string to_line(const CountRow& row);

// The compiler of this build; empty where its code is not what users run (debug, sanitizers).
std::string counted_compiler();

// Every probe of bench/kernel_probe.h, small shapes, on every table with vector instructions that
// this machine runs. Nothing as in count_instructions().
std::optional<std::vector<CountRow>> count_kernels();

}  // namespace bittern::test
