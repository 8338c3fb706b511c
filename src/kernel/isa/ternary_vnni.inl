// The ternary product of many rows for every instruction set with vpdpbusd (u8 codes times s8
// activations, four products into each int32). The ISA file defines before it
//
//   Vector              a register: codes of 16 (8) outputs in dwords
//   kLineVectors        registers of a 64-byte line of T2: 1 (2)
//   load_masked(at, p)  the codes of plane p of the vector at `at`, times 4^p: at most 128
//   broadcast_codes(q)  four activations in every dword
//   dot(total, w, q)    total += the dword products of w and q
//   shift_right(x)      each dword of x divided by 4; zero(), set(n), sum(a, b), load_dwords,
//                       store_dwords, prefetch
//
// A tile is kRows rows of activations times kVectors vectors of weights, over a panel of columns
// that stays in the first level of cache. Planes are never shifted down, and the codes are never
// written out: a plane is masked where it lies, and the planes are taken from the highest to the
// lowest with the totals divided by 4 between them (Horner's rule), which is exact, as all of them
// are multiples of 4 until then. So a tile needs no accumulators but its own, and each pass over
// the panel is, for 4 columns,
//
//   kVectors masked loads, kRows broadcasts, kVectors * kRows vpdpbusd
//
// Meanwhile it asks for what is read next: a quarter of the panel's bytes in each pass.

struct Panel {
  const uint8_t* lines;  // of T2: the first vector; a line is 64 bytes
  int64_t vector_bytes;  // from one vector of the tile to the next
  const uint8_t* ahead;  // what to ask for
  int64_t ahead_bytes;   // from one of its vectors to the next
  int64_t columns;       // a multiple of 64
  const int8_t* codes;   // of row 0, at the panel's first column
  int64_t row_columns;   // from one row to the next
  const int32_t* sums;   // of row 0; null where `out` holds the panels before
  int32_t* out;          // of row 0, [16] each
  int64_t vector_out;    // dwords of `out` from one vector to the next
};

template <int kRows, int kVectors>
void tile(const Panel& panel, int64_t row) {
  Vector total[kVectors][kRows];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
#pragma GCC unroll 8
    for (int j = 0; j < kRows; ++j) total[v][j] = zero();
  }
  const int8_t* codes = panel.codes + row * panel.row_columns;
  for (int plane = 3; plane >= 0; --plane) {
    const uint8_t* ahead = panel.ahead + (3 - plane) * panel.columns;
    for (int64_t k = 0; k < panel.columns; k += 64) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; v += kLineVectors) prefetch(ahead + k + v * panel.ahead_bytes);
#pragma GCC unroll 4
      for (int line = 0; line < 4; ++line) {
        Vector weights[kVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          const uint8_t* at = panel.lines + v * panel.vector_bytes + k * 4 + line * 64;
          weights[v] = load_masked(at, plane);
        }
#pragma GCC unroll 8
        for (int j = 0; j < kRows; ++j) {
          const int8_t* four = codes + j * panel.row_columns + k + 16 * line + 4 * plane;
          const Vector activations = broadcast_codes(four);
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) dot(total[v][j], weights[v], activations);
        }
      }
    }
    if (plane == 0) break;
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
#pragma GCC unroll 8
      for (int j = 0; j < kRows; ++j) total[v][j] = shift_right(total[v][j]);
    }
  }
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
#pragma GCC unroll 8
    for (int j = 0; j < kRows; ++j) {
      int32_t* out = panel.out + v * panel.vector_out + (row + j) * kStripRows;
      const Vector before = panel.sums == nullptr ? load_dwords(out) : set(-panel.sums[row + j]);
      store_dwords(out, sum(total[v][j], before));
    }
  }
}

// All rows of a panel, in tiles of up to 6 rows whose sizes differ by at most one.
template <int kVectors>
void panel_rows(const Panel& panel, int64_t rows) {
  constexpr int64_t kMostRows = 6;
  const int64_t tiles = (rows + kMostRows - 1) / kMostRows;
  int64_t row = 0;
  for (int64_t left = tiles; left > 0; --left) {
    const int64_t count = (rows - row + left - 1) / left;
    switch (count) {
      case 1:
        tile<1, kVectors>(panel, row);
        break;
      case 2:
        tile<2, kVectors>(panel, row);
        break;
      case 3:
        tile<3, kVectors>(panel, row);
        break;
      case 4:
        tile<4, kVectors>(panel, row);
        break;
      case 5:
        tile<5, kVectors>(panel, row);
        break;
      default:
        tile<6, kVectors>(panel, row);
        break;
    }
    row += count;
  }
}

// Columns of a panel: four strips of it are 15 KiB, and it is 12 blocks of T1.6.
constexpr int64_t kPanelColumns = 960;

// Rows of T2 strips, `kStrips` of them side by side.
template <int kStrips>
void strips_times_rows(const TernaryDots& job, int64_t strip) {
  const uint8_t* strips = job.strips + strip * job.strip_bytes;
  for (int64_t k = 0; k < job.columns; k += kPanelColumns) {
    const bool last = k + kPanelColumns >= job.columns;
    const int64_t vector_bytes = kStrips == 1 ? 64 / kLineVectors : job.strip_bytes;
    const Panel panel = {
        .lines = strips + k * 4,
        .vector_bytes = vector_bytes,
        .ahead = last ? strips + kStrips * job.strip_bytes : strips + (k + kPanelColumns) * 4,
        .ahead_bytes = vector_bytes,
        .columns = last ? job.columns - k : kPanelColumns,
        .codes = job.codes + k,
        .row_columns = job.columns,
        .sums = k == 0 ? job.sums : nullptr,
        .out = job.out + strip * job.rows * kStripRows,
        .vector_out = kStrips == 1 ? kStripRows / kLineVectors : job.rows * kStripRows};
    panel_rows<kStrips * kLineVectors>(panel, job.rows);
  }
}
