// Ternary products with NEON and SDOT, see ternary_neon.inl. There is no denser layout: T1.6 would
// take a table look-up for each output byte of a line, and what it saves in bytes was never
// measured on such a processor. The speed of all this is unverified: it has run under an emulator
// only.

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/ternary.h"

namespace bittern::kernel {
namespace {

#include "kernel/isa/lanes_neon.inl"
#include "kernel/isa/ternary_neon.inl"
#include "kernel/isa/ternary_scale.inl"

void ternary_dots(const TernaryDots& job) {
  for (int64_t strip = 0; strip < job.strip_count; ++strip) strip_dots(job, strip);
}

}  // namespace

constinit const TernaryKernels neon_ternary = {
    .name = "neon", .dots = ternary_dots, .scale = ternary_scale, .dense = nullptr};

}  // namespace bittern::kernel
