#include "kernel/amx_emulator_support.h"

#include <signal.h>
#include <ucontext.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace bittern::kernel {
namespace {

constexpr int kTiles = 8, kRows = 16, kRowBytes = 64, kConfigBytes = 64;

// The tile file of a thread. Configuration bytes as LDTILECFG reads them: palette at 0, bytes of a
// row (two bytes a tile) from 16, rows (one byte a tile) from 48.
struct TileFile {
  uint8_t config[kConfigBytes] = {};
  uint8_t tile[kTiles][kRows][kRowBytes] = {};

  int rows(int index) const { return config[48 + index]; }
  int row_bytes(int index) const { return config[16 + 2 * index] | config[17 + 2 * index] << 8; }
  bool configured() const { return config[0] == 1; }
};

thread_local TileFile tiles;
std::atomic<int64_t> instructions{0};
struct sigaction previous;

#if defined(__x86_64__)

// What an instruction says: VEX prefix C4, opcode map 0F 38, then opcode, ModRM, SIB, displacement.
struct Instruction {
  int prefix = 0;  // 0 none, 1 66, 2 F3, 3 F2
  int opcode = 0, second_source = 0;
  int mode = 0, reg = 0, rm = 0;
  int64_t length = 0;
  uint8_t* base = nullptr;  // base register and displacement
  int64_t index = 0;        // index register, not scaled: the stride of tile loads
  int scale = 1;
};

int64_t register_of(const greg_t* registers, int number) {
  static constexpr int kOrder[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                   REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                   REG_R12, REG_R13, REG_R14, REG_R15};
  return registers[kOrder[number]];
}

bool decode(const uint8_t* at, const greg_t* registers, Instruction& out) {
  if (at[0] != 0xc4 || (at[1] & 0x1f) != 2 || (at[2] & 0x84) != 0) return false;
  const int extend_index = (at[1] & 0x40) != 0 ? 0 : 8, extend_base = (at[1] & 0x20) != 0 ? 0 : 8;
  out.prefix = at[2] & 3;
  out.second_source = ~(at[2] >> 3) & 15;
  out.opcode = at[3];
  const int modrm = at[4];
  out.mode = modrm >> 6;
  out.reg = modrm >> 3 & 7;
  out.rm = modrm & 7;
  out.length = 5;
  if (out.mode == 3) return true;
  int base = out.rm | extend_base, index = -1;
  if (out.rm == 4) {
    const int sib = at[5];
    ++out.length;
    base = (sib & 7) | extend_base;
    index = (sib >> 3 & 7) | extend_index;
    if (index == 4) index = -1;
    out.scale = 1 << (sib >> 6);
    if ((sib & 7) == 5 && out.mode == 0) return false;  // no base: nobody makes tiles so
  } else if (out.rm == 5 && out.mode == 0) {            // relative to the next instruction
    int32_t displacement;
    std::memcpy(&displacement, at + 5, 4);
    out.length += 4;
    out.base = const_cast<uint8_t*>(at) + out.length + displacement;
    return true;
  }
  int64_t displacement = 0;
  if (out.mode == 1) {
    displacement = static_cast<int8_t>(at[out.length++]);
  } else if (out.mode == 2) {
    int32_t wide;
    std::memcpy(&wide, at + out.length, 4);
    displacement = wide;
    out.length += 4;
  }
  out.base = reinterpret_cast<uint8_t*>(register_of(registers, base) + displacement);
  if (index >= 0) out.index = register_of(registers, index);
  return true;
}

int32_t byte_value(uint8_t byte, bool is_signed) {
  return is_signed ? static_cast<int32_t>(static_cast<int8_t>(byte)) : int32_t{byte};
}

// dst [M, N] int32 += a [M, K] bytes times b [K / 4, 4N] bytes.
void multiply_bytes(int dst, int a, int b, bool a_signed, bool b_signed) {
  for (int m = 0; m < tiles.rows(dst); ++m) {
    for (int n = 0; n < tiles.row_bytes(dst) / 4; ++n) {
      uint32_t sum;
      std::memcpy(&sum, &tiles.tile[dst][m][4 * n], 4);
      for (int k = 0; k < tiles.row_bytes(a) / 4; ++k) {
        for (int i = 0; i < 4; ++i) {
          sum += static_cast<uint32_t>(byte_value(tiles.tile[a][m][4 * k + i], a_signed) *
                                       byte_value(tiles.tile[b][k][4 * n + i], b_signed));
        }
      }
      std::memcpy(&tiles.tile[dst][m][4 * n], &sum, 4);
    }
  }
}

float bfloat(const uint8_t* at) {
  uint32_t bits = static_cast<uint32_t>(at[0]) << 16 | static_cast<uint32_t>(at[1]) << 24;
  if ((bits & 0x7f800000u) == 0) bits &= 0x80000000u;  // denormals count as zero
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

// dst [M, N] f32 += a [M, K] bf16 times b [K / 2, 2N] bf16: even and odd products in chains of
// their own, fused, then their sum onto dst (the manual's TDPBF16PS), denormal results flushed.
void multiply_bfloats(int dst, int a, int b) {
  const unsigned former = _mm_getcsr();
  _mm_setcsr(0x1f80 | 0x8040);
  for (int m = 0; m < tiles.rows(dst); ++m) {
    for (int n = 0; n < tiles.row_bytes(dst) / 4; ++n) {
      float chain[2] = {0.0f, 0.0f};
      for (int k = 0; k < tiles.row_bytes(a) / 4; ++k) {
        for (int i = 0; i < 2; ++i) {
          chain[i] = __builtin_fmaf(bfloat(&tiles.tile[a][m][4 * k + 2 * i]),
                                    bfloat(&tiles.tile[b][k][4 * n + 2 * i]), chain[i]);
        }
      }
      float sum;
      std::memcpy(&sum, &tiles.tile[dst][m][4 * n], 4);
      sum += chain[0] + chain[1];
      std::memcpy(&tiles.tile[dst][m][4 * n], &sum, 4);
    }
  }
  _mm_setcsr(former);
}

void zero(int tile) { std::memset(tiles.tile[tile], 0, sizeof(tiles.tile[tile])); }

void release() { tiles = {}; }

bool configure(const Instruction& in) {
  if (in.mode == 3) {
    if (in.prefix == 0 && in.reg == 0 && in.rm == 0) release();
    if (in.prefix == 3 && tiles.configured()) zero(in.reg);
    return (in.prefix == 0 && in.reg == 0 && in.rm == 0) || (in.prefix == 3 && tiles.configured());
  }
  if (in.reg != 0) return false;
  if (in.prefix == 0) {
    release();
    std::memcpy(tiles.config, in.base, kConfigBytes);
    return tiles.configured() || tiles.config[0] == 0;
  }
  if (in.prefix != 1) return false;
  std::memcpy(in.base, tiles.config, kConfigBytes);
  return true;
}

bool move(const Instruction& in) {
  if (in.mode == 3 || !tiles.configured()) return false;
  const auto bytes = static_cast<size_t>(tiles.row_bytes(in.reg));
  const int64_t stride = in.index * in.scale;
  const bool store = in.prefix == 2;
  if (!store) zero(in.reg);
  for (int row = 0; row < tiles.rows(in.reg); ++row) {
    uint8_t* memory = in.base + row * stride;
    uint8_t* tile = tiles.tile[in.reg][row];
    std::memcpy(store ? memory : tile, store ? tile : memory, bytes);
  }
  return in.prefix != 0;
}

bool multiply(const Instruction& in) {
  const int a = in.rm, b = in.second_source;
  // The three tiles differ, the shapes fit, or the processor would refuse too.
  if (in.mode != 3 || !tiles.configured() || b >= kTiles || a == b || a == in.reg || b == in.reg)
    return false;
  if (tiles.rows(a) != tiles.rows(in.reg) || tiles.row_bytes(b) != tiles.row_bytes(in.reg) ||
      tiles.row_bytes(a) / 4 != tiles.rows(b))
    return false;
  if (in.opcode == 0x5c && in.prefix == 2) {
    multiply_bfloats(in.reg, a, b);
    return true;
  }
  if (in.opcode != 0x5e) return false;
  // F2: signed x signed, F3: signed x unsigned, 66: unsigned x signed, none: unsigned x unsigned.
  multiply_bytes(in.reg, a, b, in.prefix >= 2, (in.prefix & 1) != 0);
  return true;
}

bool execute(const Instruction& in) {
  switch (in.opcode) {
    case 0x49:
      return configure(in);
    case 0x4b:
      return move(in);
    case 0x5c:
    case 0x5e:
      return multiply(in);
    default:
      return false;
  }
}

// The tile instruction at the program counter, if there is one that can be executed.
bool step(greg_t* registers) {
  Instruction in;
  const auto* at = reinterpret_cast<const uint8_t*>(registers[REG_RIP]);
  if (!decode(at, registers, in) || !execute(in)) return false;
  registers[REG_RIP] += in.length;
  instructions.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void on_illegal(int, siginfo_t*, void* context) {
  greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  if (!step(registers)) {
    sigaction(SIGILL, &previous, nullptr);  // not ours: the same again, for the handler before
    return;
  }
  while (step(registers)) {  // the tile instructions that follow at once: signals are slow
  }
}

#else

void on_illegal(int, siginfo_t*, void*) { std::abort(); }

#endif

}  // namespace

AmxEmulator::AmxEmulator() {
  struct sigaction action = {};
  action.sa_sigaction = on_illegal;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, &previous);
}

AmxEmulator::~AmxEmulator() { sigaction(SIGILL, &previous, nullptr); }

std::unique_ptr<AmxEmulator> AmxEmulator::for_missing(uint64_t missing) {
  if (missing == 0 || (missing & ~kFeatures) != 0) return nullptr;
  return std::make_unique<AmxEmulator>();
}

int64_t AmxEmulator::executed() { return instructions.load(); }

}  // namespace bittern::kernel
