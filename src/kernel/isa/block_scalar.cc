// Block formats in portable C++: the truth that the other tables are held to. A block is unpacked
// once to plain weights and multiplied by every row; what a row has gathered from earlier blocks
// waits in the output itself. See kernel/block.h for the layout and the arithmetic.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/block.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/block_levels.inl"
#include "kernel/isa/lanes_scalar.inl"

constexpr int64_t kRows = kBlockStripRows;
constexpr int64_t kMaxSubs = 16;

// One block of a strip as numbers: weights column by column, scales and minima by sub-block.
struct Unpacked {
  int16_t weights[kBlockColumns][kRows];
  float scales[kMaxSubs][kRows];            // float scales
  float minima[kMaxSubs][kRows];            // their minima
  int32_t integer_scales[kMaxSubs][kRows];  // integer ones
  int32_t integer_minima[kMaxSubs][kRows];
  float super[kRows], super_minimum[kRows];
};

uint16_t load_u16(const uint8_t* bytes) {
  uint16_t value;
  __builtin_memcpy(&value, bytes, sizeof(value));
  return value;
}

// Code of byte b (0..63) of vector p of a quad, `bits` wide.
int code_at(const uint8_t* quad, int bits, int64_t p, int64_t b) {
  switch (bits) {
    case 8:
      return quad[64 * p + b];
    case 6:
      if (p < 3) return quad[64 * p + b] & 63;
      return quad[b] >> 6 | quad[64 + b] >> 6 << 2 | quad[128 + b] >> 6 << 4;
    case 5:
      return code_at(quad, 4, p, b) | code_at(quad + 128, 1, p, b) << 4;
    case 4:
      return quad[p / 2 * 64 + b] >> 4 * (p % 2) & 15;
    case 3:
      return code_at(quad, 2, p, b) | code_at(quad + 64, 1, p, b) << 2;
    case 2:
      return quad[b] >> 2 * p & 3;
    default:
      return quad[8 * p + b / 8] >> b % 8 & 1;
  }
}

// What the codes stand for, zero points aside.
void make_levels(const BlockLayout& layout, int16_t* levels) {
  for (int code = 0; code < 1 << layout.code_bits; ++code) {
    int level = (layout.doubled ? 2 * code : code) - layout.zero;
    if (layout.codebook != BlockCodebook::none) level = levels_of(layout.codebook).of[code];
    levels[code] = static_cast<int16_t>(level);
  }
}

void unpack_codes(const BlockLayout& layout, const uint8_t* block, const int16_t* levels,
                  Unpacked& to) {
  for (int64_t q = 0; q < kBlockColumns / 16; ++q) {
    const uint8_t* quad = block + q * block_quad_bytes(layout);
    for (int64_t p = 0; p < 4; ++p) {
      for (int64_t b = 0; b < 64; ++b) {
        int code;
        if (layout.shared_bit)
          code = code_at(quad, 2, p, b) | (load_u16(quad + 64 + p / 2 * 2) >> b / 4 & 1) << 2;
        else
          code = code_at(quad, layout.code_bits, p, b);
        to.weights[16 * q + 4 * p + b % 4][b / 4] = levels[code];
      }
    }
  }
}

// 2^(exponent - 128), subnormal for 0 and 1.
float e8m0_scale(uint8_t exponent) {
  const uint32_t bits =
      exponent < 2 ? 0x00200000u << exponent : static_cast<uint32_t>(exponent - 1) << 23;
  return __builtin_bit_cast(float, bits);
}

float float_scale(const BlockLayout& layout, const uint8_t* scales, int64_t index) {
  if (layout.scales == BlockScales::e8m0) return e8m0_scale(scales[index]);
  const uint16_t bits = load_u16(scales + 2 * index);
  if (layout.scales == BlockScales::bf16_zeros)
    return __builtin_bit_cast(float, static_cast<uint32_t>(bits) << 16);
  return half_value(bits);
}

bool has_zeros(const BlockLayout& layout) {
  return layout.scales == BlockScales::f16_zeros || layout.scales == BlockScales::bf16_zeros;
}

bool has_integer_scales(const BlockLayout& layout) {
  return layout.scales == BlockScales::integer || layout.scales == BlockScales::integer_minima;
}

