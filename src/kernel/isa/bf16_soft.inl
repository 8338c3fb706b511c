// What the units for bf16 compute, in portable C++ over fused() of lanes_scalar.inl: operations
// whose denormal operands and results are zeros, in any mode of the thread.

constexpr float kLeastNormal = 0x1p-126f;

// With the sign of `of`.
[[gnu::always_inline]] inline float signed_zero(double of) { return of < 0.0 ? -0.0f : 0.0f; }

[[gnu::always_inline]] inline float bfloat_value(uint16_t code) {
  uint32_t bits = static_cast<uint32_t>(code) << 16;
  if ((bits & 0x7f800000u) == 0) bits &= 0x80000000u;
  return __builtin_bit_cast(float, bits);
}

// A result is flushed if it is below the least normal number when rounded as if there were no
// least exponent. The product of two bf16 is exact in double, and the sum near enough: the bound
// is a multiple of 2^-151, and so is no sum that is inexact.
[[gnu::always_inline]] inline float flushed_fma(float a, float b, float c) {
  const double sum = static_cast<double>(a) * static_cast<double>(b) + static_cast<double>(c);
  constexpr double kBound = 0x1p-126 - 0x1p-151;
  if (sum > -kBound && sum < kBound)
    return sum < 0.0 || sum > 0.0 ? signed_zero(sum) : fused(a, b, c);
  return fused(a, b, c);
}

// A sum of floats below the least normal number is exact.
[[gnu::always_inline]] inline float flushed_sum(float a, float b) {
  const float sum = a + b;
  const bool tiny = sum > -kLeastNormal && sum < kLeastNormal;
  return tiny && (sum < 0.0f || sum > 0.0f) ? signed_zero(static_cast<double>(sum)) : sum;
}

// Weights of one output and column, activations of one row and column.
[[gnu::always_inline]] inline float weight_at(const Bf16Dots& job, int64_t n, int64_t k) {
  const int64_t strip_bytes = job.columns / 2 * kBf16LineBytes;
  const uint8_t* line = job.strips + n / kBf16Outputs * strip_bytes + k / 2 * kBf16LineBytes;
  uint16_t code;
  __builtin_memcpy(&code, line + n % kBf16Outputs * 4 + k % 2 * 2, sizeof(code));
  return bfloat_value(code);
}

[[gnu::always_inline]] inline float input_at(const Bf16Dots& job, int64_t row, int64_t k) {
  return bfloat_value(job.codes[(k / kBf16Panel * job.pitch + row) * kBf16Panel + k % kBf16Panel]);
}
