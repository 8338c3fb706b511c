// AMX tile instructions as inline assembly. The intrinsics of g++ 12 tell the compiler neither that
// a tile load reads memory nor more than the first 8 bytes of a configuration, so it may move or
// drop the stores that fill them; here every one of them clobbers memory. Tile numbers are part of
// the instruction, hence the templates.
//
//   TDPBSUD c, a, b    c [16, 16] int32 += a [16 rows, 64 signed bytes] x b, where row r of b holds
//                      byte 4n + i = element (k = 4r + i, n), unsigned
//   TDPBSSD, TDPBUSD   likewise, both signed; a unsigned and b signed
//   TDPBF16PS c, a, b  c [16, 16] f32 += a [16 rows, 32 bf16] x b, where row r of b holds at 4n +
//                      2i element (k = 2r + i, n); order of sums: `tiles` of kernel/bf16.h
//
// A configuration belongs to the thread. Kernels load it, use the tiles and release them in one
// call, so that no thread keeps live tiles (they enlarge context switches and block deep sleep).

struct TileConfig {
  uint8_t palette = 1, start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

// All eight tiles whole: 16 rows of 64 bytes.
constexpr TileConfig whole_tiles() {
  TileConfig config;
  for (int i = 0; i < 8; ++i) {
    config.row_bytes[i] = 64;
    config.rows[i] = 16;
  }
  return config;
}

[[gnu::always_inline]] inline void load_tile_config(const TileConfig& config) {
  asm volatile("ldtilecfg %0" : : "m"(config) : "memory");
}
[[gnu::always_inline]] inline void release_tiles() { asm volatile("tilerelease" : : : "memory"); }

// Bytes of tile `kTile` from, or to, rows that stand `stride` bytes apart.
template <int kTile>
[[gnu::always_inline]] inline void load_tile(const void* base, int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(base), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
[[gnu::always_inline]] inline void store_tile(void* base, int64_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(base), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
[[gnu::always_inline]] inline void zero_tile() {
  asm volatile("tilezero %%tmm%c0" : : "i"(kTile) : "memory");
}
template <int kC, int kA, int kB>
[[gnu::always_inline]] inline void multiply_signed_unsigned() {
  asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB) : "memory");
}
template <int kC, int kA, int kB>
[[gnu::always_inline]] inline void multiply_signed_signed() {
  asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB) : "memory");
}
template <int kC, int kA, int kB>
[[gnu::always_inline]] inline void multiply_unsigned_signed() {
  asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB) : "memory");
}
template <int kC, int kA, int kB>
[[gnu::always_inline]] inline void multiply_bfloats() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB) : "memory");
}
