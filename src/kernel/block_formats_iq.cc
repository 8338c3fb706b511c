// Readers of IQ1, IQ2 and IQ3, whose files hold indices into codebooks of 8 (IQ3: 4) values: what
// an index stands for becomes a code for each value, with its sign as the highest bit,
//
//   IQ3  level of 8, bit 3 the sign                    codebooks iq3_xxs, iq3_s of kernel/block.h
//   IQ2  level of 3, bit 2 the sign                    codebook iq2
//   IQ1  level of 3, bit 2 set where the shift is -1/8 codebook iq1, which counts in eighths
//
// and the odd factors 2 scale + 1 are the integer scales. The power of two that is left is the
// layout's fraction_bits. A value is so an f16 times at most five bits times at most six: exact in
// float32, however it is multiplied. The pictures of the bytes are in src/codec/iq{1,2,3}.cc.
#include <cstring>

#include "codec/iq_grids.h"
#include "kernel/block_formats.h"
#include "kernel/code_bits.h"

namespace bittern::kernel {
namespace {

constexpr int64_t kGroup = 8;
constexpr int64_t kGroups = kBlockColumns / kGroup;

uint16_t odd_scale(uint32_t scale) { return static_cast<uint16_t>(2 * scale + 1); }

uint32_t nibble_at(const std::byte* bytes, int64_t index) {
  return load<uint8_t>(bytes + index / 2) >> (4 * (index % 2)) & 15u;
}

// Group g of a row from two bits a level and eight signs.
void put_crumbs(int64_t g, uint16_t entry, uint32_t signs, BlockRow& row) {
  const uint64_t eight = crumbs_apart(entry) | bits_apart(signs & 255) << 2;
  std::memcpy(row.codes + g * kGroup, &eight, sizeof eight);
}

// The same from the nibbles of two entries.
void put_nibbles(int64_t g, uint16_t first, uint16_t second, uint32_t signs, BlockRow& row) {
  const uint64_t entries = first | static_cast<uint64_t>(second) << 16;
  const uint64_t eight = nibbles_apart(entries) | bits_apart(signs & 255) << 3;
  std::memcpy(row.codes + g * kGroup, &eight, sizeof eight);
}

}  // namespace

void read_iq3_xxs_block(const std::byte* block, int64_t, BlockRow& row) {
  row.super = load<uint16_t>(block);
  for (int64_t g = 0; g < kGroups; ++g) {
    const auto packed = load<uint32_t>(block + 66 + g / 4 * 4);
    const std::byte* qs = block + 2 + 2 * g;
    put_nibbles(g, codec::kIq3XxsGrid[load<uint8_t>(qs)], codec::kIq3XxsGrid[load<uint8_t>(qs + 1)],
                codec::signs_of(packed >> (7 * (g % 4)) & 127u), row);
    row.scales[g / 4] = odd_scale(packed >> 28);
  }
}

void read_iq3_s_block(const std::byte* block, int64_t, BlockRow& row) {
  row.super = load<uint16_t>(block);
  for (int64_t j = 0; j < 8; ++j) row.scales[j] = odd_scale(nibble_at(block + 106, j));
  for (int64_t g = 0; g < kGroups; ++g) {
    const std::byte* qs = block + 2 + 2 * g;
    const uint32_t high = load<uint8_t>(block + 66 + g / 4) >> (2 * (g % 4));
    put_nibbles(g, codec::kIq3SGrid[load<uint8_t>(qs) | (high & 1u) << 8],
                codec::kIq3SGrid[load<uint8_t>(qs + 1) | (high >> 1 & 1u) << 8],
                load<uint8_t>(block + 74 + g), row);
  }
}

void read_iq2_xxs_block(const std::byte* block, int64_t, BlockRow& row) {
  row.super = load<uint16_t>(block);
  for (int64_t g = 0; g < kGroups; ++g) {
    const std::byte* words = block + 2 + g / 4 * 8;
    const auto packed = load<uint32_t>(words + 4);
    put_crumbs(g, codec::kIq2XxsGrid[load<uint8_t>(words + g % 4)],
               codec::signs_of(packed >> (7 * (g % 4)) & 127u), row);
    row.scales[g / 4] = odd_scale(packed >> 28);
  }
}

void read_iq2_xs_block(const std::byte* block, int64_t, BlockRow& row) {
  row.super = load<uint16_t>(block);
  for (int64_t j = 0; j < 16; ++j) row.scales[j] = odd_scale(nibble_at(block + 66, j));
  for (int64_t g = 0; g < kGroups; ++g) {
    const uint32_t packed = load<uint16_t>(block + 2 + 2 * g);
    put_crumbs(g, codec::kIq2XsGrid[packed & 511u], codec::signs_of(packed >> 9), row);
  }
}

void read_iq2_s_block(const std::byte* block, int64_t, BlockRow& row) {
  row.super = load<uint16_t>(block);
  for (int64_t j = 0; j < 16; ++j) row.scales[j] = odd_scale(nibble_at(block + 74, j));
  for (int64_t g = 0; g < kGroups; ++g) {
    const uint32_t high = load<uint8_t>(block + 66 + g / 4) >> (2 * (g % 4)) & 3u;
    put_crumbs(g, codec::kIq2SGrid[load<uint8_t>(block + 2 + g) | high << 8],
               load<uint8_t>(block + 34 + g), row);
  }
}

void read_iq1_s_block(const std::byte* block, int64_t, BlockRow& row) {
  row.super = load<uint16_t>(block);
  for (int64_t g = 0; g < kGroups; ++g) {
    const uint32_t high = load<uint16_t>(block + 34 + g / 4 * 2);
    const uint32_t entry = load<uint8_t>(block + 2 + g) | (high >> (3 * (g % 4)) & 7u) << 8;
    put_crumbs(g, codec::kIq1SGrid[entry], (high & 0x8000u) != 0 ? 255 : 0, row);
    row.scales[g / 4] = odd_scale(high >> 12 & 7u);
  }
}

void read_iq1_m_block(const std::byte* block, int64_t, BlockRow& row) {
  row.super = 0;
  for (int64_t i = 0; i < 4; ++i) {
    const uint32_t scales = load<uint16_t>(block + 48 + 2 * i);
    row.super = static_cast<uint16_t>(row.super | scales >> 12 << (4 * i));
    for (int64_t j = 0; j < 4; ++j) row.scales[4 * i + j] = odd_scale(scales >> (3 * j) & 7u);
  }
  for (int64_t g = 0; g < kGroups; ++g) {
    const uint32_t high = nibble_at(block + 32, g);
    const uint32_t entry = load<uint8_t>(block + g) | (high & 7u) << 8;
    put_crumbs(g, codec::kIq1SGrid[entry], (high & 8u) != 0 ? 255 : 0, row);
  }
}

}  // namespace bittern::kernel
