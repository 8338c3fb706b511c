// How a quad of codes meets rows of activations by vpdpbusd: what block_tile.inl wants of an
// instruction set that has it. The ISA file defines broadcast_codes(), dot(total, weights, codes)
// and, where a tile can be one vector, dot(total, weights, where the codes lie).

// Adds a quad of each vector times 16 codes of each row. kPart: of the first vector.
template <typename Source, int kPart, int kRows, int kVectors>
[[gnu::always_inline]] inline void add_quad(Ints (&dots)[kRows][kVectors],
                                            const uint8_t* const (&quad)[kVectors],
                                            const int8_t* activations) {
  Quad weights[kVectors];
  if constexpr (Source::kFromStrip) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) weights[v] = Source::load(quad[v], (kPart + v) % kParts);
  }
#pragma GCC unroll 4
  for (int p = 0; p < 4; ++p) {
    if constexpr (!Source::kFromStrip) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const int part = (kPart + v) % kParts;
        weights[v].vector[p] = load_ints(quad[v] + 64 * p + part * kPartBytes);
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const int8_t* four = activations + r * kBlockColumns + 4 * p;
      if constexpr (kVectors == 1) {
        dot(dots[r][0], weights[0].vector[p], four);
      } else {
        const Ints codes = broadcast_codes(four);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) dot(dots[r][v], weights[v].vector[p], codes);
      }
    }
  }
}

// A line that will be written; processors without the instruction take it for none.
[[gnu::always_inline]] inline void prefetch_to_write(const void* at) {
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(at)));
}
