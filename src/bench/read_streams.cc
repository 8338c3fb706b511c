// The loads are assembly that names no result: nothing waits for a value, and no compiler can drop
// them. This file needs no instruction-set flags, as peak_loops.cc does not.
#include "bench/read_streams.h"

#include "base/check.h"

namespace bittern::bench {
namespace {

constexpr int64_t kLine = 64;

template <int kVectorBytes>
[[gnu::always_inline]] inline void load_line(const std::byte* line) {
#if defined(__x86_64__)
  if constexpr (kVectorBytes == 64) {
    asm volatile("vmovdqu64 (%0), %%zmm0" : : "r"(line) : "xmm0");
  } else if constexpr (kVectorBytes == 32) {
    asm volatile("vmovdqu (%0), %%ymm0\n\tvmovdqu 32(%0), %%ymm1" : : "r"(line) : "xmm0", "xmm1");
  } else {
    asm volatile(
        "movdqu (%0), %%xmm0\n\tmovdqu 16(%0), %%xmm1\n\t"
        "movdqu 32(%0), %%xmm2\n\tmovdqu 48(%0), %%xmm3"
        :
        : "r"(line)
        : "xmm0", "xmm1", "xmm2", "xmm3");
  }
#else
  for (int64_t at = 0; at < kLine; at += 8)
    static_cast<void>(*reinterpret_cast<const volatile uint64_t*>(line + at));
#endif
}

template <int kStreams, int kVectorBytes>
void read_all(const ReadJob& job) {
  if (job.distance == 0) {
    for (int64_t at = 0; at < job.bytes; at += kLine) {
      for (int stream = 0; stream < kStreams; ++stream)
        load_line<kVectorBytes>(job.base + stream * job.stride + at);
    }
  } else {
    for (int64_t at = 0; at < job.bytes; at += kLine) {
      for (int stream = 0; stream < kStreams; ++stream) {
        const std::byte* line = job.base + stream * job.stride + at;
        __builtin_prefetch(line + job.distance, 0, 3);
        load_line<kVectorBytes>(line);
      }
    }
  }
#if defined(__x86_64__)
  if constexpr (kVectorBytes > 16) asm volatile("vzeroupper");
#endif
}

template <int kVectorBytes>
void read_by(const ReadJob& job, int streams) {
  switch (streams) {
    case 1:
      return read_all<1, kVectorBytes>(job);
    case 2:
      return read_all<2, kVectorBytes>(job);
    case 4:
      return read_all<4, kVectorBytes>(job);
    case 8:
      return read_all<8, kVectorBytes>(job);
    case 16:
      return read_all<16, kVectorBytes>(job);
    default:
      BITTERN_CHECK(false, "{} streams", streams);
  }
}

}  // namespace

void read_streams(const ReadJob& job, int streams, int vector_bytes) {
  BITTERN_CHECK(job.bytes % kLine == 0, "{} bytes", job.bytes);
  switch (vector_bytes) {
    case 64:
      return read_by<64>(job, streams);
    case 32:
      return read_by<32>(job, streams);
    default:
      return read_by<16>(job, streams);
  }
}

}  // namespace bittern::bench
