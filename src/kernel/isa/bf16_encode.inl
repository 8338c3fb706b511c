// Activations to bf16 panels (bf16.h), over the virtual vector of lanes.inl: the same integer
// operations in every ISA file, so denormals of the input are rounded like all other numbers.

typedef uint32_t Words __attribute__((vector_size(kPartBytes)));
typedef uint16_t HalfWords __attribute__((vector_size(kPartBytes / 2)));

// The upper halves, rounded to nearest even; NaNs become quiet ones of the same sign.
[[gnu::always_inline]] inline HalfWords rounded_bits(FloatPart values) {
  const Words bits = reinterpret_cast<Words>(values);
  const Words upper = bits >> 16;
  const Words rounded = (bits + 0x7fffu + (upper & 1u)) >> 16;
  const Words is_nan = reinterpret_cast<Words>((bits & 0x7fffffffu) > 0x7f800000u);
  return __builtin_convertvector((rounded & ~is_nan) | ((upper | 0x40u) & is_nan), HalfWords);
}

[[gnu::always_inline]] inline void encode_lanes(const Lanes& values, uint16_t* codes) {
  for (int i = 0; i < kParts; ++i) {
    const HalfWords halves = rounded_bits(values.part[i]);
    __builtin_memcpy(codes + i * kPartLanes, &halves, sizeof(halves));
  }
}

void bf16_encode(const float* in, int64_t width, int64_t pitch, uint16_t* codes) {
  for (int64_t first = 0; first < width; first += kBf16Panel, codes += pitch * kBf16Panel) {
    const int64_t count = width - first < kBf16Panel ? width - first : kBf16Panel;
    int64_t k = 0;
    for (; k + kLanes <= count; k += kLanes) encode_lanes(load(in + first + k), codes + k);
    if (k < count) encode_lanes(load_first(in + first + k, count - k), codes + k);
    for (k = (count + kLanes - 1) / kLanes * kLanes; k < kBf16Panel; k += kLanes)
      __builtin_memset(codes + k, 0, kLanes * sizeof(uint16_t));
  }
}
