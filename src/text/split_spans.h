// Splitting at the matches of a pattern: a text as alternating matches and gaps, and what each
// behaviour keeps of it. Source: NormalizedString::split of `tokenizers`.
#pragma once

#include <cstddef>
#include <vector>

#include "text/pipeline_spec.h"

namespace bittern::text {

struct Span {
  size_t begin, end;
  bool match;
};

// `spans` cover a text without overlap; the spans of pieces, empty ones possible.
std::vector<Span> pieces_of(std::vector<Span> spans, SplitBehavior behavior);

}  // namespace bittern::text
