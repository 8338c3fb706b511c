// Attention with int8 keys and values on AMX, for 16 queries and more; everything else is the
// AVX-512 kernel's. All sums are exact integers, so their order is free. Written from the manual,
// tested in software; its speed has not been measured.
//
// Keys, 16 queries x 64 keys: a panel's rows are B tiles as they lie, 16 keys (64 bytes) of as many
// rows as divide its depth evenly, at most 16; A is 16 queries' codes where they stand.
//
//   A  [16 queries][4 x depth codes]     B  [depth][16 keys x 4 elements], four side by side
//
// Values, 16 queries x 32 columns: codes of weights have 15 bits, so A is two planes of bytes, the
// low eight bits and the high seven, and the sum 256 * high + low. A row of B wants four positions
// of a column together where a panel's row has two: two rows interleaved by words, once for all
// queries. The interleaving takes columns 8L + 0..3 of each 128-bit lane L to one tile and 8L +
// 4..7 to the other; sums are put in order when they are drained. Packing two vectors of codes to
// bytes leaves each 64 positions in the order 0-7, 32-39, 8-15, ...: B's rows stand likewise.
//
// Sums of one tile of queries are converted while the next one's products are made. Counted, in
// cycles by unit (a product 16, two 512-bit ports, two loads and one store a cycle):
//                              keys: 64 x 128 elements    values: 64 columns x 256 positions
//   multiplier                 128                        512
//   vector ports                96                        160, planes 192, B 256 for all queries
//   loads, stores              120, 128                   320, 192, planes and B as much again
//   vpdpbusd, vpdpwssd         1024                       4096

#if defined(__GNUC__) && !defined(__clang__)
// gcc 12's _mm512_undefined_* are variables initialised with themselves, and it warns about them.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/attention.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/tiles.inl"

constexpr int64_t kTile = 16;  // queries of a tile, its outputs, and most rows of B
constexpr int64_t kLine = 64;
constexpr int64_t kFetchedBytes = 4096;  // of what is read next

// Sums of the four products that are made together.
struct alignas(64) Dots {
  int32_t tile[4][kTile][kTile];
};

// The first query of a tile: the last tile takes the last 16, some of them a second time.
int64_t query_of(int64_t tile, int64_t queries) {
  return tile * kTile + kTile <= queries ? tile * kTile : queries - kTile;
}

[[gnu::always_inline]] inline void store_dots(Dots& dots) {
  store_tile<0>(dots.tile[0], kLine);
  store_tile<1>(dots.tile[1], kLine);
  store_tile<2>(dots.tile[2], kLine);
  store_tile<3>(dots.tile[3], kLine);
}

[[gnu::always_inline]] inline void zero_dots() {
  zero_tile<0>();
  zero_tile<1>();
  zero_tile<2>();
  zero_tile<3>();
}

// The beginning of what is read next, one line for each vector of a tile of sums.
[[gnu::always_inline]] inline void fetch(const void* next, int64_t vector) {
  static_assert(kFetchedBytes == kLine * 4 * kTile);
  if (next != nullptr) __builtin_prefetch(static_cast<const uint8_t*>(next) + kLine * vector);
}

// ---- keys

// Rows of one product: all products of a panel are to be of one shape.
int64_t depth_of(int64_t rows) {
  int64_t count = (rows + kTile - 1) / kTile;
  while (rows % count != 0) ++count;
  return rows / count;
}

TileConfig key_tiles(int64_t depth) {
  TileConfig config = whole_tiles();
  for (int a = 4; a < 6; ++a) config.row_bytes[a] = static_cast<uint16_t>(depth * kKeyCodeRow);
  for (int b = 6; b < 8; ++b) config.rows[b] = static_cast<uint8_t>(depth);
  return config;
}

