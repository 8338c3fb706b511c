// How a quad of codes meets rows of activations by vpdpbusd: what block_tile.inl wants of an
// instruction set that has it. The ISA file defines broadcast_codes(), dot(total, weights, codes)
// and, where a tile can be one vector, dot(total, weights, where the codes lie).

// Four columns of each vector, those of vector p of its quad, times four codes of each row.
template <typename Source, int p, int kPart, int kRows, int kVectors>
[[gnu::always_inline]] inline void add_four(Ints (&dots)[kRows][kVectors],
                                            const uint8_t* const (&quad)[kVectors],
                                            const int8_t* activations) {
  Ints weights[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v)
    weights[v] = Source::template vector<p>(quad[v], (kPart + v) % kParts);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    const int8_t* four = activations + r * kBlockColumns + 4 * p;
    if constexpr (kVectors == 1) {
      dot(dots[r][0], weights[0], four);
    } else {
      const Ints codes = broadcast_codes(four);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) dot(dots[r][v], weights[v], codes);
    }
  }
}

// Adds a quad of each vector times 16 codes of each row. kPart: of the first vector.
template <typename Source, int kPart, int kRows, int kVectors>
[[gnu::always_inline]] inline void add_quad(Ints (&dots)[kRows][kVectors],
                                            const uint8_t* const (&quad)[kVectors],
                                            const int8_t* activations) {
  add_four<Source, 0, kPart>(dots, quad, activations);
  add_four<Source, 1, kPart>(dots, quad, activations);
  add_four<Source, 2, kPart>(dots, quad, activations);
  add_four<Source, 3, kPart>(dots, quad, activations);
}

// A line that will be written; processors without the instruction take it for none.
[[gnu::always_inline]] inline void prefetch_to_write(const void* at) {
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(at)));
}
