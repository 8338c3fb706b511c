// Two loops by turns: vpdpbusd alone, and as many vpandd beside them. Where others do the vpandd,
// the second takes as long as the first, else twice as long. The least of several runs of each
// counts, so that an interrupt does no harm. Registers are zmm16 to zmm31, which code compiled for
// plain x86-64 does not use.
#include "base/vector_ports.h"

#if defined(__x86_64__)

#include <algorithm>
#include <cstdint>
#include <limits>

namespace bittern::cpu {
namespace {

// clang-format off
#define MULTIPLY(n) "vpdpbusd %%zmm28, %%zmm29, %%zmm" #n "\n\t"
#define MASK        "vpandd %%zmm28, %%zmm29, %%zmm30\n\t"
// clang-format on

constexpr int kRounds = 64, kRuns = 32;

uint64_t multiplications() {
  int rounds = kRounds;
  const uint64_t start = __builtin_ia32_rdtsc();
  asm volatile("1:\n\t" MULTIPLY(16) MULTIPLY(17) MULTIPLY(18) MULTIPLY(19) MULTIPLY(20)
                   MULTIPLY(21) MULTIPLY(22) MULTIPLY(23) MULTIPLY(24) MULTIPLY(25) MULTIPLY(26)
                       MULTIPLY(27) "dec %0\n\tjnz 1b"
               : "+r"(rounds)
               :
               : "cc");
  return __builtin_ia32_rdtsc() - start;
}

uint64_t multiplications_and_masks() {
  int rounds = kRounds;
  const uint64_t start = __builtin_ia32_rdtsc();
  asm volatile("1:\n\t" MULTIPLY(16) MASK MULTIPLY(17) MASK MULTIPLY(18) MASK MULTIPLY(19)
                   MASK MULTIPLY(20) MASK MULTIPLY(21) MASK MULTIPLY(22) MASK MULTIPLY(23)
                       MASK MULTIPLY(24) MASK MULTIPLY(25) MASK MULTIPLY(26) MASK MULTIPLY(27) MASK
               "dec %0\n\tjnz 1b"
               : "+r"(rounds)
               :
               : "cc");
  return __builtin_ia32_rdtsc() - start;
}

bool measure() {
  uint64_t alone = std::numeric_limits<uint64_t>::max(), both = alone;
  for (int run = 0; run < kRuns; ++run) {
    alone = std::min(alone, multiplications());
    both = std::min(both, multiplications_and_masks());
  }
  return 2 * both > 3 * alone;
}

#undef MULTIPLY
#undef MASK

}  // namespace

bool vector_ports_are_multipliers() {
  static const bool multipliers = measure();
  return multipliers;
}

}  // namespace bittern::cpu

#else

namespace bittern::cpu {
bool vector_ports_are_multipliers() { return false; }
}  // namespace bittern::cpu

#endif
