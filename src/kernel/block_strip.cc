// Rows to the bytes of a strip's block and back. Codes go by quads of 16 columns: first the four
// vectors of 64 bytes (row n, columns 16q + 4p + i at byte 4n + i of vector p), then their bits
// merged to the width of the layout.
#include "kernel/block_strip.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/bytes.h"
#include "base/half.h"
#include "kernel/byte_vector.h"

namespace bittern::kernel {
namespace {

constexpr int64_t kQuads = 16;
constexpr int64_t kVectors = 4;
constexpr int64_t kVectorBytes = 64;
constexpr int64_t kQuadBytes = kVectors * kVectorBytes;  // unpacked

#include "kernel/isa/block_levels.inl"

// How a code's bits are divided into a low and a high plane; high 0: one plane, or a shared bit.
// Six bits are not: pack_six_bits().
struct Planes {
  int low, high;
};
constexpr Planes planes_of(const BlockLayout& layout) {
  const int bits = layout.code_bits;
  if (layout.shared_bit) return {2, 0};
  if (bits == 5) return {4, 1};
  if (bits == 3) return {2, 1};
  return {bits, 0};
}

// Bits [shift, shift + width) of the quad's codes as `width` bits each.
void pack_plane(const uint8_t* quad, int shift, int width, uint8_t* out) {
  const int mask = (1 << width) - 1;
  const auto part = [&](int64_t vector, int64_t b) {
    return bits_of(load_bytes(quad + vector * kVectorBytes + b), shift, mask);
  };
  if (width == 8) {
    std::memcpy(out, quad, kQuadBytes);
  } else if (width == 4) {
    for (int64_t half = 0; half < 2; ++half) {
      for (int64_t b = 0; b < kVectorBytes; b += 16)
        store_bytes(out + half * kVectorBytes + b,
                    part(2 * half, b) | bits_at(part(2 * half + 1, b), 4));
    }
  } else if (width == 2) {
    for (int64_t b = 0; b < kVectorBytes; b += 16)
      store_bytes(out + b, part(0, b) | bits_at(part(1, b), 2) | bits_at(part(2, b), 4) |
                               bits_at(part(3, b), 6));
  } else {
    // The product moves the low bit of byte i to bit 56 + i; no two of its terms meet.
    for (int64_t byte = 0; byte < kQuadBytes / 8; ++byte) {
      uint64_t eight;
      std::memcpy(&eight, quad + 8 * byte, sizeof eight);
      eight = eight >> shift & 0x0101010101010101;
      out[byte] = static_cast<uint8_t>(eight * 0x0102040810204080 >> 56);
    }
  }
}

// The inverse: the plane's bits are or-ed into the quad at `shift`.
void unpack_plane(const uint8_t* in, int shift, int width, uint8_t* quad) {
  const int mask = (1 << width) - 1;
  for (int64_t index = 0; index < kQuadBytes; ++index) {
    const int64_t vector = index / kVectorBytes, b = index % kVectorBytes;
    int bits = 0;
    if (width == 8) bits = in[index];
    if (width == 4) bits = in[vector / 2 * kVectorBytes + b] >> 4 * (vector % 2);
    if (width == 2) bits = in[b] >> 2 * vector;
    if (width == 1) bits = in[index / 8] >> index % 8;
    quad[index] = static_cast<uint8_t>(quad[index] | (bits & mask) << shift);
  }
}

// Three vectors, a line each; the two highest bits of the lines are the fourth, low bits first.
void pack_six_bits(const uint8_t* quad, uint8_t* out) {
  for (int64_t at = 0; at < 3 * kVectorBytes; at += 16) {
    const int64_t line = at / kVectorBytes, b = at % kVectorBytes;
    const ByteVector fourth = load_bytes(quad + 3 * kVectorBytes + b);
    store_bytes(out + at,
                load_bytes(quad + at) | bits_at(bits_of(fourth, static_cast<int>(2 * line), 3), 6));
  }
}

void unpack_six_bits(const uint8_t* in, uint8_t* quad) {
  for (int64_t at = 0; at < 3 * kVectorBytes; ++at) {
    const int64_t line = at / kVectorBytes, b = at % kVectorBytes;
    quad[at] = in[at] & 63;
    uint8_t& fourth = quad[3 * kVectorBytes + b];
    fourth = static_cast<uint8_t>(fourth | in[at] >> 6 << 2 * line);
  }
}

// Bit 2 of the first of every eight columns, for each row.
void pack_shared_bits(const uint8_t* quad, uint8_t* out) {
  for (int64_t half = 0; half < 2; ++half) {
    uint16_t rows = 0;
    for (int64_t n = 0; n < kBlockStripRows; ++n)
      rows = static_cast<uint16_t>(rows | (quad[2 * half * kVectorBytes + 4 * n] >> 2 & 1) << n);
    std::memcpy(out + 2 * half, &rows, sizeof rows);
  }
}

void unpack_shared_bits(const uint8_t* in, uint8_t* quad) {
  for (int64_t index = 0; index < kQuadBytes; ++index) {
    const int64_t half = index / kVectorBytes / 2, n = index % kVectorBytes / 4;
    const int bit = in[2 * half + n / 8] >> n % 8 & 1;
    quad[index] = static_cast<uint8_t>(quad[index] | bit << 2);
  }
}

void pack_codes(const BlockLayout& layout, const uint8_t* quad, uint8_t* out) {
  if (layout.code_bits == 6) return pack_six_bits(quad, out);
  const Planes planes = planes_of(layout);
  pack_plane(quad, 0, planes.low, out);
  if (layout.shared_bit) pack_shared_bits(quad, out + kVectorBytes);
  if (planes.high != 0)
    pack_plane(quad, planes.low, planes.high, out + kQuadBytes * planes.low / 8);
}

// Into a quad of zeros.
void unpack_codes(const BlockLayout& layout, const uint8_t* in, uint8_t* quad) {
  if (layout.code_bits == 6) return unpack_six_bits(in, quad);
  const Planes planes = planes_of(layout);
  unpack_plane(in, 0, planes.low, quad);
  if (layout.shared_bit) unpack_shared_bits(in + kVectorBytes, quad);
  if (planes.high != 0)
    unpack_plane(in + kQuadBytes * planes.low / 8, planes.low, planes.high, quad);
}

bool byte_scales(const BlockLayout& layout) {
  return layout.scales == BlockScales::integer || layout.scales == BlockScales::integer_minima ||
         layout.scales == BlockScales::e8m0;
}

bool has_minima(const BlockLayout& layout) {
  const BlockOffsets at = block_offsets(layout);
  return at.supers > at.minima;
}

// Entry (sub-block, row) of an array of the strip, one or two bytes each.
void store_entry(uint8_t* array, bool one_byte, int64_t index, uint16_t value) {
  if (one_byte) {
    array[index] = static_cast<uint8_t>(value);
  } else {
    std::memcpy(array + 2 * index, &value, sizeof(value));
  }
}

uint16_t load_entry(const uint8_t* array, bool one_byte, int64_t index) {
  if (one_byte) return array[index];
  uint16_t value = 0;
  std::memcpy(&value, array + 2 * index, sizeof(value));
  return value;
}

// 2^(exponent - 128), subnormal for 0 and 1.
float e8m0_scale(uint16_t exponent) {
  const uint32_t bits =
      exponent < 2 ? 0x00200000u << exponent : static_cast<uint32_t>(exponent - 1) << 23;
  return std::bit_cast<float>(bits);
}

// The factor of sub-block j.
float scale_value(const BlockLayout& layout, const BlockRow& row, int64_t j) {
  switch (layout.scales) {
    case BlockScales::f16:
    case BlockScales::f16_minima:
    case BlockScales::f16_zeros:
      return f16_to_f32(row.scales[j]);
    case BlockScales::bf16_zeros:
      return bf16_to_f32(row.scales[j]);
    case BlockScales::e8m0:
      return e8m0_scale(row.scales[j]);
    case BlockScales::integer:
    case BlockScales::integer_minima:
      return std::ldexp(f16_to_f32(row.super), -layout.fraction_bits) *
             static_cast<float>(static_cast<int8_t>(static_cast<uint8_t>(row.scales[j])));
  }
  return 0.0f;
}

}  // namespace

void clear_block_row(const BlockLayout& layout, BlockRow& row) {
  row = {};
  std::memset(row.codes, layout.zero >> (layout.doubled ? 1 : 0), sizeof(row.codes));
}

void store_block(const BlockLayout& layout, const BlockRow* rows, uint8_t* block) {
  const BlockOffsets at = block_offsets(layout);
  std::memset(block, 0, static_cast<size_t>(at.bytes));
  for (int64_t q = 0; q < kQuads; ++q) {
    uint8_t quad[kQuadBytes];
    for (int64_t n = 0; n < kBlockStripRows; n += 4) {
      ByteVector four[4];
      for (int64_t i = 0; i < 4; ++i) four[i] = load_bytes(rows[n + i].codes + 16 * q);
      turn_dwords(four);
      for (int64_t p = 0; p < kVectors; ++p) store_bytes(quad + kVectorBytes * p + 4 * n, four[p]);
    }
    pack_codes(layout, quad, block + q * block_quad_bytes(layout));
  }
  const int64_t subs = kBlockColumns / layout.sub;
  const bool bytes = byte_scales(layout), minima = has_minima(layout);
  const bool byte_minima = layout.scales != BlockScales::f16_minima;
  for (int64_t n = 0; n < kBlockStripRows; ++n) {
    for (int64_t j = 0; j < subs; ++j) {
      const int64_t index = j * kBlockStripRows + n;
      store_entry(block + at.scales, bytes, index, rows[n].scales[j]);
      if (minima) store_entry(block + at.minima, byte_minima, index, rows[n].minima[j]);
    }
    if (layout.scales == BlockScales::integer || layout.scales == BlockScales::integer_minima)
      store_entry(block + at.supers, false, n, rows[n].super);
    if (layout.scales == BlockScales::integer_minima)
      store_entry(block + at.supers, false, kBlockStripRows + n, rows[n].super_minimum);
  }
}

void load_block(const BlockLayout& layout, const uint8_t* block, BlockRow* rows) {
  const BlockOffsets at = block_offsets(layout);
  for (int64_t n = 0; n < kBlockStripRows; ++n) rows[n] = {};
  for (int64_t q = 0; q < kQuads; ++q) {
    uint8_t quad[kQuadBytes] = {};
    unpack_codes(layout, block + q * block_quad_bytes(layout), quad);
    for (int64_t n = 0; n < kBlockStripRows; ++n) {
      for (int64_t p = 0; p < kVectors; ++p)
        std::memcpy(rows[n].codes + 16 * q + 4 * p, quad + kVectorBytes * p + 4 * n, 4);
    }
  }
  const int64_t subs = kBlockColumns / layout.sub;
  const bool bytes = byte_scales(layout), minima = has_minima(layout);
  const bool byte_minima = layout.scales != BlockScales::f16_minima;
  for (int64_t n = 0; n < kBlockStripRows; ++n) {
    for (int64_t j = 0; j < subs; ++j) {
      const int64_t index = j * kBlockStripRows + n;
      rows[n].scales[j] = load_entry(block + at.scales, bytes, index);
      if (minima) rows[n].minima[j] = load_entry(block + at.minima, byte_minima, index);
    }
    if (layout.scales == BlockScales::integer || layout.scales == BlockScales::integer_minima)
      rows[n].super = load_entry(block + at.supers, false, n);
    if (layout.scales == BlockScales::integer_minima)
      rows[n].super_minimum = load_entry(block + at.supers, false, kBlockStripRows + n);
  }
}

int block_weight(const BlockLayout& layout, int code, int zero_point) {
  if (layout.codebook != BlockCodebook::none) return levels_of(layout.codebook).of[code];
  const bool zeros =
      layout.scales == BlockScales::f16_zeros || layout.scales == BlockScales::bf16_zeros;
  return (layout.doubled ? 2 * code : code) - (zeros ? zero_point : layout.zero);
}

void decode_block_row(const BlockLayout& layout, const BlockRow& row, float* values) {
  for (int64_t j = 0; j < kBlockColumns / layout.sub; ++j) {
    const float scale = scale_value(layout, row, j);
    float minimum = 0.0f;
    if (layout.scales == BlockScales::f16_minima) minimum = f16_to_f32(row.minima[j]);
    if (layout.scales == BlockScales::integer_minima)
      minimum = f16_to_f32(row.super_minimum) * static_cast<float>(row.minima[j]);
    for (int64_t k = j * layout.sub; k < (j + 1) * layout.sub; ++k) {
      float value = static_cast<float>(block_weight(layout, row.codes[k], row.minima[j])) * scale;
      if (layout.scales == BlockScales::f16_minima) value = value + minimum;
      if (layout.scales == BlockScales::integer_minima) value = value - minimum;
      values[k] = value;
    }
  }
}

}  // namespace bittern::kernel
