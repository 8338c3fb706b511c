// Where a block kernel takes its codes from: a quad (16 columns) of any packed layout, or of a
// block that has been unpacked, as four vectors of bytes ready for the products.
//
// What is multiplied is not always the code of block.h but a byte `stored` with
// code = stored + kBias: vpdpbusd wants bytes from 0 to 255, so that a codebook's levels are raised
// by 128; vpmaddubsw is exact for signed bytes only where it takes magnitudes, so that codes of 8
// bits are lowered by 128 for it. The difference is made up with the sum of the activations, like
// the format's own zero: start_factor().

#include "kernel/isa/block_levels.inl"

enum class Codes : int {
  bits_1,
  bits_1_doubled,
  bits_2,
  bits_3,
  bits_4,
  bits_5,
  bits_6,
  bits_8,
  iq4_nl,
  fp4,
  iq3_xxs,
  iq3_s,
  iq2,
  iq1
};

constexpr BlockCodebook codebook_of(Codes codes) {
  switch (codes) {
    case Codes::iq4_nl:
      return BlockCodebook::iq4_nl;
    case Codes::fp4:
      return BlockCodebook::fp4;
    case Codes::iq3_xxs:
      return BlockCodebook::iq3_xxs;
    case Codes::iq3_s:
      return BlockCodebook::iq3_s;
    case Codes::iq2:
      return BlockCodebook::iq2;
    case Codes::iq1:
      return BlockCodebook::iq1;
    default:
      return BlockCodebook::none;
  }
}

constexpr Codes codes_of(const BlockLayout& layout) {
  switch (layout.codebook) {
    case BlockCodebook::none:
      break;
    case BlockCodebook::iq4_nl:
      return Codes::iq4_nl;
    case BlockCodebook::fp4:
      return Codes::fp4;
    case BlockCodebook::iq3_xxs:
      return Codes::iq3_xxs;
    case BlockCodebook::iq3_s:
      return Codes::iq3_s;
    case BlockCodebook::iq2:
      return Codes::iq2;
    case BlockCodebook::iq1:
      return Codes::iq1;
  }
  switch (layout.code_bits) {
    case 1:
      return layout.doubled ? Codes::bits_1_doubled : Codes::bits_1;
    case 2:
      return Codes::bits_2;
    case 3:
      return Codes::bits_3;
    case 4:
      return Codes::bits_4;
    case 5:
      return Codes::bits_5;
    case 6:
      return Codes::bits_6;
    default:
      return Codes::bits_8;
  }
}

// How far sums of products may be gathered in int16: bytes to 31, to 63, to 127, signed ones.
enum class Range { narrow, medium, wide, full };

// Only vpmaddubsw cares.
constexpr Range range_of(Codes codes) {
  if (!kSignedCodes || codes == Codes::bits_8 || codes == Codes::iq4_nl) return Range::full;
  if (codes == Codes::iq2) return Range::wide;
  return codes == Codes::bits_6 || codes == Codes::iq3_xxs ? Range::medium : Range::narrow;
}

// Of codebooks the least power of two that leaves no level below zero.
constexpr int bias_of(Codes codes) {
  switch (codes) {
    case Codes::bits_8:
      return kSignedCodes ? 128 : 0;
    case Codes::iq4_nl:
      return kSignedCodes ? 0 : -128;
    case Codes::fp4:
    case Codes::iq3_s:
    case Codes::iq1:
      return -16;
    case Codes::iq3_xxs:
      return -32;
    case Codes::iq2:
      return -64;
    default:
      return 0;
  }
}

constexpr int64_t quad_bytes_of(Codes codes) {
  switch (codes) {
    case Codes::bits_1:
    case Codes::bits_1_doubled:
      return 32;
    case Codes::bits_2:
      return 64;
    case Codes::iq1:
      return 68;
    case Codes::bits_3:
    case Codes::iq2:
      return 96;
    case Codes::bits_4:
    case Codes::iq4_nl:
    case Codes::fp4:
    case Codes::iq3_xxs:
    case Codes::iq3_s:
      return 128;
    case Codes::bits_5:
      return 160;
    case Codes::bits_6:
      return 192;
    case Codes::bits_8:
      return 256;
  }
  return 0;
}

