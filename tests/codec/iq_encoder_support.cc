// See iq_encoder.h. A block is brought into a common form first (Coded), then written in the
// format's own bytes, whose pictures are in src/codec/iq{1,2,3}.cc.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <span>

#include "base/half.h"
#include "codec/iq_encoder.h"
#include "codec/iq_grids.h"

namespace bittern::test {
namespace {

using codec::Id;

constexpr float kIq2Levels[] = {8, 25, 43};
constexpr float kIq3XxsLevels[] = {4, 12, 20, 28, 36, 44, 52, 62};
constexpr float kIq3SLevels[] = {1, 3, 5, 7, 9, 11, 13, 15};
constexpr float kIq1Levels[] = {-1, 0, 1};

// value = d * unit * (2 scale + 1) * level, with a sign; of IQ1 level + shift.
struct Grid {
  Id id;
  std::span<const uint16_t> entries;
  int group;  // values of an entry
  std::span<const float> levels;
  float unit;
  int sub, most_scale;   // values of a scale; its largest code
  bool paired_signs;     // an even number of every eight is negative
  int shift_groups = 0;  // IQ1: entries that share a shift
};

const Grid kGrids[] = {
    {Id::iq3_xxs, codec::kIq3XxsGrid, 4, kIq3XxsLevels, 0.25f, 32, 15, true},
    {Id::iq3_s, codec::kIq3SGrid, 4, kIq3SLevels, 1.0f, 32, 15, false},
    {Id::iq2_xxs, codec::kIq2XxsGrid, 8, kIq2Levels, 0.125f, 32, 15, true},
    {Id::iq2_xs, codec::kIq2XsGrid, 8, kIq2Levels, 0.125f, 16, 15, true},
    {Id::iq2_s, codec::kIq2SGrid, 8, kIq2Levels, 0.125f, 16, 15, false},
    {Id::iq1_s, codec::kIq1SGrid, 8, kIq1Levels, 1.0f, 32, 7, false, 4},
    {Id::iq1_m, codec::kIq1SGrid, 8, kIq1Levels, 1.0f, 16, 7, false, 1},
};

const Grid* find_grid(Id id) {
  const auto* grid = std::ranges::find(kGrids, id, &Grid::id);
  return grid == std::end(kGrids) ? nullptr : grid;
}

int nearest_level(const Grid& grid, float value) {
  const auto distance = [&](float level) { return std::fabs(level - value); };
  return static_cast<int>(std::ranges::min_element(grid.levels, {}, distance) -
                          grid.levels.begin());
}

// For every pattern of levels of a group (the first the least digit) the nearest entry.
const std::vector<uint16_t>& nearest_entries(const Grid& grid) {
  static std::map<const uint16_t*, std::vector<uint16_t>> all;
  std::vector<uint16_t>& nearest = all[grid.entries.data()];
  if (!nearest.empty()) return nearest;
  const auto count = static_cast<int>(grid.levels.size());
  const int bits = grid.group == 8 ? 2 : 4;
  int patterns = 1;
  for (int i = 0; i < grid.group; ++i) patterns *= count;
  for (int pattern = 0; pattern < patterns; ++pattern) {
    const auto distance = [&](uint16_t entry) {
      float sum = 0.0f;
      for (int i = 0, rest = pattern; i < grid.group; ++i, rest /= count) {
        const float off = grid.levels[static_cast<size_t>(rest % count)] -
                          grid.levels[static_cast<size_t>(entry >> bits * i & (bits == 2 ? 3 : 7))];
        sum += off * off;
      }
      return sum;
    };
    const auto best = std::ranges::min_element(grid.entries, {}, distance);
    nearest.push_back(static_cast<uint16_t>(best - grid.entries.begin()));
  }
  return nearest;
}

struct Coded {
  uint16_t d = 0;
  std::array<uint32_t, 16> scales = {};
  std::array<uint32_t, 64> entries = {};
  std::array<uint32_t, 32> signs = {};  // of eight values; IQ1: 255 where the shift is negative
};

// The factor that a sub-block wants: its largest value a little beyond the last level; of IQ1 as
// is good for three levels.
float wanted_factor(const Grid& grid, const float* values) {
  float sum = 0.0f, most = 0.0f;
  for (int i = 0; i < grid.sub; ++i) {
    sum += std::fabs(values[i]);
    most = std::max(most, std::fabs(values[i]));
  }
  if (grid.shift_groups > 0) return 1.2f * sum / static_cast<float>(grid.sub);
  return 0.8f * most / (grid.levels.back() * grid.unit);
}

uint32_t entry_of(const Grid& grid, const float* values) {
  int pattern = 0;
  for (int i = grid.group - 1; i >= 0; --i)
    pattern = pattern * static_cast<int>(grid.levels.size()) + nearest_level(grid, values[i]);
  return nearest_entries(grid)[static_cast<size_t>(pattern)];
}

// Eight magnitudes of the levels' size and their signs.
uint32_t take_signs(bool paired, float* values) {
  uint32_t signs = 0;
  int negative = 0, least = 0;
  for (int i = 0; i < 8; ++i) {
    if (std::fabs(values[i]) < std::fabs(values[least])) least = i;
    if (!(values[i] < 0.0f)) continue;
    signs |= 1u << i;
    ++negative;
  }
  if (paired && negative % 2 != 0) signs ^= 1u << least;
  for (int i = 0; i < 8; ++i) values[i] = std::fabs(values[i]);
  return signs;
}

Coded encode_block(const Grid& grid, const float* values) {
  Coded coded;
  const int subs = 256 / grid.sub;
  float most = 0.0f;
  for (int j = 0; j < subs; ++j) most = std::max(most, wanted_factor(grid, values + j * grid.sub));
  coded.d = f32_to_f16(most / static_cast<float>(2 * grid.most_scale + 1));
  const float d = f16_to_f32(coded.d);
  for (int g = 0; g < 32; ++g) {
    const auto j = static_cast<size_t>(8 * g / grid.sub);
    const float* sub = values + static_cast<int>(j) * grid.sub;
    const float factor = d > 0.0f ? wanted_factor(grid, sub) / d : 1.0f;
    coded.scales[j] = static_cast<uint32_t>(
        std::clamp<int>(static_cast<int>(std::lround((factor - 1.0f) / 2.0f)), 0, grid.most_scale));
    const float scale = d * grid.unit * static_cast<float>(2 * coded.scales[j] + 1);
    float eight[8];
    for (int i = 0; i < 8; ++i) eight[i] = scale > 0.0f ? values[8 * g + i] / scale : 0.0f;
    uint32_t& signs = coded.signs[static_cast<size_t>(g)];
    if (grid.shift_groups > 0) {
      // The shift against the sign of what the groups that share it sum up to.
      const int first = g / grid.shift_groups * grid.shift_groups;
      float sum = 0.0f;
      for (int i = 8 * first; i < 8 * (first + grid.shift_groups); ++i) sum += values[i];
      signs = sum < 0.0f ? 255 : 0;
      for (float& value : eight) value += sum < 0.0f ? 0.125f : -0.125f;
    } else {
      signs = take_signs(grid.paired_signs, eight);
    }
    for (int part = 0; part < 8 / grid.group; ++part)
      coded.entries[static_cast<size_t>(8 / grid.group * g + part)] =
          entry_of(grid, eight + part * grid.group);
  }
  return coded;
}

void add_bits(std::byte* to, int first_bit, uint32_t value) {
  for (int i = 0; value >> i != 0; ++i) {
    const int bit = first_bit + i;
    if ((value >> i & 1) != 0) to[bit / 8] |= std::byte{1} << bit % 8;
  }
}

// Bits are counted from the lowest of the first byte.
void write_block(Id id, const Coded& coded, std::byte* to) {
  const int subs = id == Id::iq2_xs || id == Id::iq2_s || id == Id::iq1_m ? 16 : 8;
  const auto bytes = [](int count) { return 8 * count; };
  if (id != Id::iq1_m) add_bits(to, 0, coded.d);
  for (int g = 0; g < 32; ++g) {
    const auto at = static_cast<size_t>(g);
    const uint32_t entry = coded.entries[at], signs = coded.signs[at];
    switch (id) {
      case Id::iq3_xxs:
      case Id::iq3_s:
        for (int part = 0; part < 2; ++part) {
          const int index = 2 * g + part;
          const uint32_t own = coded.entries[static_cast<size_t>(index)];
          add_bits(to, bytes(2 + index), own & 255);
          add_bits(to, bytes(66) + index, own >> 8);  // IQ3_XXS: none
        }
        if (id == Id::iq3_s) add_bits(to, bytes(74 + g), signs);
        if (id == Id::iq3_xxs) add_bits(to, bytes(66) + g / 4 * 32 + g % 4 * 7, signs & 127);
        break;
      case Id::iq2_xxs:
        add_bits(to, bytes(2) + g / 4 * 64 + g % 4 * 8, entry);
        add_bits(to, bytes(2) + g / 4 * 64 + 32 + g % 4 * 7, signs & 127);
        break;
      case Id::iq2_xs:
        add_bits(to, bytes(2) + 16 * g, entry | (signs & 127) << 9);
        break;
      case Id::iq2_s:
        add_bits(to, bytes(2 + g), entry & 255);
        add_bits(to, bytes(66) + 2 * g, entry >> 8);
        add_bits(to, bytes(34 + g), signs);
        break;
      case Id::iq1_s:
        add_bits(to, bytes(2 + g), entry & 255);
        add_bits(to, bytes(34) + g / 4 * 16 + g % 4 * 3, entry >> 8);
        add_bits(to, bytes(34) + g / 4 * 16 + 15, g % 4 == 0 ? signs & 1 : 0);
        break;
      default:  // IQ1_M
        add_bits(to, bytes(g), entry & 255);
        add_bits(to, bytes(32) + 4 * g, entry >> 8 | (signs & 1) << 3);
    }
  }
  for (int j = 0; j < subs; ++j) {
    const uint32_t scale = coded.scales[static_cast<size_t>(j)];
    if (id == Id::iq3_xxs) add_bits(to, bytes(66) + 32 * j + 28, scale);
    if (id == Id::iq3_s) add_bits(to, bytes(106) + 4 * j, scale);
    if (id == Id::iq2_xxs) add_bits(to, bytes(2) + 64 * j + 60, scale);
    if (id == Id::iq2_xs) add_bits(to, bytes(66) + 4 * j, scale);
    if (id == Id::iq2_s) add_bits(to, bytes(74) + 4 * j, scale);
    if (id == Id::iq1_s) add_bits(to, bytes(34) + 16 * j + 12, scale);
    if (id == Id::iq1_m) add_bits(to, bytes(48) + j / 4 * 16 + j % 4 * 3, scale);
  }
  if (id != Id::iq1_m) return;
  for (int i = 0; i < 4; ++i)
    add_bits(to, bytes(48) + 16 * i + 12, static_cast<uint32_t>(coded.d) >> 4 * i & 15);
}

}  // namespace

std::vector<std::byte> encode_any(Id id, const float* values, int64_t rows, int64_t columns) {
  const codec::Codec& codec = codec::get(id);
  std::vector<std::byte> bytes(static_cast<size_t>(codec.tensor_bytes(rows, columns).value()));
  const Grid* grid = find_grid(id);
  if (grid == nullptr) {
    codec.encode(values, rows, columns, bytes.data());
    return bytes;
  }
  std::byte* to = bytes.data();
  for (int64_t block = 0; block < rows * columns / 256; ++block, to += codec.block_bytes)
    write_block(id, encode_block(*grid, values + 256 * block), to);
  return bytes;
}

}  // namespace bittern::test
