// Ternary products for cores of two 512-bit ports in all: T2 as ternary_avx512.cc has it, T1.6 with
// GFNI.

#include <cstddef>
#include <cstdint>

#include "kernel/ternary.h"

namespace bittern::kernel {
namespace {

void dots(const TernaryDots& job) { avx512_ternary.dots(job); }
void scale(const TernaryScale& job) { avx512_ternary.scale(job); }

}  // namespace

constinit const TernaryKernels avx512dual_ternary = {
    .name = "avx512-vnni-dual", .dots = dots, .scale = scale, .dense = &avx512gfni_dense};

}  // namespace bittern::kernel