// Levels less the bias: bytes as the products take them.
constexpr Levels less(const Levels& levels, int bias) {
  Levels bytes = {};
  for (int code = 0; code < 16; ++code)
    bytes.of[code] = static_cast<int8_t>(levels.of[code] - bias);
  return bytes;
}
template <Codes kCodes>
constexpr Levels kStored = less(levels_of(codebook_of(kCodes)), bias_of(kCodes));

// Vector p of a quad in one of the ways codes lie: asked for one by one, so that what waits for the
// products is what memory holds, not what it is unpacked to.

template <int p>
[[gnu::always_inline]] inline Ints crumb(const uint8_t* quad, int part) {
  const Ints mask = broadcast_bytes(3);
  const Ints packed = load_ints(quad + part * kPartBytes);
  if constexpr (p == 0) return both(packed, mask);
  return both(shifted_right<2 * p>(packed), mask);
}

template <int p>
[[gnu::always_inline]] inline Ints nibble(const uint8_t* quad, int part) {
  const Ints mask = broadcast_bytes(15);
  const Ints packed = load_ints(quad + 64 * (p / 2) + part * kPartBytes);
  if constexpr (p % 2 == 0) return both(packed, mask);
  return both(shifted_right<4>(packed), mask);
}

template <int p>
[[gnu::always_inline]] inline Ints six_bits(const uint8_t* quad, int part) {
  quad += part * kPartBytes;
  if constexpr (p < 3) return both(load_ints(quad + 64 * p), broadcast_bytes(63));
  const Ints low = both(shifted_right<6>(load_ints(quad)), broadcast_bytes(3));
  const Ints middle = shifted_right<4>(load_ints(quad + 64));
  const Ints high = shifted_right<2>(load_ints(quad + 128));
  return merged(merged(low, middle, broadcast_bytes(12)), high, broadcast_bytes(48));
}

template <int p>
[[gnu::always_inline]] inline Ints eight_bits(const uint8_t* quad, int part) {
  return load_ints(quad + 64 * p + part * kPartBytes);
}

// The plane of high bits, each worth `value`, added to low ones.
template <int p>
[[gnu::always_inline]] inline Ints raised(Ints low, const uint8_t* plane, int part, int value) {
  return with_plane(low, plane, p, part, broadcast_bytes(value));
}

template <int p>
[[gnu::always_inline]] inline Ints three_bits(const uint8_t* quad, int part) {
  return raised<p>(crumb<p>(quad, part), quad + 64, part, 4);
}

// Three bits, the highest one for 8 columns: for two vectors a u16 of the rows that have it.
template <int p>
[[gnu::always_inline]] inline Ints shared_bits(const uint8_t* quad, int part) {
  return with_rows(crumb<p>(quad, part), quad + 64 + p / 2 * 2, part, broadcast_bytes(4));
}

template <Codes kCodes, int p>
[[gnu::always_inline]] inline Ints level(const uint8_t* quad, int part) {
  const Ints table = table_of(kStored<kCodes>.of);
  if constexpr (kCodes == Codes::iq1) return looked_up(table, shared_bits<p>(quad, part));
  if constexpr (kCodes == Codes::iq2) return looked_up(table, three_bits<p>(quad, part));
  return looked_up(table, nibble<p>(quad, part));
}

// Codes as a strip holds them: multiplied from there for few rows, the strip ahead asked for.
template <Codes kCodes>
struct Packed {
  static constexpr Range kRange = range_of(kCodes);
  static constexpr int64_t kQuadBytes = quad_bytes_of(kCodes);
  static constexpr bool kFromStrip = true;
  // Float scales are f16; of fp4 only those of narrow sub-blocks.
  static constexpr bool kHalfScales = kCodes != Codes::fp4;

