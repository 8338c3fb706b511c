// How a core executes 512-bit integer instructions, measured, as no bit of CPUID says it.
#pragma once

namespace bittern::cpu {

// Whether every 512-bit instruction takes a slot of one of the ports that multiply (vpdpbusd): so
// on Intel's cores, which have two 512-bit ports; AMD's Zen 5 has others beside. Takes some 20 us,
// the first time. Needs AVX-512 with VNNI.
bool vector_ports_are_multipliers();

}  // namespace bittern::cpu
