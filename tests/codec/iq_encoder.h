// IQ1, IQ2 and IQ3 of given values, for tests that want weights in these formats: the product has
// no encoders of them, and PyPI gguf neither. Values go to the nearest levels, the levels of a
// group to the nearest entry of the codebook; without an importance matrix that is no good model,
// but valid blocks of about the right values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "codec/codec.h"

namespace bittern::test {

// [rows, columns] by the codec's encoder, or by the ones here.
std::vector<std::byte> encode_any(codec::Id id, const float* values, int64_t rows, int64_t columns);

}  // namespace bittern::test
