// exp and the activations, without libm: polynomials in plain multiply and add, so every ISA and
// every compiler gives the same bits.
//
// exp(x) = 2^n * e^r, n = round(x / ln 2), r = (x - n * C1) - n * C2, |r| <= ln 2 / 2 with
// C1 + C2 = ln 2 and C1 short, so that n * C1 is exact (Cody and Waite). e^r = 1 + (r + r^2 P(r)),
// P of degree 5 interpolated at Chebyshev nodes: 2.3e-10 relative before rounding. The scaling by
// 2^n is done in two exact halves, so results that are denormal are rounded once.
// Below 1 ulp on every 2003rd float in [-104, 89] (tests/kernel/math_test.cc).

// e * 2^n, n given as n + kRoundingMagic: the integer sits in the low bits of the mantissa.
[[gnu::always_inline]] inline Lanes times_power_of_two(const Lanes& e, const Lanes& shifted) {
#if defined(__AVX512F__)
  // The same: the exact product, rounded once where it is denormal.
  const Lanes n = shifted - broadcast(kRoundingMagic);
  return {{FloatPart(_mm512_scalef_ps(__m512(e.part[0]), __m512(n.part[0])))}};
#else
  Lanes result;
  for (int i = 0; i < kParts; ++i) {
    const IntPart whole = reinterpret_cast<IntPart>(shifted.part[i]) - 0x4b400000;
    const IntPart lower = whole >> 1, upper = whole - lower;
    const FloatPart first = reinterpret_cast<FloatPart>((lower + 127) << 23);
    const FloatPart second = reinterpret_cast<FloatPart>((upper + 127) << 23);
    result.part[i] = (e.part[i] * first) * second;
  }
  return result;
#endif
}

[[gnu::always_inline]] inline Lanes exponential(const Lanes& x) {
  // Beyond these the result is 0 (2^-150 rounds to it) or infinity. NaN compares false and stays.
  const Lanes low = broadcast(-104.0f), high = broadcast(89.0f);
  const Lanes clamped = smaller(high, larger(low, x));
  const Lanes magic = broadcast(kRoundingMagic);
  const Lanes shifted = clamped * broadcast(1.44269504f) + magic;
  const Lanes n = shifted - magic;
  const Lanes r = (clamped - n * broadcast(0.693359375f)) - n * broadcast(-2.12194440e-4f);
  Lanes p = broadcast(0.00019891080464f);
  p = p * r + broadcast(0.00139337307158f);
  p = p * r + broadcast(0.00833331084465f);
  p = p * r + broadcast(0.0416664641974f);
  p = p * r + broadcast(0.166666666817f);
  p = p * r + broadcast(0.500000001354f);
  const Lanes e = broadcast(1.0f) + (r + (r * r) * p);
  return times_power_of_two(e, shifted);
}

// tanh(x) = x + x z Q(z), z = x^2, for |x| < 0.625 (Q of degree 4 interpolated at Chebyshev nodes:
// 1.7e-8 relative before rounding), else 1 - 2 / (exp(2 |x|) + 1) with the sign of x.
[[gnu::always_inline]] inline Lanes hyperbolic_tangent(const Lanes& x) {
  const Lanes one = broadcast(1.0f), two = broadcast(2.0f);
  const Lanes size = magnitude(x), z = x * x;
  Lanes q = broadcast(-0.006096714176f);
  q = q * z + broadcast(0.02099717967f);
  q = q * z + broadcast(-0.05385090783f);
  q = q * z + broadcast(0.1333276927f);
  q = q * z + broadcast(-0.3333332837f);
  const Lanes near = x + (x * z) * q;
  const Lanes far = one - two / (exponential(size + size) + one);
  Lanes result;
  for (int i = 0; i < kParts; ++i) {
    const FloatPart turned = x.part[i] < 0.0f ? -far.part[i] : far.part[i];
    result.part[i] = size.part[i] < 0.625f ? near.part[i] : turned;
  }
  return result;
}

// x / (1 + exp(-y)): x times the logistic function of y.
[[gnu::always_inline]] inline Lanes times_sigmoid(const Lanes& x, const Lanes& y) {
  return x / (broadcast(1.0f) + exponential(broadcast(0.0f) - y));
}

// erfc(z) for z >= 0 as e^(-z^2) * t * Q(t), t = 1 / (1 + z / 2); Q of degree 10 interpolated at
// Chebyshev nodes for z in [0, 10]: 5e-9 relative before rounding.
[[gnu::always_inline]] inline Lanes erfc_positive(const Lanes& z) {
  constexpr float kQ[] = {0.2820858459f,  0.2823184277f,  0.2444791095f,   0.1897954688f,
                          0.03905751788f, 0.07456794739f, -0.08664944204f, -0.2189932848f,
                          0.332568661f,   -0.1716289015f, 0.03239865218f};
  const Lanes t = broadcast(1.0f) / (broadcast(1.0f) + broadcast(0.5f) * z);
  Lanes q = broadcast(kQ[10]);
  for (int i = 9; i >= 0; --i) q = q * t + broadcast(kQ[i]);
  return (exponential(broadcast(0.0f) - z * z) * t) * q;
}

// x * Phi(x) = x * erfc(-x / sqrt 2) / 2, with erfc(-z) = 2 - erfc(z).
[[gnu::always_inline]] inline Lanes gelu_erf(const Lanes& x) {
  const Lanes z = magnitude(x) * broadcast(0.707106781f);
  const Lanes tail = broadcast(0.5f) * erfc_positive(smaller(z, broadcast(10.0f)));
  const Lanes body = broadcast(1.0f) - tail;
  Lanes phi;
  for (int i = 0; i < kParts; ++i) phi.part[i] = x.part[i] < 0.0f ? tail.part[i] : body.part[i];
  return x * phi;
}

// x (1 + tanh u) / 2 = x / (1 + exp(-2u)), u = sqrt(2 / pi) (x + 0.044715 x^3).
[[gnu::always_inline]] inline Lanes gelu_tanh(const Lanes& x) {
  const Lanes cubic = broadcast(1.0f) + broadcast(0.044715f) * (x * x);
  return times_sigmoid(x, broadcast(1.59576912f) * (x * cubic));
}

[[gnu::always_inline]] inline Lanes activate(Gate kind, const Lanes& x) {
  switch (kind) {
    case Gate::silu:
      return times_sigmoid(x, x);
    case Gate::relu:
      return larger(x, broadcast(0.0f));
    case Gate::relu2: {
      const Lanes positive = larger(x, broadcast(0.0f));
      return positive * positive;
    }
    case Gate::gelu:
      return gelu_erf(x);
    case Gate::gelu_tanh:
      return gelu_tanh(x);
  }
  return x;
}
