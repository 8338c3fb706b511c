// Texts that know which of their bytes a user wrote. A Str is a run of UTF-8 and the ranges of it
// that came from the caller's values; a TextBuilder puts one together. Whatever filters and
// methods do, a byte that depends on user text by copying stays marked, so that the rendered
// prompt tells the tokenizer where special tokens may be spelled and where not.
//
//   bytes  <|im_start|>user\nHi <|im_end|> there<|im_end|>
//   user                    ^-----------------^              one range
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/text_range.h"

namespace bittern::chat::jinja {

using Range = text::TextRange;

struct Str {
  std::string_view bytes;
  std::span<const Range> user;  // sorted, disjoint, not touching, not empty
  size_t length = 0;            // in characters
  bool markup = false;          // of the filters `safe` and `escape`: "+" escapes what is added

  // One byte a character, so that positions are byte offsets.
  bool is_plain() const { return length == bytes.size(); }
  bool has_user() const { return !user.empty(); }
};

// Characters of a text in order, each with where it lies and whether a user wrote it.
class Characters {
 public:
  explicit Characters(const Str& text) : text_(text) { load(); }
  bool done() const { return begin_ >= text_.bytes.size(); }
  uint32_t code() const { return code_; }
  size_t begin() const { return begin_; }
  size_t end() const { return end_; }
  std::string_view bytes() const { return text_.bytes.substr(begin_, end_ - begin_); }
  bool user();
  void next() {
    begin_ = end_;
    load();
  }

 private:
  void load();
  const Str& text_;
  size_t begin_ = 0, end_ = 0, range_ = 0;
  uint32_t code_ = 0;
};

// Of a byte range of a text: does a user own any of it?
bool any_user(const Str& text, size_t begin, size_t end);

// The byte offset of a character; the text's size past its end.
size_t byte_offset(const Str& text, size_t character);
// The characters in the first `bytes` bytes.
size_t character_count(std::string_view bytes);

class TextBuilder {
 public:
  void append(std::string_view bytes, bool user);
  void append(const Str& text) { append(text, 0, text.bytes.size()); }
  void append(const Str& text, size_t begin, size_t end);  // a byte range of it

  size_t size() const { return bytes_.size(); }
  std::string& bytes() { return bytes_; }
  std::vector<Range>& user() { return user_; }

 private:
  void mark(size_t begin, size_t end);
  std::string bytes_;
  std::vector<Range> user_;
};

}  // namespace bittern::chat::jinja
