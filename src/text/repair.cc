#include "text/repair.h"

#include "base/utf8.h"

namespace bittern::text {

RepairedText::RepairedText(std::string_view text, std::span<const TextRange> ranges)
    : text_(text), ranges_(ranges) {
  if (utf8::is_valid(text)) return;
  moved_.assign(ranges.begin(), ranges.end());
  copy_.reserve(text.size() + 16);
  size_t begins = 0, ends = 0;  // ranges whose begin, whose end has been passed
  for (size_t at = 0; at < text.size();) {
    const utf8::Decoded decoded = utf8::decode(text.substr(at));
    const size_t before = copy_.size();
    if (decoded.valid) {
      copy_ += text.substr(at, decoded.length);
    } else {
      utf8::append(copy_, decoded.code_point);
    }
    at += decoded.length;
    // A range that begins or ends inside this character takes the whole of it.
    for (; begins < moved_.size() && ranges[begins].begin < at; ++begins)
      moved_[begins].begin = before;
    for (; ends < moved_.size() && ranges[ends].end <= at; ++ends) moved_[ends].end = copy_.size();
  }
  for (; begins < moved_.size(); ++begins) moved_[begins].begin = copy_.size();
  for (; ends < moved_.size(); ++ends) moved_[ends].end = copy_.size();
  text_ = copy_;
  ranges_ = moved_;
}

}  // namespace bittern::text
