// Finds stop strings in streamed text. Text that could be the beginning of a stop string is held
// back until it is known not to be one, so that a reader never sees part of a stop string.
// The stop string that is complete first wins (the longest of those that end at the same place),
// which makes the result independent of how the text was cut into pieces.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bittern::engine {

class StopMatcher {
 public:
  // No stop string may be empty.
  explicit StopMatcher(std::vector<std::string> stops);

  // Adds text and returns what may be shown now; the view is valid until the next call. After a
  // match, the text before it is returned and nothing more is ever shown.
  std::string_view push(std::string_view text);
  // The end of the text: what was held back.
  std::string_view finish();

  // The stop string that was met.
  const std::optional<std::string>& matched() const { return matched_; }

 private:
  size_t held_back() const;

  std::vector<std::string> stops_;
  std::string pending_;  // [0, shown_) was returned by the last call
  size_t shown_ = 0;
  std::optional<std::string> matched_;
};

}  // namespace bittern::engine
