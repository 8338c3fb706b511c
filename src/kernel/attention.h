// Attention over one chunk of kAttendChunk absolute positions, in pieces: products with panels of
// keys and values, softmax in base 2, and the step that joins chunks from left to right. The same
// bits on every ISA, for any split into tiles, pages and calls.
//
// A panel is what a page of 64 positions keeps for one key/value head, 64 columns (or fewer) wide,
// its rows one after another:
//
//   keys    f32, f16  [head_dim][64]         row d: element d of 64 keys
//           int8      [head_dim / 4][64][4]  row r: elements 4r .. 4r + 3 of 64 keys, plus 128
//   values  f32, f16  [64][columns]          row t: `columns` elements of the value of position t
//           int8      [32][columns][2]       row t: those elements of positions 2t and 2t + 1
//
// so both products are in[queries][rows] x panel[rows][columns]: 16 columns are lanes, an element
// of `in` is broadcast, and nothing is ever summed across lanes. Values of more than 64 elements
// are several panels.
//
// Arithmetic of one query over the positions [begin, end) of a chunk that it sees:
//   keys f32, f16   raw = 0, then fma(q_d * scale, k_d, raw) for d ascending; factor = 1
//   keys int8       raw = float(sum of q codes * k codes) * key scale; factor = query scale * scale
//                   (`scale` is the shape's, times log2(e) where there is no cap)
//   softcap         raw = (cap * tanh((raw * factor) / cap)) * log2(e), and factor is 1 from then
//   maximum         m = (largest raw) * factor
//   weights         p = exp2(raw * factor - m); zero below 2^-126
//   sum             s = 16-lane sum of p, lane = position % 16
//   values f32, f16 acc = 0, then fma(p_t, v_t, acc) for t ascending
//   values int8     w_t = p_t * value scale, top = largest w, code_t = round half even(w_t * (32767
//                   / top)), acc = float(sum of codes * v codes) * (top / 32767); zero where top is
//                   below 1e-30
// A chunk joins those before it (m = -infinity, s = 0, acc = 0 at first):
//   m' = max(m, m_c), a = exp2(m - m'), b = exp2(m_c - m'), s = fma(s_c, b, s * a), acc likewise
#pragma once

#include <cstddef>
#include <cstdint>

namespace bittern::kernel {

inline constexpr int64_t kAttendChunk = 256;
inline constexpr int64_t kPanelColumns = 64;
inline constexpr int64_t kChunkPanels = kAttendChunk / kPanelColumns;
inline constexpr int64_t kKeyCodeRow = 4;  // elements of a key in one row of an int8 panel
inline constexpr int64_t kKeyRowBytes = kPanelColumns * kKeyCodeRow;
inline constexpr int64_t kValueCodeRow = 2;  // positions in one row of an int8 panel of values

// Consecutive rows of a panel; `first` is where they stand in a row of `in`, counted in rows. The
// memory at `next` is what will be read after them: its beginning is fetched meanwhile.
struct PanelPiece {
  const void* rows;
  int64_t first, count;
  const void* next;
};

// out[m][c] = (accumulate ? out[m][c] : 0), then fma(in[m][r], panel[r][c]) for r ascending.
struct PanelProduct {
  const float* in;
  int64_t in_stride;
  int64_t queries;
  const PanelPiece* pieces;
  int64_t piece_count;
  int64_t columns;  // 16, 32, 48 or 64
  bool accumulate;
  float* out;
  int64_t out_stride;
};

// out[m][n] = float(sum over d of codes[m][d] * k_n[d]) * scales[n], n < 64.
struct KeyDots {
  const int8_t* codes;  // [queries], padded with zeros to `rows` * 4
  int64_t code_stride;
  const int32_t* sums;  // [queries], of a query's codes
  int64_t queries;
  const uint8_t* keys;
  int64_t rows;
  const void* next;     // as of a piece
  const float* scales;  // [64]
  float* out;
  int64_t out_stride;
};

// out[m][c] = float(sum over the pieces of codes[m][t] * v_t[c]) * factors[m].
struct ValueDots {
  const int16_t* codes;  // [queries][kAttendChunk], 0 .. 32767, zero where nothing is seen
  const float* factors;  // [queries]
  int64_t queries;
  const PanelPiece* pieces;  // rows of two positions
  int64_t piece_count;
  int64_t columns;
  float* out;
  int64_t out_stride;
};

// Raw scores of one query and chunk become weights, in place; those of the vectors of 16 that
// [begin, end) touches and that lie outside of it become zero.
struct ChunkSoftmax {
  float* scores;       // [kAttendChunk]
  int64_t begin, end;  // not empty
  float factor, softcap;
  float maximum, sum;  // results
};

// Weights of int8 values as codes. Vectors of 16 that [begin, end) does not touch are left alone.
struct ValueCodes {
  const float* weights;        // [kAttendChunk]
  const float* const* scales;  // [kChunkPanels] pages of 64 scales of values
  int64_t begin, end;
  int16_t* codes;
  float factor;  // result: top / 32767
};

// What one query has gathered.
struct AttendState {
  float* values;  // [width]
  float maximum, sum;
};

struct AttentionKernels {
  const char* name;  // "avx512-vnni"
  void (*products_f32)(const PanelProduct&);
  void (*products_f16)(const PanelProduct&);
  void (*key_dots)(const KeyDots&);
  void (*value_dots)(const ValueDots&);
  void (*softmax)(ChunkSoftmax&);
  void (*value_codes)(ValueCodes&);
  // `chunk` joins `total`; widths are multiples of 16.
  void (*join)(AttendState& total, const AttendState& chunk, int64_t width);
};

extern const AttentionKernels scalar_attention;
#if defined(__x86_64__)
extern const AttentionKernels avx2_attention;
extern const AttentionKernels avxvnni_attention;
extern const AttentionKernels avx512_attention;
extern const AttentionKernels amx_attention;
#elif defined(__aarch64__)
extern const AttentionKernels neon_attention;
#endif

}  // namespace bittern::kernel
