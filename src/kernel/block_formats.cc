// The table of block formats, and for each the few lines that take its codes and scales out of the
// codec's bytes. The pictures of those bytes are in the codec's own file (src/codec/).
#include "kernel/block_formats.h"

#include <cmath>
#include <cstring>

#include "base/bytes.h"
#include "base/half.h"

namespace bittern::kernel {
namespace {

int byte_at(const std::byte* bytes, int64_t index) { return load<uint8_t>(bytes + index); }

// Low nibbles of `half` bytes, then the high ones.
void read_nibbles(const std::byte* qs, int64_t half, uint8_t* codes) {
  for (int64_t j = 0; j < half; ++j) {
    const int byte = byte_at(qs, j);
    codes[j] = static_cast<uint8_t>(byte & 15);
    codes[j + half] = static_cast<uint8_t>(byte >> 4);
  }
}

// Four codes a byte, the first in its low bits.
void read_crumbs(const std::byte* qs, int64_t bytes, uint8_t* codes) {
  for (int64_t j = 0; j < bytes; ++j) {
    const int byte = byte_at(qs, j);
    for (int64_t i = 0; i < 4; ++i) codes[4 * j + i] = static_cast<uint8_t>(byte >> 2 * i & 3);
  }
}

// Four planes of 32 codes in 32 bytes: bits 2 * plane of byte l.
void read_planes(const std::byte* qs, uint8_t* codes) {
  for (int64_t plane = 0; plane < 4; ++plane) {
    for (int64_t l = 0; l < 32; ++l)
      codes[32 * plane + l] = static_cast<uint8_t>(byte_at(qs, l) >> 2 * plane & 3);
  }
}

void read_q4_0(const std::byte* block, int64_t first, BlockRow& row) {
  row.scales[first / 32] = load<uint16_t>(block);
  read_nibbles(block + 2, 16, row.codes + first);
}

void read_q4_1(const std::byte* block, int64_t first, BlockRow& row) {
  row.scales[first / 32] = load<uint16_t>(block);
  row.minima[first / 32] = load<uint16_t>(block + 2);
  read_nibbles(block + 4, 16, row.codes + first);
}

// Bit j of the four bytes `qh` is bit 4 of code j.
void add_fifth_bits(const std::byte* qh, uint8_t* codes) {
  const auto bits = load<uint32_t>(qh);
  for (int64_t j = 0; j < 32; ++j) codes[j] |= static_cast<uint8_t>((bits >> j & 1u) << 4);
}

void read_q5_0(const std::byte* block, int64_t first, BlockRow& row) {
  row.scales[first / 32] = load<uint16_t>(block);
  read_nibbles(block + 6, 16, row.codes + first);
  add_fifth_bits(block + 2, row.codes + first);
}

void read_q5_1(const std::byte* block, int64_t first, BlockRow& row) {
  row.scales[first / 32] = load<uint16_t>(block);
  row.minima[first / 32] = load<uint16_t>(block + 2);
  read_nibbles(block + 8, 16, row.codes + first);
  add_fifth_bits(block + 4, row.codes + first);
}

void read_q8_0(const std::byte* block, int64_t first, BlockRow& row) {
  row.scales[first / 32] = load<uint16_t>(block);
  for (int64_t j = 0; j < 32; ++j)
    row.codes[first + j] = static_cast<uint8_t>(byte_at(block + 2, j) ^ 128);
}

void read_q2_k(const std::byte* block, int64_t, BlockRow& row) {
  for (int64_t j = 0; j < 16; ++j) {
    row.scales[j] = static_cast<uint16_t>(byte_at(block, j) & 15);
    row.minima[j] = static_cast<uint16_t>(byte_at(block, j) >> 4);
  }
  row.super = load<uint16_t>(block + 80);
  row.super_minimum = load<uint16_t>(block + 82);
  read_planes(block + 16, row.codes);
  read_planes(block + 48, row.codes + 128);
}

// An int8 as the strip keeps it.
uint16_t signed_byte(int value) { return static_cast<uint8_t>(value); }

void read_q3_k(const std::byte* block, int64_t, BlockRow& row) {
  const std::byte* scales = block + 96;
  for (int64_t j = 0; j < 16; ++j) {
    const int low = byte_at(scales, j % 8) >> (j < 8 ? 0 : 4) & 15;
    const int high = byte_at(scales, 8 + j % 4) >> 2 * (j / 4) & 3;
    row.scales[j] = signed_byte((low | high << 4) - 32);
  }
  row.super = load<uint16_t>(block + 108);
  read_planes(block + 32, row.codes);
  read_planes(block + 64, row.codes + 128);
  for (int64_t k = 0; k < kBlockColumns; ++k)
    row.codes[k] |= static_cast<uint8_t>((byte_at(block, k % 32) >> k / 32 & 1) << 2);
}

// Six-bit scales and minima of Q4_K and Q5_K.
void read_sub_codes(const std::byte* scales, BlockRow& row) {
  for (int64_t j = 0; j < 4; ++j) {
    const int scale = byte_at(scales, j), minimum = byte_at(scales, j + 4);
    const int low = byte_at(scales, j + 8);
    row.scales[j] = static_cast<uint16_t>(scale & 63);
    row.minima[j] = static_cast<uint16_t>(minimum & 63);
    row.scales[j + 4] = static_cast<uint16_t>((low & 15) | scale >> 6 << 4);
    row.minima[j + 4] = static_cast<uint16_t>(low >> 4 | minimum >> 6 << 4);
  }
}

void read_q4_k(const std::byte* block, int64_t, BlockRow& row) {
  row.super = load<uint16_t>(block);
  row.super_minimum = load<uint16_t>(block + 2);
  read_sub_codes(block + 4, row);
  for (int64_t pair = 0; pair < 4; ++pair)
    read_nibbles(block + 16 + 32 * pair, 32, row.codes + 64 * pair);
}

void read_q5_k(const std::byte* block, int64_t, BlockRow& row) {
  row.super = load<uint16_t>(block);
  row.super_minimum = load<uint16_t>(block + 2);
  read_sub_codes(block + 4, row);
  for (int64_t pair = 0; pair < 4; ++pair)
    read_nibbles(block + 48 + 32 * pair, 32, row.codes + 64 * pair);
  for (int64_t k = 0; k < kBlockColumns; ++k)
    row.codes[k] |= static_cast<uint8_t>((byte_at(block + 16, k % 32) >> k / 32 & 1) << 4);
}

void read_q6_k(const std::byte* block, int64_t, BlockRow& row) {
  for (int64_t j = 0; j < 16; ++j) row.scales[j] = static_cast<uint16_t>(byte_at(block + 192, j));
  row.super = load<uint16_t>(block + 208);
  for (int64_t half = 0; half < 2; ++half) {
    const std::byte* ql = block + 64 * half;
    const std::byte* qh = block + 128 + 32 * half;
    uint8_t* codes = row.codes + 128 * half;
    for (int64_t l = 0; l < 32; ++l) {
      const int first = byte_at(ql, l), second = byte_at(ql, l + 32), high = byte_at(qh, l);
      codes[l] = static_cast<uint8_t>((first & 15) | (high & 3) << 4);
      codes[l + 32] = static_cast<uint8_t>((second & 15) | (high >> 2 & 3) << 4);
      codes[l + 64] = static_cast<uint8_t>(first >> 4 | (high >> 4 & 3) << 4);
      codes[l + 96] = static_cast<uint8_t>(second >> 4 | high >> 6 << 4);
    }
  }
}

void read_iq4_xs(const std::byte* block, int64_t, BlockRow& row) {
  row.super = load<uint16_t>(block);
  const int high = load<uint16_t>(block + 2);
  for (int64_t j = 0; j < 8; ++j) {
    const int low = byte_at(block + 4, j / 2) >> 4 * (j % 2) & 15;
    row.scales[j] = signed_byte((low | (high >> 2 * j & 3) << 4) - 32);
    read_nibbles(block + 8 + 16 * j, 16, row.codes + 32 * j);
  }
}

void read_mxfp4(const std::byte* block, int64_t first, BlockRow& row) {
  row.scales[first / 32] = load<uint8_t>(block);
  read_nibbles(block + 1, 16, row.codes + first);
}

// Half of a UE4M3 value: 2^-10 to 224 with four significant bits, so exact in f16.
uint16_t half_ue4m3(int code) {
  if (code == 0x7f) return 0;
  const int exponent = code >> 3 & 15, mantissa = code & 7;
  return f32_to_f16(exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -10)
                                  : std::ldexp(static_cast<float>(8 + mantissa), exponent - 11));
}

void read_nvfp4(const std::byte* block, int64_t first, BlockRow& row) {
  for (int64_t sub = 0; sub < 4; ++sub) {
    row.scales[first / 16 + sub] = half_ue4m3(byte_at(block, sub));
    read_nibbles(block + 4 + 8 * sub, 8, row.codes + first + 16 * sub);
  }
}

void read_q1_0(const std::byte* block, int64_t first, BlockRow& row) {
  row.scales[first / 128] = load<uint16_t>(block);
  for (int64_t j = 0; j < 128; ++j)
    row.codes[first + j] = static_cast<uint8_t>(byte_at(block + 2, j / 8) >> j % 8 & 1);
}

void read_q2_0(const std::byte* block, int64_t first, BlockRow& row) {
  row.scales[first / 64] = load<uint16_t>(block);
  read_crumbs(block + 2, 16, row.codes + first);
}

void read_pq2_0(const std::byte* block, int64_t first, BlockRow& row) {
  row.scales[first / 128] = load<uint16_t>(block);
  read_crumbs(block + 2, 32, row.codes + first);
}

// `digits` base-3 digits of each of `bytes` bytes, the most significant ones first: codec/tq1_0.cc
// says why three times the fraction gives a digit.
void read_digits(const std::byte* in, int64_t bytes, int64_t digits, uint8_t* codes) {
  int power = 1;
  for (int64_t n = 0; n < digits; ++n, power *= 3, codes += bytes) {
    for (int64_t m = 0; m < bytes; ++m)
      codes[m] = static_cast<uint8_t>((byte_at(in, m) * power & 255) * 3 >> 8);
  }
}

void read_tq1_0(const std::byte* block, int64_t, BlockRow& row) {
  row.scales[0] = load<uint16_t>(block + 52);
  read_digits(block, 32, 5, row.codes);
  read_digits(block + 32, 16, 5, row.codes + 160);
  read_digits(block + 48, 4, 4, row.codes + 240);
}

void read_ptq1_0(const std::byte* block, int64_t first, BlockRow& row) {
  row.scales[first / 128] = load<uint16_t>(block + 26);
  read_digits(block, 16, 5, row.codes + first);
  read_digits(block + 16, 8, 5, row.codes + first + 80);
  read_digits(block + 24, 2, 4, row.codes + first + 120);
}

void read_tq2_0(const std::byte* block, int64_t, BlockRow& row) {
  row.scales[0] = load<uint16_t>(block + 64);
  read_planes(block, row.codes);
  read_planes(block + 32, row.codes + 128);
}

void read_stq1_0(const std::byte* block, int64_t, BlockRow& row) {
  row.scales[0] = load<uint16_t>(block + 40);
  for (int64_t group = 0; group < 64; ++group) {
    const int slot = byte_at(block, group / 2) >> 4 * (group % 2) & 15;
    const bool negated = (byte_at(block + 32, group / 8) >> group % 8 & 1) != 0;
    int minus = (slot & 3) << 1;  // bit n: the n-th lane that is not the zero
    for (int lane = 0; lane < 4; ++lane) {
      uint8_t& code = row.codes[64 * (group / 16) + group % 16 + 16 * lane];
      code = 1;
      if (lane == slot >> 2) continue;
      code = ((minus & 1) != 0) != negated ? 0 : 2;
      minus >>= 1;
    }
  }
}

using enum BlockScales;
using enum BlockCodebook;

constexpr BlockFormat kFormats[] = {
    {codec::Id::q4_0, {"q4_0", 4, 32, 8, f16}, read_q4_0},
    {codec::Id::q4_1, {"q4_1", 4, 32, 0, f16_minima}, read_q4_1},
    {codec::Id::q5_0, {"q5_0", 5, 32, 16, f16}, read_q5_0},
    {codec::Id::q5_1, {"q5_1", 5, 32, 0, f16_minima}, read_q5_1},
    {codec::Id::q8_0, {"q8_0", 8, 32, 128, f16}, read_q8_0},
    {codec::Id::q2_k, {"q2_k", 2, 16, 0, integer_minima}, read_q2_k},
    {codec::Id::q3_k, {"q3_k", 3, 16, 4, integer}, read_q3_k},
    {codec::Id::q4_k, {"q4_k", 4, 32, 0, integer_minima}, read_q4_k},
    {codec::Id::q5_k, {"q5_k", 5, 32, 0, integer_minima}, read_q5_k},
    {codec::Id::q6_k, {"q6_k", 6, 16, 32, integer}, read_q6_k},
    {codec::Id::iq4_nl, {"iq4_nl", 4, 32, 0, f16, iq4_nl}, read_q4_0},
    {codec::Id::iq4_xs, {"iq4_xs", 4, 32, 0, integer, iq4_nl}, read_iq4_xs},
    {codec::Id::mxfp4, {"mxfp4", 4, 32, 0, e8m0, fp4}, read_mxfp4},
    {codec::Id::nvfp4, {"nvfp4", 4, 16, 0, f16, fp4}, read_nvfp4},
    {codec::Id::q1_0, {"q1_0", 1, 128, 1, f16, none, true}, read_q1_0},
    {codec::Id::q2_0, {"q2_0", 2, 64, 1, f16}, read_q2_0},
    {codec::Id::pq2_0, {"pq2_0", 2, 128, 1, f16}, read_pq2_0},
    {codec::Id::ptq1_0, {"ptq1_0", 2, 128, 1, f16}, read_ptq1_0},
    {codec::Id::tq1_0, {"tq1_0", 2, 256, 1, f16}, read_tq1_0},
    {codec::Id::tq2_0, {"tq2_0", 2, 256, 1, f16}, read_tq2_0},
    {codec::Id::stq1_0, {"stq1_0", 2, 256, 1, f16}, read_stq1_0},
};

}  // namespace

std::span<const BlockFormat> block_formats() { return kFormats; }

}  // namespace bittern::kernel
