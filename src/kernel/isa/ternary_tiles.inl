// Ternary products in tiles, over what a file defines for its layout: kPanelColumns, unpack_panel()
// and vector_dots(), the kernel of the same strips without tiles.
//
// A B tile is 64 columns of a strip: byte 4n + i of row r is the code (0, 1, 2) of output n, column
// 4r + i. Two strips are unpacked for a panel of columns, then every 32 rows of activations pass
// over them in a 2 x 2 block of int32 tiles, which are read back from `out` between panels (exact):
//
//   per 64 columns of 32 rows x 32 outputs: 4 tileloadd, 4 tdpbsud     64 cycles, the multiplier's
//
// Fewer than 16 rows, what is left of them, and a strip without a second go to vector_dots(): the
// integers are the same.

constexpr int64_t kTileBytes = 1024, kTileColumns = 64, kTileRows = 16;
static_assert(kPanelColumns % kTileColumns == 0);

alignas(64) constexpr TileConfig kConfig = whole_tiles();

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
    zero_tile<0>();
    zero_tile<1>();
  } else {
    load_tile<0>(block.first_out, 64);
    load_tile<1>(block.second_out, 64);
  }
  for (int64_t t = 0; t < block.tiles; ++t) {
    load_tile<4>(block.codes + t * kTileColumns, block.row_bytes);
    load_tile<6>(block.first + t * kTileBytes, 64);
    multiply_signed_unsigned<0, 4, 6>();
    load_tile<7>(block.second + t * kTileBytes, 64);
    multiply_signed_unsigned<1, 4, 7>();
  }
  store_tile<0>(block.first_out, 64);
  store_tile<1>(block.second_out, 64);
}

// 32 rows x 2 strips.
void multiply_32(const Block& block) {
  const int8_t* lower = block.codes + kTileRows * block.row_bytes;
  int32_t* first_lower = block.first_out + kTileRows * kStripRows;
  int32_t* second_lower = block.second_out + kTileRows * kStripRows;
  if (block.fresh) {
    zero_tile<0>();
    zero_tile<1>();
    zero_tile<2>();
    zero_tile<3>();
  } else {
    load_tile<0>(block.first_out, 64);
    load_tile<1>(block.second_out, 64);
    load_tile<2>(first_lower, 64);
    load_tile<3>(second_lower, 64);
  }
  for (int64_t t = 0; t < block.tiles; ++t) {
    load_tile<4>(block.codes + t * kTileColumns, block.row_bytes);
    load_tile<6>(block.first + t * kTileBytes, 64);
    multiply_signed_unsigned<0, 4, 6>();
    load_tile<7>(block.second + t * kTileBytes, 64);
    multiply_signed_unsigned<1, 4, 7>();
    load_tile<5>(lower + t * kTileColumns, block.row_bytes);
    multiply_signed_unsigned<2, 5, 6>();
    multiply_signed_unsigned<3, 5, 7>();
  }
  store_tile<0>(block.first_out, 64);
  store_tile<1>(block.second_out, 64);
  store_tile<2>(first_lower, 64);
  store_tile<3>(second_lower, 64);
}

// Strips `strip` and strip + 1 for the first `rows` rows, a multiple of 16. Sums of codes are not
// subtracted yet.
void multiply_strips(const TernaryDots& job, int64_t strip, int64_t rows) {
  alignas(64) uint8_t panels[2][kPanelColumns * kStripRows];
  const uint8_t* lines = job.strips + strip * job.strip_bytes;
  for (int64_t k = 0; k < job.columns; k += kPanelColumns) {
    const int64_t columns = job.columns - k < kPanelColumns ? job.columns - k : kPanelColumns;
    unpack_panel(lines, k, columns, panels[0]);
    unpack_panel(lines + job.strip_bytes, k, columns, panels[1]);
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
    vector_dots({.strips = job.strips + s * job.strip_bytes,
                 .strip_count = 1,
                 .strip_bytes = job.strip_bytes,
                 .columns = job.columns,
                 .codes = job.codes + row * job.columns,
                 .sums = job.sums + row,
                 .rows = job.rows - row,
                 .out = job.out + (s * job.rows + row) * kStripRows});
  }
}

void tile_dots(const TernaryDots& job) {
  const int64_t rows = job.rows / kTileRows * kTileRows;
  const int64_t strips = job.strip_count / 2 * 2;
  if (rows == 0 || strips == 0) return vector_dots(job);
  load_tile_config(kConfig);
  for (int64_t strip = 0; strip < strips; strip += 2) multiply_strips(job, strip, rows);
  release_tiles();
  for (int64_t strip = 0; strip < strips; ++strip) subtract_sums(job, strip, rows);
  if (rows < job.rows) by_vectors(job, 0, strips, rows);
  if (strips < job.strip_count) by_vectors(job, strips, 1, 0);
}