void unpack_scales(const BlockLayout& layout, const uint8_t* block, Unpacked& to) {
  const BlockOffsets at = block_offsets(layout);
  const uint8_t* scales = block + at.scales;
  const uint8_t* minima = block + at.minima;
  for (int64_t j = 0; j < kBlockColumns / layout.sub; ++j) {
    for (int64_t n = 0; n < kRows; ++n) {
      const int64_t index = j * kRows + n;
      if (has_integer_scales(layout)) {
        to.integer_scales[j][n] = static_cast<int8_t>(scales[index]);
        if (layout.scales == BlockScales::integer_minima) to.integer_minima[j][n] = minima[index];
        continue;
      }
      to.scales[j][n] = float_scale(layout, scales, index);
      if (layout.scales == BlockScales::f16_minima)
        to.minima[j][n] = half_value(load_u16(minima + 2 * index));
      if (!has_zeros(layout)) continue;
      for (int64_t k = j * layout.sub; k < (j + 1) * layout.sub; ++k)
        to.weights[k][n] = static_cast<int16_t>(to.weights[k][n] - minima[index]);
    }
  }
  if (!has_integer_scales(layout)) return;
  const float unit = 1.0f / static_cast<float>(1 << layout.fraction_bits);
  for (int64_t n = 0; n < kRows; ++n) {
    to.super[n] = half_value(load_u16(block + at.supers + 2 * n)) * unit;
    if (layout.scales == BlockScales::integer_minima)
      to.super_minimum[n] = half_value(load_u16(block + at.supers + 32 + 2 * n));
  }
}

// Columns [first, first + count) of a block times the codes, for each output.
void piece_dots(const Unpacked& block, const int8_t* codes, int64_t first, int64_t count,
                int32_t* dots) {
  for (int64_t n = 0; n < kRows; ++n) dots[n] = 0;
  for (int64_t k = first; k < first + count; ++k) {
    const int32_t code = codes[k];
    for (int64_t n = 0; n < kRows; ++n) dots[n] += block.weights[k][n] * code;
  }
}

int32_t sum_of_codes(const int8_t* codes, int64_t count) {
  int32_t total = 0;
  for (int64_t k = 0; k < count; ++k) total += codes[k];
  return total;
}

// A block of float scales, added to the totals.
void add_float_block(const BlockLayout& layout, const Unpacked& block, const int8_t* codes,
                     const float* scales, float* total) {
  const int64_t piece = layout.sub < kBlockRun ? layout.sub : kBlockRun;
  for (int64_t k = 0; k < kBlockColumns; k += piece) {
    const int64_t j = k / layout.sub;
    const float scale = scales[k / kBlockRun];
    int32_t dots[kRows];
    piece_dots(block, codes, k, piece, dots);
    const float sum = static_cast<float>(sum_of_codes(codes + k, piece)) * scale;
    for (int64_t n = 0; n < kRows; ++n) {
      total[n] = fused(static_cast<float>(dots[n]) * scale, block.scales[j][n], total[n]);
      if (layout.scales == BlockScales::f16_minima)
        total[n] = fused(sum, block.minima[j][n], total[n]);
    }
  }
}

// A block of integer scales, added to the totals.
void add_integer_block(const BlockLayout& layout, const Unpacked& block, const int8_t* codes,
                       const float* scales, float* total) {
  const int64_t piece = layout.sub < kBlockRun ? layout.sub : kBlockRun;
  float product[kRows] = {}, lowered[kRows] = {};
  for (int64_t run = 0; run < kBlockColumns; run += kBlockRun) {
    const float scale = scales[run / kBlockRun];
    int32_t whole[kRows] = {};
    for (int64_t k = run; k < run + kBlockRun; k += piece) {
      const int64_t j = k / layout.sub;
      int32_t dots[kRows];
      piece_dots(block, codes, k, piece, dots);
      const float sum = static_cast<float>(sum_of_codes(codes + k, piece)) * scale;
      for (int64_t n = 0; n < kRows; ++n) {
        whole[n] += block.integer_scales[j][n] * dots[n];
        if (layout.scales == BlockScales::integer_minima)
          lowered[n] = fused(static_cast<float>(block.integer_minima[j][n]), sum, lowered[n]);
      }
    }
    for (int64_t n = 0; n < kRows; ++n)
      product[n] = fused(static_cast<float>(whole[n]), scale, product[n]);
  }
  for (int64_t n = 0; n < kRows; ++n) {
    total[n] = fused(product[n], block.super[n], total[n]);
    if (layout.scales == BlockScales::integer_minima)
      total[n] = fused(lowered[n], -block.super_minimum[n], total[n]);
  }
}

