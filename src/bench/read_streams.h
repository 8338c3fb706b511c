// Reading memory as fast as the machine allows: loads and nothing else, from several places at
// once, with a prefetch that runs ahead. What a kernel that streams weights can hope for.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bittern::bench {

// Reads `bytes` (a multiple of 64) of each of the streams that begin at `base`, `stride` bytes
// apart, in turn, a line at a time. `distance`: bytes ahead that are prefetched; 0: none.
struct ReadJob {
  const std::byte* base = nullptr;
  int64_t stride = 0;
  int64_t bytes = 0;
  int64_t distance = 0;
};

inline constexpr int kMostStreams = 16;

// `streams`: 1, 2, 4, 8 or 16. `vector_bytes`: width of the loads, 16, 32 or 64 (x86-64; ignored
// elsewhere), which the processor must have.
void read_streams(const ReadJob& job, int streams, int vector_bytes);

}  // namespace bittern::bench
