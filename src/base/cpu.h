// Facts about the processor: which vector instructions may really be executed (x86-64: CPUID and
// what the operating system saves; aarch64: the kernel's list), and how many threads this process
// may use.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bittern::cpu {

enum Feature : uint64_t {
  kAvx2 = 1u << 0,
  kFma = 1u << 1,
  kF16c = 1u << 2,
  kAvx512F = 1u << 3,
  kAvx512BW = 1u << 4,
  kAvx512VL = 1u << 5,
  kAvx512DQ = 1u << 6,
  kAvx512Vnni = 1u << 7,
  kAvx512Vbmi = 1u << 8,
  kAvx512Bf16 = 1u << 9,
  kAvxVnni = 1u << 10,
  kAmxTile = 1u << 11,
  kAmxInt8 = 1u << 12,
  kAmxBf16 = 1u << 13,
  kDotProd = 1u << 14,        // aarch64: SDOT and UDOT
  kI8mm = 1u << 15,           // SMMLA, USDOT
  kAmxPermission = 1u << 16,  // the system lets this process use the tiles
  kGfni = 1u << 17,           // with AVX-512
  // Every 512-bit instruction takes a slot of vpdpbusd's (vector_ports.h): measured.
  kDualPorts = 1u << 18
};

// Bits of Feature that this machine has and the system enables. Where there is AMX, the first call
// asks the system for the tile registers (allow_tiles()), so it is to come before threads start.
uint64_t detect_features();

// Asks the system for the tile registers of AMX, once for the process and all its threads; what it
// answered. A thread's tiles are then saved like its other registers, which takes 8 KiB more of
// its signal stack. False also where there are none.
bool allow_tiles();

std::vector<std::string> feature_names(uint64_t features);
std::string model_name();

// Logical processors on which this process may run (its affinity mask), at least 1.
int allowed_processor_count();

// Physical cores inside the affinity mask and the cgroup CPU quota (rounded up), at least 1.
int usable_core_count();

}  // namespace bittern::cpu