// `depth` rows of a panel with 16 queries' codes.
template <int kA>
[[gnu::always_inline]] inline void multiply_rows(const int8_t* codes, int64_t stride,
                                                 const uint8_t* keys) {
  load_tile<kA>(codes, stride);
  load_tile<6>(keys, kKeyRowBytes);
  multiply_signed_unsigned<0, kA, 6>();
  load_tile<7>(keys + kLine, kKeyRowBytes);
  multiply_signed_unsigned<1, kA, 7>();
  load_tile<6>(keys + 2 * kLine, kKeyRowBytes);
  multiply_signed_unsigned<2, kA, 6>();
  load_tile<7>(keys + 3 * kLine, kKeyRowBytes);
  multiply_signed_unsigned<3, kA, 7>();
}

void multiply_keys(const KeyDots& job, int64_t query, int64_t depth, Dots& dots) {
  const int8_t* codes = job.codes + query * job.code_stride;
  zero_dots();
  bool odd = false;
  for (int64_t row = 0; row < job.rows; row += depth, odd = !odd) {
    const uint8_t* keys = job.keys + row * kKeyRowBytes;
    if (odd) {
      multiply_rows<5>(codes + row * kKeyCodeRow, job.code_stride, keys);
    } else {
      multiply_rows<4>(codes + row * kKeyCodeRow, job.code_stride, keys);
    }
  }
  store_dots(dots);
}

void drain_keys(const KeyDots& job, int64_t query, const void* next, const Dots& dots) {
  __m512 scales[4];
#pragma GCC unroll 4
  for (int64_t v = 0; v < 4; ++v) scales[v] = _mm512_loadu_ps(job.scales + kTile * v);
  for (int64_t q = 0; q < kTile; ++q) {
    const __m512i raised = _mm512_set1_epi32(-128 * job.sums[query + q]);
    float* out = job.out + (query + q) * job.out_stride;
#pragma GCC unroll 4
    for (int64_t v = 0; v < 4; ++v) {
      fetch(next, 4 * q + v);
      const __m512i sum = _mm512_add_epi32(_mm512_load_si512(dots.tile[v][q]), raised);
      _mm512_storeu_ps(out + kTile * v, _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scales[v]));
    }
  }
}

void key_dots(const KeyDots& job) {
  if (job.queries < kTile || job.rows == 0) return avx512_attention.key_dots(job);
  const int64_t depth = depth_of(job.rows), tiles = (job.queries + kTile - 1) / kTile;
  Dots dots[2];
  const TileConfig config = key_tiles(depth);
  load_tile_config(config);
  multiply_keys(job, 0, depth, dots[0]);
  for (int64_t tile = 0; tile < tiles; ++tile) {
    if (tile + 1 < tiles)
      multiply_keys(job, query_of(tile + 1, job.queries), depth, dots[(tile + 1) % 2]);
    drain_keys(job, query_of(tile, job.queries), tile == 0 ? job.next : nullptr, dots[tile % 2]);
  }
  release_tiles();
}

// ---- values

constexpr int64_t kStepPositions = 64;  // of one product
constexpr int64_t kSteps = kAttendChunk / kStepPositions;
constexpr int64_t kPanelRows = kAttendChunk / kValueCodeRow;
constexpr int64_t kPairColumns = 32;  // of a pair of B tiles
constexpr int64_t kPlaneTiles = 3;    // tiles of queries whose planes are made together

alignas(64) constexpr TileConfig kWholeTiles = whole_tiles();

// The chunk's rows of values, null where no piece has them, and the steps that have any.
struct ValueRows {
  const uint8_t* row[kPanelRows];
  int64_t first_step, end_step;
};

