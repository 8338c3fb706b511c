// Where the literal ranges of a text (EncodeOptions) lie in a segment of it after normalisation.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/text_range.h"

namespace bittern::text {

// `segment` begins at `offset` of the text that `literal` (sorted, disjoint) is about; `normalised`
// is what `normalise` makes of it. A place moves as the text before it grows or shrinks.
// Normalisers look at most at the neighbours of a place, so what lies wholly inside a range stays
// inside; that is what keeps a special token that a user typed from being read as one.
std::vector<TextRange> literal_ranges(
    std::string_view segment, size_t offset, std::span<const TextRange> literal,
    std::string_view normalised, const std::function<std::string(std::string_view)>& normalise);

}  // namespace bittern::text
