// Prints tests/bench/instruction_counts.txt anew, for the compiler of this build.
#include <cstdio>

#include "bench/instruction_count.h"

int main() {
  const auto rows = bittern::test::count_kernels();
  if (!rows || bittern::test::counted_compiler().empty()) {
    std::fputs("an optimised build on a system that lets a process trace its child expected\n",
               stderr);
    return 1;
  }
  std::puts("# Instructions of one call: compiler | table | kernel, shape | count.");
  std::puts("# Written by tests/bench/count_instructions.cc; held by instruction_count_test.cc.");
  for (const auto& row : *rows) std::puts(bittern::test::to_line(row).c_str());
  return 0;
}
