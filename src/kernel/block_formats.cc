// The table of block formats, and for each the few lines that take its codes and scales out of the
// codec's bytes. The pictures of those bytes are in the codec's own file (src/codec/).
#include "kernel/block_formats.h"

#include <array>
#include <cmath>
#include <cstring>

#include "base/half.h"
#include "kernel/code_bits.h"

namespace bittern::kernel {
namespace {

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
  for (int64_t j = 0; j < bytes; j += 2) {
    const uint64_t eight = crumbs_apart(load<uint16_t>(qs + j));
    std::memcpy(codes + 4 * j, &eight, sizeof eight);
  }
}

// Bit `bit` of byte k % 32 is bit `to` of code k, for k from 32 * bit on.
void add_bit_planes(const std::byte* bits, int to, uint8_t* codes) {
  for (int64_t plane = 0; plane < kBlockColumns / 32; ++plane) {
    for (int64_t l = 0; l < 32; ++l)
      codes[32 * plane + l] |= static_cast<uint8_t>((byte_at(bits, l) >> plane & 1) << to);
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
  for (int64_t j = 0; j < 4; ++j) {
    uint64_t eight;
    std::memcpy(&eight, codes + 8 * j, sizeof eight);
    eight |= bits_apart(load<uint8_t>(qh + j)) << 4;
    std::memcpy(codes + 8 * j, &eight, sizeof eight);
  }
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
  add_bit_planes(block, 2, row.codes);
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
  add_bit_planes(block + 16, 4, row.codes);
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

// Halves of UE4M3 values: 2^-10 to 224 with four significant bits, so exact in f16.
std::array<uint16_t, 256> make_halves_of_ue4m3() {
  std::array<uint16_t, 256> halves = {};
  for (int code = 0; code < 256; ++code) {
    const int exponent = code >> 3 & 15, mantissa = code & 7;
    if (code == 0x7f) continue;
    halves[static_cast<size_t>(code)] =
        f32_to_f16(exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -10)
                                 : std::ldexp(static_cast<float>(8 + mantissa), exponent - 11));
  }
  return halves;
}

void read_nvfp4(const std::byte* block, int64_t first, BlockRow& row) {
  static const std::array<uint16_t, 256> kHalves = make_halves_of_ue4m3();
  for (int64_t sub = 0; sub < 4; ++sub) {
    row.scales[first / 16 + sub] = kHalves[load<uint8_t>(block + sub)];
    read_nibbles(block + 4 + 8 * sub, 8, row.codes + first + 16 * sub);
  }
}

void read_q1_0(const std::byte* block, int64_t first, BlockRow& row) {
  row.scales[first / 128] = load<uint16_t>(block);
  for (int64_t j = 0; j < 16; ++j) {
    const uint64_t eight = bits_apart(load<uint8_t>(block + 2 + j));
    std::memcpy(row.codes + first + 8 * j, &eight, sizeof eight);
  }
}

void read_q2_0(const std::byte* block, int64_t first, BlockRow& row) {
  row.scales[first / 64] = load<uint16_t>(block);
  read_crumbs(block + 2, 16, row.codes + first);
}

void read_pq2_0(const std::byte* block, int64_t first, BlockRow& row) {
  row.scales[first / 128] = load<uint16_t>(block);
  read_crumbs(block + 2, 32, row.codes + first);
}

// `kDigits` base-3 digits of each of `kBytes` bytes, the most significant ones first: a byte is a
// fraction of 256, and the digits fall out of its top as it is multiplied by 3 again and again
// (codec/tq1_0.cc). In bytes only, so that a vector holds many.
template <int64_t kBytes, int64_t kDigits>
void read_digits(const std::byte* in, uint8_t* codes) {
  uint8_t rest[kBytes];
  std::memcpy(rest, in, kBytes);
  for (int64_t n = 0; n < kDigits; ++n, codes += kBytes) {
    for (int64_t m = 0; m < kBytes; ++m) {
      codes[m] = static_cast<uint8_t>((rest[m] >= 86) + (rest[m] >= 171));  // 256 / 3, 512 / 3
      rest[m] = static_cast<uint8_t>(3 * rest[m]);
    }
  }
}

void read_tq2_0(const std::byte* block, int64_t, BlockRow& row) {
  row.scales[0] = load<uint16_t>(block + 64);
  read_planes(block, row.codes);
  read_planes(block + 32, row.codes + 128);
}

// The codes of four lanes, a byte each: one of them is 1, the others are 0 or 2 by the three bits
// of `slot` and its sign.
constexpr std::array<uint32_t, 32> make_slots() {
  std::array<uint32_t, 32> slots = {};
  for (unsigned index = 0; index < 32; ++index) {
    const unsigned slot = index & 15;
    const bool negated = index >= 16;
    unsigned minus = (slot & 3) << 1;  // bit n: the n-th lane that is not the zero
    for (unsigned lane = 0; lane < 4; ++lane) {
      unsigned code = 1;
      if (lane != slot >> 2) {
        code = ((minus & 1) != 0) != negated ? 0 : 2;
        minus >>= 1;
      }
      slots[index] |= code << 8 * lane;
    }
  }
  return slots;
}
constexpr std::array<uint32_t, 32> kSlots = make_slots();

void read_stq1_0(const std::byte* block, int64_t, BlockRow& row) {
  row.scales[0] = load<uint16_t>(block + 40);
  for (int64_t group = 0; group < 64; ++group) {
    const int slot = byte_at(block, group / 2) >> 4 * (group % 2) & 15;
    const int sign = byte_at(block + 32, group / 8) >> group % 8 & 1;
    const uint32_t four = kSlots[static_cast<size_t>(16 * sign + slot)];
    uint8_t* codes = row.codes + 64 * (group / 16) + group % 16;
    for (int64_t lane = 0; lane < 4; ++lane)
      codes[16 * lane] = static_cast<uint8_t>(four >> 8 * lane);
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
    {codec::Id::ptq1_0, {"ptq1_0", 2, 128, 1, f16}, read_ptq1_0_block},
    {codec::Id::tq1_0, {"tq1_0", 2, 256, 1, f16}, read_tq1_0_block},
    {codec::Id::tq2_0, {"tq2_0", 2, 256, 1, f16}, read_tq2_0},
    {codec::Id::stq1_0, {"stq1_0", 2, 256, 1, f16}, read_stq1_0},
    {codec::Id::iq3_xxs, {"iq3_xxs", 4, 32, 0, integer, iq3_xxs, false, 1}, read_iq3_xxs_block},
    {codec::Id::iq3_s, {"iq3_s", 4, 32, 0, integer, iq3_s}, read_iq3_s_block},
    {codec::Id::iq2_xxs, {"iq2_xxs", 3, 32, 0, integer, iq2, false, 3}, read_iq2_xxs_block},
    {codec::Id::iq2_xs, {"iq2_xs", 3, 16, 0, integer, iq2, false, 3}, read_iq2_xs_block},
    {codec::Id::iq2_s, {"iq2_s", 3, 16, 0, integer, iq2, false, 3}, read_iq2_s_block},
    {codec::Id::iq1_s, {"iq1_s", 3, 32, 0, integer, iq1, false, 3, true}, read_iq1_s_block},
    {codec::Id::iq1_m, {"iq1_m", 3, 16, 0, integer, iq1, false, 3, true}, read_iq1_m_block},
};

}  // namespace

void read_tq1_0_block(const std::byte* block, int64_t, BlockRow& row) {
  row.scales[0] = load<uint16_t>(block + 52);
  read_digits<32, 5>(block, row.codes);
  read_digits<16, 5>(block + 32, row.codes + 160);
  read_digits<4, 4>(block + 48, row.codes + 240);
}

void read_ptq1_0_block(const std::byte* block, int64_t first, BlockRow& row) {
  row.scales[first / 128] = load<uint16_t>(block + 26);
  read_digits<16, 5>(block, row.codes + first);
  read_digits<8, 5>(block + 16, row.codes + first + 80);
  read_digits<2, 4>(block + 24, row.codes + first + 120);
}

std::span<const BlockFormat> block_formats() { return kFormats; }

}  // namespace bittern::kernel