void strip_dots(const BlockDots& job) {
  const BlockLayout& layout = *job.layout;
  const int64_t block_bytes = block_offsets(layout).bytes;
  int16_t levels[256];
  make_levels(layout, levels);
  for (int64_t m = 0; m < job.rows; ++m) {
    for (int64_t n = 0; n < job.outputs; ++n) job.out[m * job.stride + n] = 0.0f;
  }
  for (int64_t b = 0; b < job.blocks; ++b) {
    Unpacked block;
    unpack_codes(layout, job.strip + b * block_bytes, levels, block);
    unpack_scales(layout, job.strip + b * block_bytes, block);
    for (int64_t m = 0; m < job.rows; ++m) {
      const BlockRows in = job.in.from(b * job.in.pitch + m);
      float* out = job.out + m * job.stride;
      float total[kRows] = {};
      for (int64_t n = 0; n < job.outputs; ++n) total[n] = out[n];
      if (has_integer_scales(layout))
        add_integer_block(layout, block, in.codes, in.scales, total);
      else
        add_float_block(layout, block, in.codes, in.scales, total);
      for (int64_t n = 0; n < job.outputs; ++n) out[n] = total[n];
    }
  }
  if (job.bias == nullptr) return;
  for (int64_t m = 0; m < job.rows; ++m) {
    for (int64_t n = 0; n < job.outputs; ++n) job.out[m * job.stride + n] += job.bias[n];
  }
}

void dots(const BlockDots& job) {
  for (int64_t s = 0; s < job.strips; ++s) strip_dots(strip_of(job, s));
}

// Codes of a run of `count` values, the rest of it zero; NaN becomes 127. Returns the scale.
float quantise_run(const float* in, int64_t count, int8_t* codes) {
  float maximum = 0.0f;
  for (int64_t k = 0; k < count; ++k) {
    const float value = __builtin_fabsf(in[k]);
    maximum = value > maximum ? value : maximum;
  }
  for (int64_t k = 0; k < kBlockRun; ++k) codes[k] = 0;
  if (!(maximum >= 1e-30f)) return 0.0f;  // 127 / maximum would overflow
  const float factor = 127.0f / maximum;
  for (int64_t k = 0; k < count; ++k) {
    float value = in[k] * factor;
    value = value < 127.0f ? value : 127.0f;
    value = value > -127.0f ? value : -127.0f;
    codes[k] = static_cast<int8_t>(static_cast<int32_t>((value + kRoundingMagic) - kRoundingMagic));
  }
  return maximum / 127.0f;
}

void quantise(const float* in, int64_t width, int64_t blocks, const BlockRows& to) {
  for (int64_t b = 0; b < blocks; ++b) {
    const BlockRows block = to.from(b * to.pitch);
    for (int64_t i = 0; i < kBlockRuns; ++i) {
      const int64_t first = b * kBlockColumns + i * kBlockRun;
      const int64_t left = width - first;
      const int64_t count = left < 0 ? 0 : left < kBlockRun ? left : kBlockRun;
      block.scales[i] =
          quantise_run(in + (count > 0 ? first : 0), count, block.codes + i * kBlockRun);
    }
    for (int64_t i = 0; i < kBlockSums; ++i) {
      const bool run = i >= 16;  // or 16 columns
      block.sums[i] = run ? sum_of_codes(block.codes + kBlockRun * (i - 16), kBlockRun)
                          : sum_of_codes(block.codes + 16 * i, 16);
      block.scaled_sums[i] = static_cast<float>(block.sums[i]) * block.scales[run ? i - 16 : i / 2];
    }
  }
}

// The weights themselves are multiplied here, which start from zero.
BlockStart start(const BlockLayout&) { return {}; }

void make_starts(const int32_t* sums, int64_t count, BlockStart start, int32_t* to) {
  int32_t bases[kBlockSums];
  for (int64_t i = 0; i < kBlockSums; ++i) bases[i] = i >= 16 || i % 2 == 0 ? start.base : 0;
  for (int64_t first = 0; first < count; first += kBlockSums) {
    for (int64_t i = 0; i < kBlockSums; ++i)
      to[first + i] = sums[first + i] * start.factor + bases[i];
  }
}

}  // namespace

constinit const BlockKernels scalar_block = {"scalar", dots, quantise, start, make_starts};

}  // namespace bittern::kernel
