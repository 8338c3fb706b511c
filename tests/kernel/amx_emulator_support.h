// AMX on machines without it: executes the tile instructions of this process in software.
//
// A processor without AMX raises SIGILL at a tile instruction. The emulator's handler decodes it
// from the bytes at the program counter, does to a tile file of its own what the instruction is
// said to do (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, LDTILECFG,
// STTILECFG, TILELOADD, TILELOADDT1, TILESTORED, TILEZERO, TILERELEASE, TDPBxxD, TDPBF16PS), and
// goes on behind it. So the machine code that a build ships is tested everywhere; its speed is not.
#pragma once

#include <cstdint>
#include <memory>

#include "base/cpu.h"

namespace bittern::kernel {

// While one lives, tile instructions of any thread are executed; other illegal instructions die as
// they would have. Not nested.
class AmxEmulator {
 public:
  AmxEmulator();
  ~AmxEmulator();
  AmxEmulator(const AmxEmulator&) = delete;
  AmxEmulator& operator=(const AmxEmulator&) = delete;

  // What it makes up for.
  static constexpr uint64_t kFeatures =
      cpu::kAmxTile | cpu::kAmxInt8 | cpu::kAmxBf16 | cpu::kAmxPermission;

  // One, where `missing` (bits of cpu::Feature that a kernel needs and the machine lacks) are tiles
  // alone: the kernel runs with it. Else null.
  static std::unique_ptr<AmxEmulator> for_missing(uint64_t missing);

  // Instructions executed so far, by all threads: a test that meant to use tiles can tell.
  static int64_t executed();
};

}  // namespace bittern::kernel