  template <int p>
  [[gnu::always_inline]] static inline Ints vector(const uint8_t* quad, int part) {
    if constexpr (kCodes == Codes::bits_1 || kCodes == Codes::bits_1_doubled)
      return raised<p>(zero_ints(), quad, part, kCodes == Codes::bits_1 ? 1 : 2);
    if constexpr (kCodes == Codes::bits_2) return crumb<p>(quad, part);
    if constexpr (kCodes == Codes::bits_3) return three_bits<p>(quad, part);
    if constexpr (kCodes == Codes::bits_4) return nibble<p>(quad, part);
    if constexpr (kCodes == Codes::bits_5)
      return raised<p>(nibble<p>(quad, part), quad + 128, part, 16);
    if constexpr (kCodes == Codes::bits_6) return six_bits<p>(quad, part);
    if constexpr (codebook_of(kCodes) != BlockCodebook::none) return level<kCodes, p>(quad, part);
    if constexpr (kCodes == Codes::bits_8 && kSignedCodes)
      return differing(eight_bits<p>(quad, part), broadcast_bytes(128));
    if constexpr (kCodes == Codes::bits_8 && !kSignedCodes) return eight_bits<p>(quad, part);
  }
};

// The same for one row, which reading binds: it goes faster where a block's float scales are read
// before its codes.
template <Codes kCodes>
struct PackedForRow : Packed<kCodes> {
  static constexpr bool kHalfScales = false;
};

// Bytes that unpack_codes() has written.
template <Range kItsRange>
struct Unpacked {
  static constexpr Range kRange = kItsRange;
  static constexpr int64_t kQuadBytes = 256;
  static constexpr bool kFromStrip = false, kHalfScales = false;
  template <int p>
  [[gnu::always_inline]] static inline Ints vector(const uint8_t* quad, int part) {
    return eight_bits<p>(quad, part);
  }
};

struct Quad {
  Ints vector[4];
};

template <typename Source>
[[gnu::always_inline]] inline Quad load_quad(const uint8_t* quad, int part) {
  return {{Source::template vector<0>(quad, part), Source::template vector<1>(quad, part),
           Source::template vector<2>(quad, part), Source::template vector<3>(quad, part)}};
}

// How far ahead strips are asked for, those of a sweep together: while one row is multiplied from
// the strips themselves, and when blocks wait for a few rows or are unpacked for many (measured;
// less loses up to half at 8 rows).
constexpr int64_t kAheadOfRow = 6144, kAheadOfUnpacking = 8192;

[[gnu::always_inline]] inline void prefetch_line(const uint8_t* at) {
  __builtin_prefetch(at, 0, kPrefetchLocality);
}

template <int64_t kBytes>
[[gnu::always_inline]] inline void prefetch_lines(const uint8_t* at) {
  for (int64_t line = 0; line < kBytes; line += 64) prefetch_line(at + line);
}

// One block of a strip to 16 quads of stored bytes; what lies `ahead` of it is asked for.
using UnpackCodes = void(const uint8_t* block, int64_t ahead, uint8_t* to);

template <Codes kCodes>
void unpack_codes(const uint8_t* block, int64_t ahead, uint8_t* to) {
  using Source = Packed<kCodes>;
  for (int64_t q = 0; q < kBlockColumns / 16; ++q) {
    const uint8_t* quad = block + q * Source::kQuadBytes;
    prefetch_lines<Source::kQuadBytes>(quad + ahead);
    for (int part = 0; part < kParts; ++part) {
      const Quad codes = load_quad<Source>(quad, part);
      uint8_t* at = to + q * 256 + part * kPartBytes;
#pragma GCC unroll 4
      for (int p = 0; p < 4; ++p) store_ints(at + 64 * p, codes.vector[p]);
    }
  }
}
