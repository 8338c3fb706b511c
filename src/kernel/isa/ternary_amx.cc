// Ternary products with AMX: T2 strips. Written from the manual and tested in software
// (tests/kernel/amx_emulator_support.h); its speed has not been measured.
//
// Four lines of a strip (pack.h), 64 columns, make one B tile: row r = 4 * line + p holds plane p
// of that line, shifted down to codes 0, 1, 2, so byte 4n + i is the code of output n, column 4r +
// i. Two strips are unpacked for a panel of columns, then every 32 rows of activations pass over
// them in a 2 x 2 block of int32 tiles, which are read back from `out` between panels (exact):
//
//   per 64 columns of 32 rows x 32 outputs: 4 tileloadd, 4 tdpbsud     64 cycles, the multiplier's
//   unpacking a tile: 4 x (1 load, 3 shifts, 4 vpandd, 4 stores), once for all rows of a panel
//
// Fewer than 16 rows, what is left of them, and a strip without a second go to the AVX-512 kernel:
// the integers are the same.

#if defined(__GNUC__) && !defined(__clang__)
// gcc 12's _mm512_undefined_* are variables initialised with themselves, and it warns about them.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/ternary.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_avx512.inl"
#include "kernel/isa/ternary_scale.inl"
#include "kernel/isa/tiles.inl"

constexpr int64_t kTileBytes = 1024, kTileColumns = 64, kTileRows = 16;
constexpr int64_t kPanelColumns = 1024;  // two strips of them: 32 KiB of B tiles

alignas(64) constexpr TileConfig kConfig = whole_tiles();

// Columns [0, columns) of a strip from `lines` on as B tiles.
void unpack_panel(const uint8_t* lines, int64_t columns, uint8_t* out) {
  const __m512i mask = _mm512_set1_epi8(3);
  for (int64_t k = 0; k < columns; k += 16, lines += 64, out += 256) {
    const __m512i line = _mm512_loadu_si512(lines);
    _mm512_store_si512(out, _mm512_and_si512(line, mask));
    _mm512_store_si512(out + 64, _mm512_and_si512(_mm512_srli_epi16(line, 2), mask));
    _mm512_store_si512(out + 128, _mm512_and_si512(_mm512_srli_epi16(line, 4), mask));
    _mm512_store_si512(out + 192, _mm512_and_si512(_mm512_srli_epi16(line, 6), mask));
  }
}

struct Block {
  const int8_t* codes;  // of the block's first row, at the panel's first column
  int64_t row_bytes;
  const uint8_t *first, *second;  // unpacked panels of the two strips
  int64_t tiles;                  // of a panel
  int32_t *first_out, *second_out;
  bool fresh;  // the first panel: nothing in `out` yet
};

// 16 rows x 2 strips.
void multiply_16(const Block& block) {
  if (block.fresh) {
    BITTERN_TILE_ZERO(0);
    BITTERN_TILE_ZERO(1);
  } else {
    BITTERN_TILE_LOAD(0, block.first_out, 64);
    BITTERN_TILE_LOAD(1, block.second_out, 64);
  }
  for (int64_t t = 0; t < block.tiles; ++t) {
    BITTERN_TILE_LOAD(4, block.codes + t * kTileColumns, block.row_bytes);
    BITTERN_TILE_LOAD(6, block.first + t * kTileBytes, 64);
    BITTERN_TILE_SIGNED_UNSIGNED(0, 4, 6);
    BITTERN_TILE_LOAD(7, block.second + t * kTileBytes, 64);
    BITTERN_TILE_SIGNED_UNSIGNED(1, 4, 7);
  }
  BITTERN_TILE_STORE(0, block.first_out, 64);
  BITTERN_TILE_STORE(1, block.second_out, 64);
}

