// The generated tables behind character_class.h (character_table.cc, from
// tools/character_tables.py). Private to src/text.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bittern::text::table {

inline constexpr uint32_t kClassBlockSize = 128;  // code points per block of the two-stage table

struct LowercaseRun {
  uint32_t first, last;
  uint8_t step;
  int32_t delta;
};
struct Compatibility {
  uint32_t code_point;
  uint16_t place;
  uint8_t length;
};
struct ScriptRange {
  uint32_t first, last;
  uint8_t script;
};

extern const uint8_t kClassBlockOf[];  // 0x110000 / kClassBlockSize entries
extern const uint8_t kClasses[];
extern const LowercaseRun kLowercase[];
extern const size_t kLowercaseCount;
extern const Compatibility kCompatibility[];
extern const size_t kCompatibilityCount;
extern const uint32_t kCompatibilityPool[];
extern const ScriptRange kScripts[];
extern const size_t kScriptCount;

}  // namespace bittern::text::table
