#include "text/character_class.h"

#include <algorithm>
#include <span>

#include "base/utf8.h"

namespace bittern::text {
namespace {

// The order of tools/character_tables.py.
enum class Break : uint8_t {
  other,
  cr,
  lf,
  control,
  extend,
  zwj,
  regional,
  prepend,
  spacing,
  l,
  v,
  t,
  lv,
  lvt,
  pictographic
};

Break break_of(uint32_t code_point) { return static_cast<Break>(character_class(code_point) >> 4); }

bool ends_alone(Break b) { return b == Break::cr || b == Break::lf || b == Break::control; }

// Whether no boundary lies between two characters, as far as the two decide it (GB3 to GB9b).
bool joined(Break left, Break right) {
  if (left == Break::cr) return right == Break::lf;
  if (ends_alone(left) || ends_alone(right)) return false;
  if (left == Break::l) {
    if (right == Break::l || right == Break::v || right == Break::lv || right == Break::lvt)
      return true;
  }
  if ((left == Break::lv || left == Break::v) && (right == Break::v || right == Break::t))
    return true;
  if ((left == Break::lvt || left == Break::t) && right == Break::t) return true;
  return right == Break::extend || right == Break::zwj || right == Break::spacing ||
         left == Break::prepend;
}

}  // namespace

void append_lowercase(std::string& out, uint32_t code_point) {
  if (code_point < 0x80) {
    out += static_cast<char>(code_point >= 'A' && code_point <= 'Z' ? code_point + 32 : code_point);
    return;
  }
  if (code_point == 0x130) {
    out += "i\xcc\x87";  // i, U+0307
    return;
  }
  const std::span runs(table::kLowercase, table::kLowercaseCount);
  const auto it = std::ranges::lower_bound(runs, code_point, {}, &table::LowercaseRun::last);
  const bool found =
      it != runs.end() && it->first <= code_point && (code_point - it->first) % it->step == 0;
  utf8::append(out, found ? code_point + static_cast<uint32_t>(it->delta) : code_point);
}

uint8_t script_of(uint32_t code_point) noexcept {
  const std::span ranges(table::kScripts, table::kScriptCount);
  const auto it = std::ranges::lower_bound(ranges, code_point, {}, &table::ScriptRange::last);
  return it != ranges.end() && it->first <= code_point ? it->script : uint8_t{0};
}

size_t first_grapheme(std::string_view text) noexcept {
  utf8::Decoded decoded = utf8::decode(text);
  Break left = break_of(decoded.code_point);
  size_t end = decoded.length;
  int regionals = left == Break::regional ? 1 : 0;
  bool after_pictographic = left == Break::pictographic;  // then Extend* (GB11)
  bool zwj_after_pictographic = false;
  while (end < text.size()) {
    decoded = utf8::decode(text.substr(end));
    const Break right = break_of(decoded.code_point);
    const bool flag = left == Break::regional && right == Break::regional && regionals % 2 == 1;
    const bool emoji = zwj_after_pictographic && right == Break::pictographic;
    if (!joined(left, right) && !flag && !emoji) break;
    zwj_after_pictographic = after_pictographic && right == Break::zwj;
    after_pictographic =
        right == Break::pictographic || (after_pictographic && right == Break::extend);
    regionals = right == Break::regional ? regionals + 1 : 0;
    left = right;
    end += decoded.length;
  }
  return end;
}

}  // namespace bittern::text
