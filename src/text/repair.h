// Text from outside made valid UTF-8 before it is encoded: every maximal invalid subpart becomes
// U+FFFD, as Python's bytes.decode("utf-8", "replace") does it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/text_range.h"

namespace bittern::text {

// A view of valid UTF-8, of the caller's text where that is valid already.
class RepairedText {
 public:
  // `ranges` (sorted, disjoint; past the end: cut) move with the bytes that they name.
  RepairedText(std::string_view text, std::span<const TextRange> ranges);
  RepairedText(const RepairedText&) = delete;
  RepairedText& operator=(const RepairedText&) = delete;

  std::string_view text() const { return text_; }
  std::span<const TextRange> ranges() const { return ranges_; }

 private:
  std::string copy_;
  std::vector<TextRange> moved_;
  std::string_view text_;
  std::span<const TextRange> ranges_;
};

}  // namespace bittern::text
