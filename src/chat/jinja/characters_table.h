// The generated tables behind characters.h (characters_table.cc, from tools/chat_characters.py).
#pragma once

#include <cstddef>
#include <cstdint>

namespace bittern::chat::jinja::table {

struct ClassRange {
  uint32_t first, last;
  uint8_t classes;  // bits of CharacterClass
};
// Characters first, first + step, ..., last become themselves + delta.
struct CaseRange {
  uint32_t first, last, step;
  int32_t delta;
};
struct CaseText {
  uint32_t code_point;
  const char* text;
};

// Each sorted by its first member.
extern const ClassRange kClasses[], kCaseIgnorable[];
extern const size_t kClassesCount, kCaseIgnorableCount;
extern const CaseRange kLower[], kUpper[], kTitle[], kFolded[];
extern const size_t kLowerCount, kUpperCount, kTitleCount, kFoldedCount;
extern const CaseText kLowerTexts[], kUpperTexts[], kTitleTexts[], kFoldedTexts[];
extern const size_t kLowerTextsCount, kUpperTextsCount, kTitleTextsCount, kFoldedTextsCount;

}  // namespace bittern::chat::jinja::table
