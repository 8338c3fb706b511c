#include "chat/jinja/characters.h"

#include <algorithm>
#include <span>

#include "base/utf8.h"
#include "chat/jinja/characters_table.h"

namespace bittern::chat::jinja {
namespace {

// The range that holds a character, or null.
template <typename Range>
const Range* find_range(std::span<const Range> ranges, uint32_t c) noexcept {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), c,
                                      [](uint32_t code, const Range& r) { return code < r.first; });
  if (after == ranges.begin()) return nullptr;
  const Range& range = *(after - 1);
  return c <= range.last ? &range : nullptr;
}

void append_mapped(std::string& out, uint32_t c, std::span<const table::CaseRange> ranges,
                   std::span<const table::CaseText> texts) {
  const auto text = std::lower_bound(
      texts.begin(), texts.end(), c,
      [](const table::CaseText& row, uint32_t code) { return row.code_point < code; });
  if (text != texts.end() && text->code_point == c) {
    out += text->text;
    return;
  }
  // Ranges with a step of two may interleave, so the one before can hold the character too.
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), c,
                       [](uint32_t code, const table::CaseRange& r) { return code < r.first; });
  for (auto range = after; range != ranges.begin() && after - range < 3;) {
    --range;
    if (c <= range->last && (c - range->first) % range->step == 0)
      return utf8::append(out, static_cast<uint32_t>(static_cast<int32_t>(c) + range->delta));
  }
  utf8::append(out, c);
}

}  // namespace

bool has_class(uint32_t c, CharacterClass wanted) noexcept {
  const auto* range = find_range<table::ClassRange>({table::kClasses, table::kClassesCount}, c);
  return range != nullptr && (range->classes & static_cast<uint8_t>(wanted)) != 0;
}

bool is_case_ignorable(uint32_t c) noexcept {
  return find_range<table::ClassRange>({table::kCaseIgnorable, table::kCaseIgnorableCount}, c) !=
         nullptr;
}

void append_lower(std::string& out, uint32_t c) {
  append_mapped(out, c, {table::kLower, table::kLowerCount},
                {table::kLowerTexts, table::kLowerTextsCount});
}
void append_upper(std::string& out, uint32_t c) {
  append_mapped(out, c, {table::kUpper, table::kUpperCount},
                {table::kUpperTexts, table::kUpperTextsCount});
}
void append_title(std::string& out, uint32_t c) {
  append_mapped(out, c, {table::kTitle, table::kTitleCount},
                {table::kTitleTexts, table::kTitleTextsCount});
}
void append_folded(std::string& out, uint32_t c) {
  append_mapped(out, c, {table::kFolded, table::kFoldedCount},
                {table::kFoldedTexts, table::kFoldedTextsCount});
}

}  // namespace bittern::chat::jinja
