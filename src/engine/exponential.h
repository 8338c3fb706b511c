// e^x for x <= 0 from IEEE operations alone. The C library's exp differs in the last bit between
// machines (it picks FMA variants at run time), and one such bit can change a drawn token; this
// one gives the same bits everywhere (the build turns contraction off).
// Method: x = k ln 2 + r with |r| <= ln 2 / 2 (ln 2 in two parts, Cody and Waite), Taylor
// polynomial of degree 13 for e^r (next term below 2^-57), scaled by 2^k. Error under 2 ulp.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace bittern::engine {

// 0 below -708 (no subnormal results), NaN for NaN. Not for x > 0.
inline double exp_nonpositive(double x) {
  if (x < -708.0) return 0.0;
  if (x != x) return x;
  constexpr double kLog2E = 0x1.71547652b82fep+0;
  constexpr double kLn2High = 0x1.62e42feep-1;  // the low 21 bits are 0: k * kLn2High is exact
  constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  const double k = std::floor(x * kLog2E + 0.5);
  const double r = x - k * kLn2High - k * kLn2Low;
  double sum = 1.0;
  for (int term = 13; term > 0; --term) sum = 1.0 + sum * r / term;
  return sum * std::bit_cast<double>(static_cast<uint64_t>(static_cast<int64_t>(k) + 1023) << 52);
}

}  // namespace bittern::engine