ValueRows rows_of(const ValueDots& job) {
  ValueRows rows = {{}, kSteps, 0};
  const int64_t row_bytes = job.columns * kValueCodeRow;
  for (int64_t p = 0; p < job.piece_count; ++p) {
    const PanelPiece& piece = job.pieces[p];
    if (piece.count == 0) continue;
    const auto* from = static_cast<const uint8_t*>(piece.rows);
    for (int64_t r = 0; r < piece.count; ++r) rows.row[piece.first + r] = from + r * row_bytes;
    const int64_t step_rows = kStepPositions / kValueCodeRow;
    const int64_t first = piece.first / step_rows;
    const int64_t end = (piece.first + piece.count - 1) / step_rows + 1;
    if (first < rows.first_step) rows.first_step = first;
    if (end > rows.end_step) rows.end_step = end;
  }
  return rows;
}

// Codes of weights of a few tiles of queries as bytes: low eight bits, high seven.
struct Planes {
  alignas(64) uint8_t low[kPlaneTiles * kTile][kAttendChunk];
  alignas(64) uint8_t high[kPlaneTiles * kTile][kAttendChunk];
};

void split_codes(const int16_t* codes, int64_t first_step, int64_t end_step, uint8_t* low,
                 uint8_t* high) {
  const __m512i byte = _mm512_set1_epi16(255);
  for (int64_t at = first_step * kStepPositions; at < end_step * kStepPositions;
       at += kStepPositions) {
    const __m512i a = _mm512_loadu_si512(codes + at), b = _mm512_loadu_si512(codes + at + 32);
    _mm512_store_si512(low + at,
                       _mm512_packus_epi16(_mm512_and_si512(a, byte), _mm512_and_si512(b, byte)));
    _mm512_store_si512(high + at,
                       _mm512_packus_epi16(_mm512_srli_epi16(a, 8), _mm512_srli_epi16(b, 8)));
  }
}

// B tiles of 32 columns: of each step the one of columns 8L + 0..3, then that of 8L + 4..7.
struct alignas(64) ValueTiles {
  uint8_t step[kSteps][2][kTile][kLine];
};

void interleave(const ValueRows& rows, int64_t column, int64_t columns, ValueTiles& tiles) {
  // 16 columns of two positions are half a vector.
  const __mmask16 real = columns - column < kPairColumns ? 0xff : 0xffff;
  const auto load = [&](int64_t row) __attribute__((always_inline)) {
    const uint8_t* from = rows.row[row];
    if (from == nullptr) return _mm512_setzero_si512();
    return _mm512_maskz_loadu_epi32(real, from + column * kValueCodeRow);
  };
  for (int64_t step = rows.first_step; step < rows.end_step; ++step) {
    for (int64_t r = 0; r < kTile; ++r) {
      const int64_t eight = r / 2;  // positions, as split_codes() orders them
      const int64_t position = step * kStepPositions + eight % 2 * 32 + eight / 2 * 8 + r % 2 * 4;
      const __m512i two = load(position / 2), next_two = load(position / 2 + 1);
      _mm512_store_si512(tiles.step[step][0][r], _mm512_unpacklo_epi16(two, next_two));
      _mm512_store_si512(tiles.step[step][1][r], _mm512_unpackhi_epi16(two, next_two));
    }
  }
}

// Tiles of sums: low and high columns of the low plane, then of the high plane.
void multiply_values(const Planes& planes, int64_t place, const ValueRows& rows,
                     const ValueTiles& tiles, Dots& dots) {
  zero_dots();
  for (int64_t step = rows.first_step; step < rows.end_step; ++step) {
    load_tile<4>(planes.low[place] + step * kStepPositions, kAttendChunk);
    load_tile<6>(tiles.step[step][0], kLine);
    multiply_unsigned_signed<0, 4, 6>();
    load_tile<7>(tiles.step[step][1], kLine);
    multiply_unsigned_signed<1, 4, 7>();
    load_tile<5>(planes.high[place] + step * kStepPositions, kAttendChunk);
    multiply_unsigned_signed<2, 5, 6>();
    multiply_unsigned_signed<3, 5, 7>();
  }
  store_dots(dots);
}

