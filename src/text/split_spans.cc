#include "text/split_spans.h"

#include <algorithm>

namespace bittern::text {
namespace {

// A match joins the span before it, unless that was a match as well.
std::vector<Span> merged_with_previous(const std::vector<Span>& spans) {
  std::vector<Span> out;
  bool previous = false;
  for (const Span& span : spans) {
    if (span.match && !previous && !out.empty()) {
      out.back().end = span.end;
    } else {
      out.push_back(span);
    }
    previous = span.match;
  }
  return out;
}

std::vector<Span> merged_with_next(const std::vector<Span>& spans) {
  std::vector<Span> out;
  bool previous = false;
  for (auto span = spans.rbegin(); span != spans.rend(); ++span) {
    if (span->match && !previous && !out.empty()) {
      out.back().begin = span->begin;
    } else {
      out.push_back(*span);
    }
    previous = span->match;
  }
  std::ranges::reverse(out);
  return out;
}

std::vector<Span> contiguous(const std::vector<Span>& spans) {
  std::vector<Span> out;
  for (const Span& span : spans) {
    if (!out.empty() && out.back().match == span.match) {
      out.back().end = span.end;
    } else {
      out.push_back(span);
    }
  }
  return out;
}

}  // namespace

std::vector<Span> pieces_of(std::vector<Span> spans, SplitBehavior behavior) {
  switch (behavior) {
    case SplitBehavior::removed:
      std::erase_if(spans, [](const Span& span) { return span.match; });
      return spans;
    case SplitBehavior::isolated:
      return spans;
    case SplitBehavior::merged_with_previous:
      return merged_with_previous(spans);
    case SplitBehavior::merged_with_next:
      return merged_with_next(spans);
    case SplitBehavior::contiguous:
      return contiguous(spans);
  }
  return spans;
}

}  // namespace bittern::text
