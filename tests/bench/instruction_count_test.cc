// No kernel executes more instructions than its committed count by more than a twentieth. Counts
// belong to a compiler and a table: where one of them has none, it is reported, not judged (AMX: no
// machine to count on yet, and an emulated instruction is no single step). To take them anew:
//   build/release/tests/count_instructions > tests/bench/instruction_counts.txt
#include "bench/instruction_count.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>

namespace bittern::test {
namespace {

constexpr double kAllowed = 1.05;

std::vector<CountRow> committed_counts() {
  std::ifstream file(BITTERN_SOURCE "/tests/bench/instruction_counts.txt");
  std::vector<CountRow> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> cells;
    for (size_t begin = 0; begin <= line.size();) {
      const size_t end = std::min(line.find(" | ", begin), line.size());
      cells.push_back(line.substr(begin, end - begin));
      begin = end + 3;
    }
    if (cells.size() != 4) {
      ADD_FAILURE() << "four cells expected: " << line;
      continue;
    }
    rows.push_back({cells[0], cells[1], cells[2], std::stoll(cells[3])});
  }
  return rows;
}

TEST(InstructionCount, CountsWhatRuns) {
  const auto counts = count_instructions({[] { asm volatile("nop\n\tnop\n\tnop"); },
                                          [] {
                                            asm volatile(
                                                "nop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\t"
                                                "nop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop");
                                          }});
  if (!counts) GTEST_SKIP() << "this system does not let a process trace its child";
  EXPECT_EQ((*counts)[1] - (*counts)[0], 10);
}

TEST(InstructionCount, NoKernelGrew) {
  if (counted_compiler().empty()) GTEST_SKIP() << "not an optimised build";
  const auto measured = count_kernels();
  if (!measured) GTEST_SKIP() << "this system does not let a process trace its child";
  const std::vector<CountRow> committed = committed_counts();
  int judged = 0;
  std::set<std::string> unknown;
  for (const CountRow& row : *measured) {
    const CountRow* before = nullptr;
    bool known = false;
    for (const CountRow& candidate : committed) {
      known = known || (candidate.compiler == row.compiler && candidate.isa == row.isa);
      if (candidate.same_kernel(row)) before = &candidate;
    }
    if (!known) {
      unknown.insert(row.compiler + ", table " + row.isa);
      continue;
    }
    ++judged;
    if (before == nullptr) {
      ADD_FAILURE() << "no count is committed: " << to_line(row);
      continue;
    }
    const auto allowed = static_cast<double>(before->instructions) * kAllowed;
    EXPECT_LE(static_cast<double>(row.instructions), allowed)
        << to_line(row) << ", committed " << before->instructions;
  }
  for (const std::string& name : unknown)
    std::printf("no instructions are committed for %s\n", name.c_str());
  if (judged == 0) GTEST_SKIP() << "no counts are committed for " << counted_compiler();
}

}  // namespace
}  // namespace bittern::test
