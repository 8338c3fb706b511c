#include "chat/jinja/text.h"

#include <algorithm>

#include "base/utf8.h"

namespace bittern::chat::jinja {

void Characters::load() {
  if (begin_ >= text_.bytes.size()) return;
  const auto first = static_cast<unsigned char>(text_.bytes[begin_]);
  if (first < 0x80) {
    code_ = first;
    end_ = begin_ + 1;
    return;
  }
  const auto decoded = utf8::decode(text_.bytes.substr(begin_));
  code_ = decoded.code_point;
  end_ = begin_ + decoded.length;
}

bool Characters::user() {
  while (range_ < text_.user.size() && text_.user[range_].end <= begin_) ++range_;
  return range_ < text_.user.size() && text_.user[range_].begin < end_;
}

bool any_user(const Str& text, size_t begin, size_t end) {
  const auto first =
      std::lower_bound(text.user.begin(), text.user.end(), begin,
                       [](const Range& range, size_t position) { return range.end <= position; });
  return first != text.user.end() && first->begin < end;
}

size_t character_count(std::string_view bytes) {
  size_t count = 0;
  for (size_t i = 0; i < bytes.size(); ++count)
    i += static_cast<unsigned char>(bytes[i]) < 0x80 ? 1 : utf8::decode(bytes.substr(i)).length;
  return count;
}

size_t byte_offset(const Str& text, size_t character) {
  if (character >= text.length) return text.bytes.size();
  if (text.is_plain()) return character;
  size_t i = 0;
  for (; character > 0; --character)
    i += static_cast<unsigned char>(text.bytes[i]) < 0x80
             ? 1
             : utf8::decode(text.bytes.substr(i)).length;
  return i;
}

void TextBuilder::mark(size_t begin, size_t end) {
  if (begin == end) return;
  if (!user_.empty() && user_.back().end == begin)
    user_.back().end = end;
  else
    user_.push_back({begin, end});
}

void TextBuilder::append(std::string_view bytes, bool user) {
  if (user) mark(bytes_.size(), bytes_.size() + bytes.size());
  bytes_ += bytes;
}

void TextBuilder::append(const Str& text, size_t begin, size_t end) {
  const size_t shift = bytes_.size();
  bytes_ += text.bytes.substr(begin, end - begin);
  auto range = std::lower_bound(text.user.begin(), text.user.end(), begin,
                                [](const Range& r, size_t position) { return r.end <= position; });
  for (; range != text.user.end() && range->begin < end; ++range)
    mark(std::max(range->begin, begin) - begin + shift, std::min(range->end, end) - begin + shift);
}

}  // namespace bittern::chat::jinja
