// A part of a text by byte offsets.
#pragma once

#include <cstddef>

namespace bittern::text {

// Bytes [begin, end) of a text.
struct TextRange {
  size_t begin = 0, end = 0;
};

}  // namespace bittern::text
