// 2^x as attention has it (src/kernel/isa/attention.inl), written out for one number.
#pragma once

#include <cmath>

namespace bittern::test {

inline float attention_power(float x) {
  if (x < -126.0f) return 0.0f;
  constexpr float kQ[] = {0.6931471825f,   0.2402265072f,   0.05550356954f,
                          0.009618083015f, 0.001339086331f, 0.0001545316336f};
  const float n = std::nearbyintf(x), r = x - n;
  float q = kQ[5];
  for (int i = 4; i >= 0; --i) q = std::fmaf(q, r, kQ[i]);
  return std::ldexp(std::fmaf(q, r, 1.0f), static_cast<int>(n));
}

}  // namespace bittern::test
