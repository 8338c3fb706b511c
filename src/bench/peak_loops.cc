// x86-64. Each loop keeps twelve accumulators (AMX: four tiles), more than latency times units of
// any core (4 cycles x 2), and no memory in the loop. Operands are small numbers, not zeros: a
// multiplier that sees zeros draws less power and may clock higher than any kernel will.
#include "bench/peak_loops.h"

#include <array>

#include "base/cpu.h"

namespace bittern::bench {

std::string_view arithmetic_name(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::int8:
      return "int8";
    case Arithmetic::float32:
      return "float32";
    case Arithmetic::bfloat16:
      return "bfloat16";
  }
  return "";
}

#if defined(__x86_64__)

namespace {

#define BITTERN_TWELVE(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11)
#define BITTERN_VECTORS                                                                          \
  "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
      "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
// A loop of `body` over registers that `setup` fills from two 32-bit patterns; `end` leaves the
// upper halves clean.
#define BITTERN_PEAK(rounds, x, y, setup, body, end)                                         \
  asm volatile("vmovd %[first], %%xmm12\n\tvmovd %[second], %%xmm13\n\t" setup "1:\n\t" body \
               "dec %[count]\n\tjnz 1b\n\t" end                                              \
               : [count] "+r"(rounds)                                                        \
               : [first] "r"(x), [second] "r"(y)                                             \
               : BITTERN_VECTORS)

constexpr uint32_t kBytes = 0x01020301;  // four int8 or uint8
constexpr uint32_t kOnes = 0x00010001;   // two int16
constexpr uint32_t kHalf = 0x3f000000;   // 0.5f
constexpr uint32_t kSmall = 0x3a83126f;  // 0.001f; two bfloat16 of about that
constexpr uint32_t kBfloats = 0x3f003f00;

#define ZERO_YMM(i) "vpxor %%xmm" #i ", %%xmm" #i ", %%xmm" #i "\n\t"
#define SPREAD_YMM "vpbroadcastd %%xmm12, %%ymm12\n\tvpbroadcastd %%xmm13, %%ymm13\n\t"
#define SPREAD_ZMM "vpbroadcastd %%xmm12, %%zmm12\n\tvpbroadcastd %%xmm13, %%zmm13\n\t"

// Without VNNI a dot of four bytes is three instructions.
#define MADD_YMM(i)                          \
  "vpmaddubsw %%ymm12, %%ymm13, %%ymm14\n\t" \
  "vpmaddwd %%ymm14, %%ymm15, %%ymm14\n\t"   \
  "vpaddd %%ymm14, %%ymm" #i ", %%ymm" #i "\n\t"
void madd_ymm(int64_t rounds) {
  BITTERN_PEAK(
      rounds, kBytes, kBytes,
      SPREAD_YMM
      "vpcmpeqw %%ymm15, %%ymm15, %%ymm15\n\tvpabsw %%ymm15, %%ymm15\n\t" BITTERN_TWELVE(ZERO_YMM),
      BITTERN_TWELVE(MADD_YMM), "vzeroupper\n\t");
}

#define DPBUSD_YMM(i) "%{vex%} vpdpbusd %%ymm12, %%ymm13, %%ymm" #i "\n\t"
void dpbusd_ymm(int64_t rounds) {
  BITTERN_PEAK(rounds, kBytes, kBytes, SPREAD_YMM BITTERN_TWELVE(ZERO_YMM),
               BITTERN_TWELVE(DPBUSD_YMM), "vzeroupper\n\t");
}

#define DPBUSD_ZMM(i) "vpdpbusd %%zmm12, %%zmm13, %%zmm" #i "\n\t"
void dpbusd_zmm(int64_t rounds) {
  BITTERN_PEAK(rounds, kBytes, kBytes, SPREAD_ZMM BITTERN_TWELVE(ZERO_YMM),
               BITTERN_TWELVE(DPBUSD_ZMM), "vzeroupper\n\t");
}

#define FMA_YMM(i) "vfmadd231ps %%ymm12, %%ymm13, %%ymm" #i "\n\t"
void fma_ymm(int64_t rounds) {
  BITTERN_PEAK(rounds, kHalf, kSmall, SPREAD_YMM BITTERN_TWELVE(ZERO_YMM), BITTERN_TWELVE(FMA_YMM),
               "vzeroupper\n\t");
}

#define FMA_ZMM(i) "vfmadd231ps %%zmm12, %%zmm13, %%zmm" #i "\n\t"
void fma_zmm(int64_t rounds) {
  BITTERN_PEAK(rounds, kHalf, kSmall, SPREAD_ZMM BITTERN_TWELVE(ZERO_YMM), BITTERN_TWELVE(FMA_ZMM),
               "vzeroupper\n\t");
}

#define DPBF16_ZMM(i) "vdpbf16ps %%zmm12, %%zmm13, %%zmm" #i "\n\t"
// Twelve accumulators do not cover its latency; this file's compiler uses none of the upper sixteen
// registers.
#define BITTERN_UPPER_TWELVE(op) \
  op(16) op(17) op(18) op(19) op(20) op(21) op(22) op(23) op(24) op(25) op(26) op(27)
#define ZERO_ZMM(i) "vpxord %%zmm" #i ", %%zmm" #i ", %%zmm" #i "\n\t"
void dpbf16_zmm(int64_t rounds) {
  BITTERN_PEAK(rounds, kBfloats, kSmall,
               SPREAD_ZMM BITTERN_TWELVE(ZERO_YMM) BITTERN_UPPER_TWELVE(ZERO_ZMM),
               BITTERN_TWELVE(DPBF16_ZMM) BITTERN_UPPER_TWELVE(DPBF16_ZMM), "vzeroupper\n\t");
}

// What every x86-64 has: two 16-bit products a lane, and no fused multiply-add.
#define SSE_INT(i)               \
  "movdqa %%xmm12, %%xmm14\n\t"  \
  "pmaddwd %%xmm13, %%xmm14\n\t" \
  "paddd %%xmm14, %%xmm" #i "\n\t"
#define SSE_FLOAT(i)            \
  "movaps %%xmm12, %%xmm14\n\t" \
  "mulps %%xmm13, %%xmm14\n\t"  \
  "addps %%xmm14, %%xmm" #i "\n\t"
#define ZERO_XMM(i) "pxor %%xmm" #i ", %%xmm" #i "\n\t"
#define BITTERN_SSE_PEAK(rounds, x, y, body)                                           \
  asm volatile(                                                                        \
      "movd %[first], %%xmm12\n\tmovd %[second], %%xmm13\n\t"                          \
      "pshufd $0, %%xmm12, %%xmm12\n\tpshufd $0, %%xmm13, %%xmm13\n\t" BITTERN_TWELVE( \
          ZERO_XMM) "1:\n\t" body "dec %[count]\n\tjnz 1b\n\t"                         \
      : [count] "+r"(rounds)                                                           \
      : [first] "r"(x), [second] "r"(y)                                                \
      : BITTERN_VECTORS)
void madd_xmm(int64_t rounds) { BITTERN_SSE_PEAK(rounds, kOnes, kOnes, BITTERN_TWELVE(SSE_INT)); }
void mul_add_xmm(int64_t rounds) {
  BITTERN_SSE_PEAK(rounds, kHalf, kSmall, BITTERN_TWELVE(SSE_FLOAT));
}

// Eight tiles of 16 rows x 64 bytes. Layout of the 64 bytes: Intel SDM volume 1, 18.3.
struct TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);

