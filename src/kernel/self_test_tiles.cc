// The self-test's second half: calls of more rows than a tile of a matrix unit has, so that kernels
// that take tiles of 16 rows really do, with rows, strips and columns left over.

#include <cstring>
#include <vector>

#include "base/random.h"
#include "kernel/attention.h"
#include "kernel/block_buffers.h"
#include "kernel/block_pack.h"
#include "kernel/block_probe.h"
#include "kernel/pack.h"
#include "kernel/select.h"

namespace bittern::kernel {
namespace {

constexpr int64_t kTile = 16;
constexpr int64_t kRows = kTile + 1;

struct alignas(64) Line {
  uint8_t bytes[64];
};

// Bytes at a 64-byte boundary.
std::vector<Line> aligned(const std::vector<uint8_t>& bytes) {
  std::vector<Line> lines((bytes.size() + sizeof(Line) - 1) / sizeof(Line));
  std::memcpy(lines.data(), bytes.data(), bytes.size());
  return lines;
}

std::vector<int8_t> random_codes(random::Sequence& draw, int64_t count) {
  std::vector<int8_t> codes(static_cast<size_t>(count));
  for (int8_t& code : codes) code = static_cast<int8_t>(static_cast<int>(draw.below(255)) - 127);
  return codes;
}

// Sums of `count` rows of codes.
std::vector<int32_t> sums_of(const std::vector<int8_t>& codes, int64_t count) {
  std::vector<int32_t> sums(static_cast<size_t>(count));
  for (size_t i = 0; i < codes.size(); ++i) sums[i * sums.size() / codes.size()] += codes[i];
  return sums;
}

using PackStrip = void (*)(const int8_t* codes, int64_t rows, int64_t columns, uint8_t* strip);

// Three tiles of rows and some, more columns than are unpacked at a time.
bool same_ternary(void (*dots)(const TernaryDots&), void (*truth)(const TernaryDots&),
                  PackStrip pack, int64_t (*bytes_of)(int64_t columns)) {
  constexpr int64_t kMany = 3 * kTile + 3, kColumns = 1024 + 64, kStrips = 2;
  random::Sequence draw(11);
  const int64_t strip_bytes = bytes_of(kColumns);
  std::vector<Line> strips(static_cast<size_t>(kStrips * strip_bytes) / sizeof(Line));
  std::vector<int8_t> weights(static_cast<size_t>(kStripRows * kColumns));
  for (int64_t s = 0; s < kStrips; ++s) {
    for (int8_t& code : weights) code = static_cast<int8_t>(static_cast<int>(draw.below(3)) - 1);
    pack(weights.data(), kStripRows, kColumns,
         reinterpret_cast<uint8_t*>(strips.data()) + s * strip_bytes);
  }
  const std::vector<int8_t> codes = random_codes(draw, kMany * kColumns);
  const std::vector<int32_t> sums = sums_of(codes, kMany);
  const auto run = [&](void (*kernel)(const TernaryDots&)) {
    std::vector<int32_t> out(static_cast<size_t>(kStrips * kMany * kStripRows));
    kernel({.strips = strips.data()->bytes,
            .strip_count = kStrips,
            .strip_bytes = strip_bytes,
            .columns = kColumns,
            .codes = codes.data(),
            .sums = sums.data(),
            .rows = kMany,
            .out = out.data()});
    return out;
  };
  return run(dots) == run(truth);
}

// Every codec's layout and one of each scale of the group-affine ones, by turns two strips of a
// block and a strip of two.
bool same_blocks(const Table& table) {
  constexpr int64_t kMostBlocks = 2;
  random::Sequence draw(12);
  std::vector<float> values(kRows * kMostBlocks * kBlockColumns);
  for (float& value : values) value = static_cast<float>(draw.uniform() * 2 - 1);
  BlockBuffers buffers(kMostBlocks, kRows);
  const BlockRows in = buffers.rows();
  for (int64_t m = 0; m < kRows; ++m)
    scalar_table.block->quantise(&values[m * kMostBlocks * kBlockColumns],
                                 kMostBlocks * kBlockColumns, kMostBlocks, in.from(m));
  int64_t blocks = 1;
  for (const BlockLayout* layout : block_layouts()) {
    const bool affine =
        layout->scales == BlockScales::f16_zeros || layout->scales == BlockScales::bf16_zeros;
    if (affine && (layout->sub != 128 || layout->code_bits % 4 != 0)) continue;
    const int64_t strips = kMostBlocks + 1 - blocks;
    const std::vector<Line> bytes = aligned(random_block_strip(draw, *layout, kMostBlocks));
    const auto run = [&](const BlockKernels& kernels) {
      std::vector<float> out(static_cast<size_t>(kRows * strips * kBlockStripRows));
      buffers.make_starts(kernels, *layout);
      kernels.dots({.layout = layout,
                    .strip = bytes.data()->bytes,
                    .strips = strips,
                    .strip_bytes = block_offsets(*layout).bytes * blocks,
                    .blocks = blocks,
                    .in = in,
                    .rows = kRows,
                    .outputs = strips * kBlockStripRows - 3,
                    .bias = values.data(),
                    .out = out.data(),
                    .stride = strips * kBlockStripRows});
      return out;
    };
    const std::vector<float> made = run(*table.block), truth = run(*scalar_table.block);
    if (std::memcmp(made.data(), truth.data(), truth.size() * sizeof(float)) != 0) return false;
    blocks = strips;
  }
  return true;
}

// Keys of 96 elements; values of 48 columns at the ends of a chunk.
bool same_attention(const Table& table) {
  constexpr int64_t kKeyRows = 24, kColumns = 48, kFew = 5;
  random::Sequence draw(13);
  const std::vector<int8_t> queries = random_codes(draw, kRows * kKeyRows * kKeyCodeRow);
  const std::vector<int32_t> sums = sums_of(queries, kRows);
  const std::vector<int8_t> panel = random_codes(draw, kKeyRows * kKeyRowBytes);
  std::vector<float> factors(kPanelColumns);
  for (float& factor : factors) factor = static_cast<float>(draw.uniform());
  std::vector<int16_t> weights(kRows * kAttendChunk);
  for (int16_t& weight : weights) weight = static_cast<int16_t>(draw.below(32768));
  const PanelPiece pieces[] = {{panel.data(), 0, kFew, panel.data()},
                               {panel.data(), kAttendChunk / 2 - kFew, kFew, panel.data()}};
  const auto run = [&](const AttentionKernels& kernels) {
    std::vector<float> out(2 * kRows * kPanelColumns);
    kernels.key_dots({.codes = queries.data(),
                      .code_stride = kKeyRows * kKeyCodeRow,
                      .sums = sums.data(),
                      .queries = kRows,
                      .keys = reinterpret_cast<const uint8_t*>(panel.data()),
                      .rows = kKeyRows,
                      .next = panel.data(),
                      .scales = factors.data(),
                      .out = out.data(),
                      .out_stride = kPanelColumns});
    kernels.value_dots({.codes = weights.data(),
                        .factors = factors.data(),
                        .queries = kRows,
                        .pieces = pieces,
                        .piece_count = 2,
                        .columns = kColumns,
                        .out = &out[kRows * kPanelColumns],
                        .out_stride = kPanelColumns});
    return out;
  };
  return run(*table.attention) == run(*scalar_table.attention);
}

}  // namespace

std::optional<std::string> tile_test(const Table& table) {
  if (!same_ternary(table.ternary->dots, scalar_ternary.dots, t2_pack_strip, t2_strip_bytes))
    return "ternary dots of many rows";
  if (!same_blocks(table)) return "block formats of many rows";
  if (!same_attention(table)) return "attention of many queries";
  return std::nullopt;
}

bool dense_tile_test(const DenseTernary& dense) {
  return same_ternary(dense.dots, scalar_dense.dots, t16_pack_strip, t16_strip_bytes);
}

}  // namespace bittern::kernel
