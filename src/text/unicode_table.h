// The generated tables behind unicode.h and nfc.h (unicode_table.cc, from
// tools/unicode_tables.py). Private to src/text.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bittern::text::table {

inline constexpr uint32_t kBlockSize = 128;  // code points per block of the two-stage table

struct Decomposition {
  uint32_t code_point, first, second;  // second 0: a singleton
};
struct Composition {
  uint32_t first, second, composite;
};
struct CombiningRange {
  uint32_t first, last;
  uint8_t combining_class;
};

extern const uint8_t kBlockOf[];     // 0x110000 / kBlockSize entries
extern const uint8_t kProperties[];  // the property bits of unicode.h
extern const uint8_t kCategoryBlockOf[];
extern const uint8_t kCategories[];  // one bit, Category of split_scan.h
extern const Decomposition kDecompositions[];
extern const size_t kDecompositionCount;
extern const Composition kCompositions[];
extern const size_t kCompositionCount;
extern const CombiningRange kCombiningClasses[];
extern const size_t kCombiningRangeCount;

}  // namespace bittern::text::table
