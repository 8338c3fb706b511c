// Weights of any number format with every code bit random, as trained weights look to memory and
// to arithmetic: nothing repeats, nothing compresses, no page equals another. Only the scales are
// shaped, so that what a matrix of them makes of its input stays of the input's size and logits
// stay finite.
//
// A tensor is a pure function of (format, shape, deviation, seed, stream); threads do not matter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/thread_pool.h"
#include "codec/codec.h"

namespace bittern::bench {

struct RandomTensor {
  codec::Id codec = codec::Id::f32;
  int64_t rows = 0, columns = 0;
  double deviation = 0.02;  // standard deviation of the values, about (scales can be coarse)
  uint64_t seed = 1, stream = 0;
};

// Whether fill_random() knows the format.
bool can_fill_random(codec::Id id);

// Fills `out`, which has the bytes that the codec gives for the shape.
void fill_random(const RandomTensor& tensor, ThreadPool& pool, std::span<std::byte> out);

}  // namespace bittern::bench
