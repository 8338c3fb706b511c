#include "engine/stop_matcher.h"

#include <algorithm>

#include "base/check.h"

namespace bittern::engine {

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  size_t longest = 0;
  for (const std::string& stop : stops_) {
    BITTERN_CHECK(!stop.empty(), "empty stop string among {}", stops_.size());
    longest = std::max(longest, stop.size());
  }
  constexpr size_t kUsualPiece = 256;
  pending_.reserve(longest + kUsualPiece);
}

std::string_view StopMatcher::push(std::string_view text) {
  if (matched_) return {};
  pending_.erase(0, shown_);
  pending_ += text;
  shown_ = 0;
  size_t best_end = std::string::npos;
  size_t best_start = 0;
  const std::string* best = nullptr;
  for (const std::string& stop : stops_) {
    const size_t start = pending_.find(stop);
    if (start == std::string::npos) continue;
    const size_t end = start + stop.size();
    if (end < best_end || (end == best_end && start < best_start)) {
      best_end = end;
      best_start = start;
      best = &stop;
    }
  }
  if (best != nullptr) {
    matched_ = *best;
    shown_ = best_start;
  } else {
    shown_ = pending_.size() - held_back();
  }
  return std::string_view(pending_).substr(0, shown_);
}

std::string_view StopMatcher::finish() {
  if (matched_) return {};
  pending_.erase(0, shown_);
  shown_ = pending_.size();
  return pending_;
}

// Length of the longest end of the text that begins a stop string.
size_t StopMatcher::held_back() const {
  size_t longest = 0;
  for (const std::string& stop : stops_) {
    size_t length = std::min(stop.size() - 1, pending_.size());
    while (length > longest && !pending_.ends_with(std::string_view(stop).substr(0, length)))
      --length;
    longest = std::max(longest, length);
  }
  return longest;
}

}  // namespace bittern::engine
