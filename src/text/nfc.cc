// NFC by segments, for speed; the other forms by runs of text between ASCII characters, which are
// starters that no form changes. A character without the kNormalise bit is a starter that neither
// changes nor joins what stands before it, so text may be cut in front of it: only the segments
// "starter, flagged characters" are decomposed, ordered and composed, the rest is copied.
// Source: Unicode Standard Annex 15; Hangul arithmetic from the Unicode Standard 3.12.
#include "text/nfc.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <tuple>
#include <vector>

#include "base/utf8.h"
#include "text/character_table.h"
#include "text/unicode.h"

namespace bittern::text {
namespace {

constexpr uint32_t kHangulBase = 0xac00, kLeadBase = 0x1100, kVowelBase = 0x1161,
                   kTailBase = 0x11a7;
constexpr uint32_t kLeadCount = 19, kVowelCount = 21, kTailCount = 28;
constexpr uint32_t kHangulCount = kLeadCount * kVowelCount * kTailCount;

struct Mark {
  uint32_t code_point;
  uint8_t combining_class;
};

uint8_t combining_class(uint32_t code_point) {
  if ((properties(code_point) & kNormalise) == 0) return 0;
  const std::span ranges(table::kCombiningClasses, table::kCombiningRangeCount);
  const auto it = std::ranges::lower_bound(ranges, code_point, {}, &table::CombiningRange::last);
  return it != ranges.end() && it->first <= code_point ? it->combining_class : uint8_t{0};
}

void append_decomposed(uint32_t code_point, std::vector<Mark>& out) {
  if (code_point - kHangulBase < kHangulCount) {
    const uint32_t index = code_point - kHangulBase;
    out.push_back({kLeadBase + index / (kVowelCount * kTailCount), 0});
    out.push_back({kVowelBase + index / kTailCount % kVowelCount, 0});
    if (index % kTailCount != 0) out.push_back({kTailBase + index % kTailCount, 0});
    return;
  }
  const std::span rows(table::kDecompositions, table::kDecompositionCount);
  const auto it = std::ranges::lower_bound(rows, code_point, {}, &table::Decomposition::code_point);
  if (it == rows.end() || it->code_point != code_point) {
    out.push_back({code_point, combining_class(code_point)});
    return;
  }
  append_decomposed(it->first, out);  // the table's chains are at most four steps deep
  if (it->second != 0) append_decomposed(it->second, out);
}

// The full compatibility decomposition where there is one, else the canonical one.
void append_compatible(uint32_t code_point, std::vector<Mark>& out) {
  const std::span rows(table::kCompatibility, table::kCompatibilityCount);
  const auto it = std::ranges::lower_bound(rows, code_point, {}, &table::Compatibility::code_point);
  if (it == rows.end() || it->code_point != code_point) return append_decomposed(code_point, out);
  for (uint32_t i = 0; i < it->length; ++i) {
    const uint32_t part = table::kCompatibilityPool[it->place + i];
    out.push_back({part, combining_class(part)});
  }
}

// The primary composite of a pair, or 0.
uint32_t compose(uint32_t first, uint32_t second) {
  if (first - kLeadBase < kLeadCount && second - kVowelBase < kVowelCount) {
    return kHangulBase + ((first - kLeadBase) * kVowelCount + (second - kVowelBase)) * kTailCount;
  }
  const uint32_t syllable = first - kHangulBase;
  if (syllable < kHangulCount && syllable % kTailCount == 0 && second > kTailBase &&
      second - kTailBase < kTailCount) {
    return first + (second - kTailBase);
  }
  const std::span rows(table::kCompositions, table::kCompositionCount);
  const auto key = [](const table::Composition& row) { return std::tuple(row.first, row.second); };
  const auto it = std::ranges::lower_bound(rows, std::tuple(first, second), {}, key);
  return it != rows.end() && key(*it) == std::tuple(first, second) ? it->composite : 0;
}

// Canonical ordering: every run of non-starters sorted by class, equal classes in their order.
void order_marks(std::vector<Mark>& marks) {
  auto begin = marks.begin();
  while (begin != marks.end()) {
    if (begin->combining_class == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, marks.end(),
                                  [](const Mark& mark) { return mark.combining_class == 0; });
    std::ranges::stable_sort(begin, end, {}, &Mark::combining_class);
    begin = end;
  }
}

// Joins each mark to the last starter unless something of an equal or higher class is between.
void compose_marks(std::vector<Mark>& marks) {
  size_t size = 0;
  size_t starter = marks.size();  // none yet
  for (const Mark mark : marks) {
    if (starter < size) {
      const bool adjacent = size == starter + 1;
      if (adjacent || marks[size - 1].combining_class < mark.combining_class) {
        if (const uint32_t joined = compose(marks[starter].code_point, mark.code_point)) {
          marks[starter].code_point = joined;
          continue;
        }
      }
    }
    if (mark.combining_class == 0) starter = size;
    marks[size++] = mark;
  }
  marks.resize(size);
}

void append_normalised(std::string_view segment, std::vector<Mark>& scratch, std::string& out) {
  scratch.clear();
  while (!segment.empty()) {
    const utf8::Decoded decoded = utf8::decode(segment);
    append_decomposed(decoded.code_point, scratch);
    segment.remove_prefix(decoded.length);
  }
  order_marks(scratch);
  compose_marks(scratch);
  for (const Mark& mark : scratch) utf8::append(out, mark.code_point);
}

enum class Form : uint8_t { nfd, nfkc, nfkd };

std::string normalised(std::string_view text, Form form) {
  std::string out;
  out.reserve(text.size());
  std::vector<Mark> marks;  // of a run that begins with the last ASCII character
  const auto flush = [&] {
    order_marks(marks);
    if (form == Form::nfkc) compose_marks(marks);
    for (const Mark& mark : marks) utf8::append(out, mark.code_point);
    marks.clear();
  };
  while (!text.empty()) {
    const utf8::Decoded decoded = utf8::decode(text);
    if (decoded.code_point < 0x80) {
      flush();
      marks.push_back({decoded.code_point, 0});
    } else if (form == Form::nfd) {
      append_decomposed(decoded.code_point, marks);
    } else {
      append_compatible(decoded.code_point, marks);
    }
    text.remove_prefix(decoded.length);
  }
  flush();
  return out;
}

}  // namespace

std::string to_nfd(std::string_view text) { return normalised(text, Form::nfd); }
std::string to_nfkc(std::string_view text) { return normalised(text, Form::nfkc); }
std::string to_nfkd(std::string_view text) { return normalised(text, Form::nfkd); }

bool is_surely_nfc(std::string_view text) noexcept {
  // Nothing below U+0300 changes or composes, so no lead byte below that of U+0300 either.
  constexpr unsigned char kFirstLead = 0xcc;
  for (size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < kFirstLead) {
      ++at;
      continue;
    }
    const utf8::Decoded decoded = utf8::decode(text.substr(at));
    if (properties(decoded.code_point) & kNormalise) return false;
    at += decoded.length;
  }
  return true;
}

std::string to_nfc(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::vector<Mark> scratch;
  size_t segment = 0;  // start of the segment being gathered
  bool flagged = false;
  const auto flush = [&](size_t end) {
    const std::string_view part = text.substr(segment, end - segment);
    if (flagged) {
      append_normalised(part, scratch, out);
    } else {
      out += part;
    }
    segment = end;
    flagged = false;
  };
  for (size_t at = 0; at < text.size();) {
    const utf8::Decoded decoded = utf8::decode(text.substr(at));
    if (properties(decoded.code_point) & kNormalise) {
      flagged = true;
    } else {
      flush(at);
    }
    at += decoded.length;
  }
  flush(text.size());
  return out;
}

}  // namespace bittern::text
