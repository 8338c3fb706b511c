// AMX tile instructions as inline assembly. The intrinsics of g++ 12 tell the compiler neither that
// a tile load reads memory nor more than the first 8 bytes of a configuration, so it may move or
// drop the stores that fill them; here every one of them clobbers memory. Tile numbers are part of
// the instruction: macros, not functions.
//
//   TDPBSUD c, a, b    c [16, 16] int32 += a [16 rows, 64 signed bytes] x b, where row r of b holds
//                      byte 4n + i = element (k = 4r + i, n), unsigned
//   TDPBSSD            likewise, b signed
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

#define BITTERN_TILE_ZERO(t) asm volatile("tilezero %%tmm" #t : : : "memory")
#define BITTERN_TILE_LOAD(t, base, stride)           \
  asm volatile("tileloadd (%0,%1,1), %%tmm" #t       \
               :                                     \
               : "r"(base), "r"(int64_t{stride})     \
               : "memory")
#define BITTERN_TILE_STORE(t, base, stride)          \
  asm volatile("tilestored %%tmm" #t ", (%0,%1,1)"   \
               :                                     \
               : "r"(base), "r"(int64_t{stride})     \
               : "memory")
#define BITTERN_TILE_SIGNED_UNSIGNED(c, a, b) \
  asm volatile("tdpbsud %%tmm" #b ", %%tmm" #a ", %%tmm" #c : : : "memory")
#define BITTERN_TILE_SIGNED_SIGNED(c, a, b) \
  asm volatile("tdpbssd %%tmm" #b ", %%tmm" #a ", %%tmm" #c : : : "memory")