// Accumulators in tiles 0-3, operands in 4-7. The clobber of memory keeps the stores to `config`
// and `tile` before the instructions that read them (gcc's own intrinsics lack it).
#define BITTERN_TILE_PEAK(rounds, pattern, op)                                                 \
  const TileConfig config;                                                                     \
  std::array<uint32_t, 256> tile;                                                              \
  tile.fill(pattern);                                                                          \
  const int64_t stride = 64;                                                                   \
  asm volatile(                                                                                \
      "ldtilecfg %[config]\n\t"                                                                \
      "tilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\ttilezero %%tmm3\n\t"           \
      "tileloadd (%[tile],%[stride],1), %%tmm4\n\ttileloadd (%[tile],%[stride],1), %%tmm5\n\t" \
      "tileloadd (%[tile],%[stride],1), %%tmm6\n\ttileloadd (%[tile],%[stride],1), %%tmm7\n\t" \
      "1:\n\t" op " %%tmm6, %%tmm4, %%tmm0\n\t" op " %%tmm7, %%tmm4, %%tmm1\n\t" op            \
      " %%tmm6, %%tmm5, %%tmm2\n\t" op                                                         \
      " %%tmm7, %%tmm5, %%tmm3\n\t"                                                            \
      "dec %[count]\n\tjnz 1b\n\ttilerelease\n\t"                                              \
      : [count] "+r"(rounds)                                                                   \
      : [config] "m"(config), [tile] "r"(tile.data()), [stride] "r"(stride)                    \
      : "cc", "memory")

void tile_int8(int64_t rounds) { BITTERN_TILE_PEAK(rounds, kBytes, "tdpbusd"); }
void tile_bf16(int64_t rounds) { BITTERN_TILE_PEAK(rounds, kSmall, "tdpbf16ps"); }

constexpr uint64_t kAvx512 = cpu::kAvx512F | cpu::kAvx512BW | cpu::kAvx512VL | cpu::kAvx512DQ;
constexpr uint64_t kTiles = cpu::kAmxTile | cpu::kAmxPermission;

// Products a round times two: lanes x products a lane x accumulators.
constexpr PeakLoop kLoops[] = {
    {"pmaddwd xmm", "scalar", Arithmetic::int8, 0, 2 * 4 * 2 * 12, madd_xmm},
    {"mulps, addps xmm", "scalar", Arithmetic::float32, 0, 2 * 4 * 12, mul_add_xmm},
    {"vpmaddubsw ymm", "avx2", Arithmetic::int8, cpu::kAvx2, 2 * 8 * 4 * 12, madd_ymm},
    {"vfmadd231ps ymm", "avx2", Arithmetic::float32, cpu::kAvx2 | cpu::kFma, 2 * 8 * 12, fma_ymm},
    {"vpdpbusd ymm", "avxvnni", Arithmetic::int8, cpu::kAvxVnni, 2 * 8 * 4 * 12, dpbusd_ymm},
    {"vpdpbusd zmm", "avx512", Arithmetic::int8, kAvx512 | cpu::kAvx512Vnni, 2 * 16 * 4 * 12,
     dpbusd_zmm},
    {"vfmadd231ps zmm", "avx512", Arithmetic::float32, kAvx512, 2 * 16 * 12, fma_zmm},
    {"vdpbf16ps zmm", "avx512", Arithmetic::bfloat16, kAvx512 | cpu::kAvx512Bf16, 2 * 16 * 2 * 24,
     dpbf16_zmm},
    {"tdpbusd tile", "amx", Arithmetic::int8, kTiles | cpu::kAmxInt8, 2 * 256 * 64 * 4, tile_int8},
    {"tdpbf16ps tile", "amx", Arithmetic::bfloat16, kTiles | cpu::kAmxBf16, 2 * 256 * 32 * 4,
     tile_bf16},
};

}  // namespace

std::span<const PeakLoop> peak_loops() { return kLoops; }

#else

std::span<const PeakLoop> peak_loops() { return {}; }

#endif

}  // namespace bittern::bench
