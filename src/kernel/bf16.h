// Linear layers of bf16 weights times bf16 activations, as the units for bf16 compute them.
//
// Packed weights. Sixteen output rows make a strip; a strip is columns / 2 lines of 64 bytes
// (columns padded with zeros to a multiple of kBf16Chunk):
//
//   dword n of line p  =  output n, column 2p in its lower half, column 2p + 1 in its upper one
//
// so a line is one operand of vdpbf16ps against a broadcast pair of activations, and the 16 lines
// of a chunk are the bytes of an AMX tile B.
//
// Activations are rounded to bf16 (nearest even, NaN stays NaN) and stand in panels of 256
// columns, [panels, pitch, 256], zeros behind the last column: the rows of a tile stand close
// together whatever the width.
//
// Arithmetic, one for one row and for a thousand (G2 to G5). Every operation is a fused
// multiply-add or a sum in f32, to nearest even, with denormal operands taken as zeros and
// denormal results made zeros, whatever the thread's mode:
//
//   pairs   total = +0; for columns 2p, 2p + 1 ascending: total = fma(w, x, total) with column
//           2p + 1, then with column 2p                                     (vdpbf16ps)
//   tiles   total = +0; for chunks of 32 columns ascending: even = odd = +0; for its 16 pairs
//           ascending: even = fma(w, x, even) with column 2p, odd likewise with 2p + 1;
//           total = total + (even + odd)                                    (TDPBF16PS)
//   out = total (+ bias)
//
// `pairs` gives the same bits on every ISA. Only AMX has the other order: no sequence of vector
// instructions as fast as one vdpbf16ps gives it, see docs/decisions/0012-bf16.md.
// Source of both orders: Intel's manual, volume 2, VDPBF16PS and TDPBF16PS.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bittern::kernel {

inline constexpr int64_t kBf16Outputs = 16;  // rows of a strip
inline constexpr int64_t kBf16Chunk = 32;    // columns are padded to a multiple of it
inline constexpr int64_t kBf16Panel = 256;   // columns of a panel of activations
inline constexpr int64_t kBf16Strips = 4;    // strips of a call at most
inline constexpr int64_t kBf16Rows = 240;    // rows of a call at most
inline constexpr int64_t kBf16LineBytes = 64;
// Floats of Bf16Dots::scratch: 16 totals of every row and strip, a decoded panel of a strip pair,
// and a tile of decoded activations.
inline constexpr int64_t kBf16Scratch = kBf16Rows * kBf16Strips * kBf16Outputs + 64 * kBf16Panel;

enum class Bf16Order : uint8_t { pairs, tiles };

// out[m * stride + 16 s + n] = dot of row m and row n of strip s (+ bias[16 s + n]).
struct Bf16Dots {
  const uint8_t* strips;  // one after another, columns * 32 bytes each, 64-byte aligned
  int64_t strip_count;    // 1..kBf16Strips
  int64_t columns;        // padded: a multiple of kBf16Chunk
  const uint16_t* codes;  // activations of row 0
  int64_t pitch;          // rows that the activations have in all
  int64_t rows;           // 1..kBf16Rows
  int64_t outputs;        // real ones of all strips
  const float* bias;      // [outputs], or null
  float* out;
  int64_t stride;
  float* scratch;  // kBf16Scratch floats, aligned to 64 bytes
};

// What a kernel needs beyond the features of the table that names it.
enum class Bf16Needs : uint8_t { nothing, avx512_bf16, amx_bf16 };

struct Bf16Kernels {
  const char* name;  // "avx512-bf16"
  Bf16Order order;
  Bf16Needs needs;
  void (*dots)(const Bf16Dots&);
  // One row of activations from `width` values: panel b goes to codes + b * pitch * kBf16Panel.
  void (*encode)(const float* in, int64_t width, int64_t pitch, uint16_t* codes);
  // What runs in its place where `needs` is not there (select_bf16); null: it needs nothing.
  const Bf16Kernels* fallback;
};

extern const Bf16Kernels scalar_bfloat;
extern const Bf16Kernels scalar_tilebfloat;  // the truth of the order of tiles; in no table
#if defined(__x86_64__)
extern const Bf16Kernels avx2_bfloat;
extern const Bf16Kernels avx512_bfloat;
extern const Bf16Kernels avx512bf16_bfloat;
extern const Bf16Kernels amx_bfloat;
#elif defined(__aarch64__)
extern const Bf16Kernels neon_bfloat;
#endif

}  // namespace bittern::kernel