// 32 rows x 2 strips.
void multiply_32(const Block& block) {
  const int8_t* lower = block.codes + kTileRows * block.row_bytes;
  int32_t* first_lower = block.first_out + kTileRows * kStripRows;
  int32_t* second_lower = block.second_out + kTileRows * kStripRows;
  if (block.fresh) {
    BITTERN_TILE_ZERO(0);
    BITTERN_TILE_ZERO(1);
    BITTERN_TILE_ZERO(2);
    BITTERN_TILE_ZERO(3);
  } else {
    BITTERN_TILE_LOAD(0, block.first_out, 64);
    BITTERN_TILE_LOAD(1, block.second_out, 64);
    BITTERN_TILE_LOAD(2, first_lower, 64);
    BITTERN_TILE_LOAD(3, second_lower, 64);
  }
  for (int64_t t = 0; t < block.tiles; ++t) {
    BITTERN_TILE_LOAD(4, block.codes + t * kTileColumns, block.row_bytes);
    BITTERN_TILE_LOAD(6, block.first + t * kTileBytes, 64);
    BITTERN_TILE_SIGNED_UNSIGNED(0, 4, 6);
    BITTERN_TILE_LOAD(7, block.second + t * kTileBytes, 64);
    BITTERN_TILE_SIGNED_UNSIGNED(1, 4, 7);
    BITTERN_TILE_LOAD(5, lower + t * kTileColumns, block.row_bytes);
    BITTERN_TILE_SIGNED_UNSIGNED(2, 5, 6);
    BITTERN_TILE_SIGNED_UNSIGNED(3, 5, 7);
  }
  BITTERN_TILE_STORE(0, block.first_out, 64);
  BITTERN_TILE_STORE(1, block.second_out, 64);
  BITTERN_TILE_STORE(2, first_lower, 64);
  BITTERN_TILE_STORE(3, second_lower, 64);
}

// Strips `strip` and strip + 1 for the first `rows` rows, a multiple of 16. Sums of codes are not
// subtracted yet.
void multiply_strips(const TernaryDots& job, int64_t strip, int64_t rows) {
  alignas(64) uint8_t panels[2][kPanelColumns * kStripRows];
  const uint8_t* lines = job.strips + strip * job.strip_bytes;
  for (int64_t k = 0; k < job.columns; k += kPanelColumns) {
    const int64_t columns = job.columns - k < kPanelColumns ? job.columns - k : kPanelColumns;
    unpack_panel(lines + k * 4, columns, panels[0]);
    unpack_panel(lines + job.strip_bytes + k * 4, columns, panels[1]);
    for (int64_t row = 0; row < rows;) {
      int32_t* out = job.out + (strip * job.rows + row) * kStripRows;
      const Block block = {.codes = job.codes + row * job.columns + k,
                           .row_bytes = job.columns,
                           .first = panels[0],
                           .second = panels[1],
                           .tiles = columns / kTileColumns,
                           .first_out = out,
                           .second_out = out + job.rows * kStripRows,
                           .fresh = k == 0};
      const bool two = row + 2 * kTileRows <= rows;
      two ? multiply_32(block) : multiply_16(block);
      row += two ? 2 * kTileRows : kTileRows;
    }
  }
}

void subtract_sums(const TernaryDots& job, int64_t strip, int64_t rows) {
  int32_t* out = job.out + strip * job.rows * kStripRows;
  for (int64_t row = 0; row < rows; ++row, out += kStripRows) {
    const __m512i sum = _mm512_set1_epi32(job.sums[row]);
    _mm512_storeu_si512(out, _mm512_sub_epi32(_mm512_loadu_si512(out), sum));
  }
}

// Rows from `row` on of `count` strips from `strip` on.
void by_vectors(const TernaryDots& job, int64_t strip, int64_t count, int64_t row) {
  for (int64_t s = strip; s < strip + count; ++s) {
    avx512_ternary.dots({.strips = job.strips + s * job.strip_bytes,
                         .strip_count = 1,
                         .strip_bytes = job.strip_bytes,
                         .columns = job.columns,
                         .codes = job.codes + row * job.columns,
                         .sums = job.sums + row,
                         .rows = job.rows - row,
                         .out = job.out + (s * job.rows + row) * kStripRows});
  }
}

void ternary_dots(const TernaryDots& job) {
  const int64_t rows = job.rows / kTileRows * kTileRows;
  const int64_t strips = job.strip_count / 2 * 2;
  if (rows == 0 || strips == 0) return avx512_ternary.dots(job);
  load_tile_config(kConfig);
  for (int64_t strip = 0; strip < strips; strip += 2) multiply_strips(job, strip, rows);
  release_tiles();
  for (int64_t strip = 0; strip < strips; ++strip) subtract_sums(job, strip, rows);
  if (rows < job.rows) by_vectors(job, 0, strips, rows);
  if (strips < job.strip_count) by_vectors(job, strips, 1, 0);
}

}  // namespace

constinit const TernaryKernels amx_ternary = {
    .name = "amx-int8", .dots = ternary_dots, .scale = ternary_scale, .dense = nullptr};

}  // namespace bittern::kernel