void drain_values(const ValueDots& job, int64_t query, int64_t column, const void* next,
                  const Dots& dots) {
  // Lanes 0 and 1 of both tiles in turn, then 2 and 3.
  const __m512i front = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const __m512i back = _mm512_add_epi32(front, _mm512_set1_epi32(8));
  const bool both = job.columns - column >= kPairColumns;
  for (int64_t q = 0; q < kTile; ++q) {
    const __m512 factor = _mm512_set1_ps(job.factors[query + q]);
    __m512 values[2];
#pragma GCC unroll 2
    for (int64_t v = 0; v < 2; ++v) {
      fetch(next, 4 * q + 2 * v);
      fetch(next, 4 * q + 2 * v + 1);
      const __m512i high = _mm512_slli_epi32(_mm512_load_si512(dots.tile[2 + v][q]), 8);
      const __m512i sum = _mm512_add_epi32(high, _mm512_load_si512(dots.tile[v][q]));
      values[v] = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), factor);
    }
    float* out = job.out + (query + q) * job.out_stride + column;
    _mm512_storeu_ps(out, _mm512_permutex2var_ps(values[0], front, values[1]));
    if (both) _mm512_storeu_ps(out + kTile, _mm512_permutex2var_ps(values[0], back, values[1]));
  }
}

// Up to kPlaneTiles tiles of queries from `first` on, all columns.
void value_tiles(const ValueDots& job, const ValueRows& rows, int64_t first, int64_t count) {
  Planes planes;
  for (int64_t tile = 0; tile < count; ++tile) {
    const int64_t query = query_of(first + tile, job.queries);
    for (int64_t q = 0; q < kTile; ++q) {
      split_codes(job.codes + (query + q) * kAttendChunk, rows.first_step, rows.end_step,
                  planes.low[tile * kTile + q], planes.high[tile * kTile + q]);
    }
  }
  const void* next = job.piece_count > 0 ? job.pieces[job.piece_count - 1].next : nullptr;
  for (int64_t column = 0; column < job.columns; column += kPairColumns) {
    ValueTiles tiles;
    interleave(rows, column, job.columns, tiles);
    Dots dots[2];
    multiply_values(planes, 0, rows, tiles, dots[0]);
    for (int64_t tile = 0; tile < count; ++tile) {
      if (tile + 1 < count)
        multiply_values(planes, (tile + 1) * kTile, rows, tiles, dots[(tile + 1) % 2]);
      drain_values(job, query_of(first + tile, job.queries), column, next, dots[tile % 2]);
      next = nullptr;
    }
  }
}

void value_dots(const ValueDots& job) {
  if (job.queries < kTile) return avx512_attention.value_dots(job);
  const ValueRows rows = rows_of(job);
  const int64_t tiles = (job.queries + kTile - 1) / kTile;
  load_tile_config(kWholeTiles);
  for (int64_t tile = 0; tile < tiles; tile += kPlaneTiles)
    value_tiles(job, rows, tile, tiles - tile < kPlaneTiles ? tiles - tile : kPlaneTiles);
  release_tiles();
}

// ---- as on AVX-512

void products_f32(const PanelProduct& job) { avx512_attention.products_f32(job); }
void products_f16(const PanelProduct& job) { avx512_attention.products_f16(job); }
void softmax(ChunkSoftmax& job) { avx512_attention.softmax(job); }
void value_codes(ValueCodes& job) { avx512_attention.value_codes(job); }
void join(AttendState& total, const AttendState& chunk, int64_t width) {
  avx512_attention.join(total, chunk, width);
}

}  // namespace

constinit const AttentionKernels amx_attention = {.name = "amx-int8",
                                                  .products_f32 = products_f32,
                                                  .products_f16 = products_f16,
                                                  .key_dots = key_dots,
                                                  .value_dots = value_dots,
                                                  .softmax = softmax,
                                                  .value_codes = value_codes,
                                                  .join = join};

}  // namespace bittern::kernel
