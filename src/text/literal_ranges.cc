#include "text/literal_ranges.h"

#include <algorithm>

namespace bittern::text {

std::vector<TextRange> literal_ranges(
    std::string_view segment, size_t offset, std::span<const TextRange> literal,
    std::string_view normalised, const std::function<std::string(std::string_view)>& normalise) {
  const auto moved = [&](size_t place) {
    if (place <= offset) return size_t{0};
    if (place - offset >= segment.size()) return normalised.size();
    if (normalised == segment) return place - offset;
    return std::min(normalise(segment.substr(0, place - offset)).size(), normalised.size());
  };
  std::vector<TextRange> ranges;
  for (const TextRange& range : literal) {
    if (range.end <= offset || range.begin >= offset + segment.size()) continue;
    const TextRange place{moved(range.begin), moved(range.end)};
    if (!ranges.empty() && place.begin < ranges.back().end) {
      ranges.back().end = std::max(ranges.back().end, place.end);
    } else {
      ranges.push_back(place);
    }
  }
  return ranges;
}

}  // namespace bittern::text
