// Random numbers by counter, not by state: number `index` of stream (seed, stream) is a pure
// function, so a request draws the same numbers whatever else runs, in whatever order.
// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel Random Numbers: As Easy as 1, 2, 3",
// SC 2011): ten rounds of two 32x32 -> 64 bit products; passes BigCrush.
// Counter words: index low, index high, stream low, stream high. Key: seed low, seed high.
#pragma once

#include <array>
#include <cstdint>

namespace bittern::random {

constexpr std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter,
                                             std::array<uint32_t, 2> key) noexcept {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xd2511f53} * counter[0];
    const uint64_t product1 = uint64_t{0xcd9e8d57} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(product0)};
    key = {key[0] + 0x9e3779b9u, key[1] + 0xbb67ae85u};
  }
  return counter;
}

// 64 random bits: number `index` of the stream.
constexpr uint64_t bits(uint64_t seed, uint64_t stream, uint64_t index) noexcept {
  const auto low = [](uint64_t value) { return static_cast<uint32_t>(value); };
  const auto high = [](uint64_t value) { return static_cast<uint32_t>(value >> 32); };
  const auto words =
      philox4x32({low(index), high(index), low(stream), high(stream)}, {low(seed), high(seed)});
  return uint64_t{words[1]} << 32 | words[0];
}

// Uniform in [0, 1): a multiple of 2^-53.
constexpr double uniform(uint64_t seed, uint64_t stream, uint64_t index) noexcept {
  return static_cast<double>(bits(seed, stream, index) >> 11) * 0x1p-53;
}

// The same numbers one after the other, for shuffles and generated tests.
class Sequence {
 public:
  explicit constexpr Sequence(uint64_t seed, uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  constexpr uint64_t bits() noexcept { return random::bits(seed_, stream_, index_++); }
  constexpr double uniform() noexcept { return random::uniform(seed_, stream_, index_++); }
  // Uniform in [0, bound), bound > 0; bias below 2^-64 * bound.
  constexpr uint64_t below(uint64_t bound) noexcept {
    __extension__ using Wide = unsigned __int128;
    return static_cast<uint64_t>(Wide{bits()} * bound >> 64);
  }

 private:
  uint64_t seed_;
  uint64_t stream_;
  uint64_t index_ = 0;
};

}  // namespace bittern::random
