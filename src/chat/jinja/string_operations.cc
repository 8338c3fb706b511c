#include "chat/jinja/string_operations.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "chat/jinja/characters.h"
#include "chat/limits.h"

namespace bittern::chat::jinja {
namespace {

// Where characters begin, and the text's end: positions for stripping and splitting backwards.
struct Boundaries {
  std::vector<size_t> at;
  std::vector<uint32_t> codes;

  explicit Boundaries(const Str& text) {
    for (Characters c(text); !c.done(); c.next()) {
      at.push_back(c.begin());
      codes.push_back(c.code());
    }
    at.push_back(text.bytes.size());
  }
  size_t count() const { return codes.size(); }
};

constexpr size_t kShort = 32;  // a wanted text of which the product does not matter

}  // namespace

// The searches of the C++ library compare at every place, which a hostile pair of texts turns
// into a product; memmem takes a sum.
size_t find_text(std::string_view text, std::string_view wanted, size_t from) {
  if (from > text.size()) return std::string_view::npos;
  const void* found = wanted.empty() ? text.data() + from
                                     : ::memmem(text.data() + from, text.size() - from,
                                                wanted.data(), wanted.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

size_t rfind_text(std::string_view text, std::string_view wanted) {
  if (wanted.size() <= kShort || wanted.size() > text.size()) return text.rfind(wanted);
  const std::string turned_text(text.rbegin(), text.rend());
  const std::string turned_wanted(wanted.rbegin(), wanted.rend());
  const size_t at = find_text(turned_text, turned_wanted, 0);
  return at == std::string_view::npos ? at : text.size() - at - wanted.size();
}

const Str* stripped(Heap& heap, const Str& text, const Str* characters, Side side) {
  std::vector<uint32_t> set;
  if (characters != nullptr)
    for (Characters c(*characters); !c.done(); c.next()) set.push_back(c.code());
  heap.charge(text.bytes.size() * (set.size() + 1));
  const auto removable = [&](uint32_t code) {
    if (characters == nullptr) return is_space(code);
    return std::find(set.begin(), set.end(), code) != set.end();
  };
  // Of what stays: the first and past the last.
  size_t begin = text.bytes.size(), end = 0;
  for (Characters c(text); !c.done(); c.next()) {
    if (removable(c.code())) continue;
    begin = std::min(begin, c.begin());
    end = c.end();
  }
  if (side == Side::left) end = text.bytes.size();
  if (side == Side::right) begin = 0;
  return heap.slice(text, begin, std::max(begin, end));
}

namespace {

std::vector<Object> split_space(Heap& heap, const Str& text, int64_t most, bool from_right) {
  const Boundaries all(text);
  std::vector<Object> parts;
  const auto add = [&](size_t begin, size_t end) {
    parts.push_back(of(heap.slice(text, all.at[begin], all.at[end])));
  };
  const auto full = [&] { return most >= 0 && static_cast<int64_t>(parts.size()) >= most; };
  if (!from_right) {
    for (size_t i = 0; i < all.count();) {
      while (i < all.count() && is_space(all.codes[i])) ++i;
      if (i == all.count()) break;
      const size_t begin = i;
      if (full()) {  // the rest, white space at its end included
        add(begin, all.count());
        break;
      }
      while (i < all.count() && !is_space(all.codes[i])) ++i;
      add(begin, i);
    }
    return parts;
  }
  for (size_t i = all.count(); i > 0;) {
    while (i > 0 && is_space(all.codes[i - 1])) --i;
    if (i == 0) break;
    const size_t end = i;
    if (full()) {
      add(0, end);
      break;
    }
    while (i > 0 && !is_space(all.codes[i - 1])) --i;
    add(i, end);
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

}  // namespace

std::vector<Object> split_text(Heap& heap, const Str& text, const Str* separator, int64_t most,
                               bool from_right) {
  heap.charge(text.bytes.size());
  if (separator == nullptr) return split_space(heap, text, most, from_right);
  const std::string_view mark = separator->bytes, bytes = text.bytes;
  if (mark.empty()) heap.fail("split: an empty separator");
  std::vector<Object> parts;
  const auto full = [&] { return most >= 0 && static_cast<int64_t>(parts.size()) >= most; };
  if (!from_right) {
    size_t begin = 0;
    for (size_t at = find_text(bytes, mark); at != std::string_view::npos && !full();
         at = find_text(bytes, mark, begin)) {
      parts.push_back(of(heap.slice(text, begin, at)));
      begin = at + mark.size();
    }
    parts.push_back(of(heap.slice(text, begin, bytes.size())));
    return parts;
  }
  size_t end = bytes.size();
  while (!full() && end >= mark.size()) {
    if (mark.size() > kShort) heap.charge(end);
    const size_t at = rfind_text(bytes.substr(0, end), mark);
    if (at == std::string_view::npos) break;
    parts.push_back(of(heap.slice(text, at + mark.size(), end)));
    end = at;
  }
  parts.push_back(of(heap.slice(text, 0, end)));
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<Object> lines_of(Heap& heap, const Str& text, bool keep_ends) {
  std::vector<Object> lines;
  size_t begin = 0;
  for (Characters c(text); !c.done(); c.next()) {
    if (!is_line_break(c.code())) continue;
    const size_t end = c.begin();
    size_t next = c.end();
    if (c.code() == '\r' && next < text.bytes.size() && text.bytes[next] == '\n') {
      c.next();
      next = c.end();
    }
    lines.push_back(of(heap.slice(text, begin, keep_ends ? next : end)));
    begin = next;
  }
  if (begin < text.bytes.size()) lines.push_back(of(heap.slice(text, begin, text.bytes.size())));
  return lines;
}

const Str* replaced(Heap& heap, const Str& text, const Str& old, const Str& with, int64_t most) {
  heap.charge(text.bytes.size());
  TextBuilder out;
  const auto check = [&] {
    heap.charge(with.bytes.size());
    if (out.size() > kStringBytesMax)
      heap.fail(fmt::format("a text of more than {} MiB", kStringBytesMax >> 20));
  };
  int64_t left = most < 0 ? INT64_MAX : most;
  if (old.bytes.empty()) {  // before every character, and at the end
    for (Characters c(text); !c.done(); c.next()) {
      if (left > 0) {
        out.append(with);
        --left;
      }
      out.append(text, c.begin(), c.end());
      check();
    }
    if (left > 0) out.append(with);
    return heap.text(std::move(out));
  }
  size_t begin = 0;
  for (size_t at = find_text(text.bytes, old.bytes); at != std::string_view::npos && left > 0;
       --left) {
    out.append(text, begin, at);
    out.append(with);
    check();
    begin = at + old.bytes.size();
    at = find_text(text.bytes, old.bytes, begin);
  }
  out.append(text, begin, text.bytes.size());
  return heap.text(std::move(out));
}

// ---- case ----

namespace {

constexpr uint32_t kSigma = 0x3a3;

// A capital sigma at the end of a word becomes the final form.
bool is_final_sigma(const std::vector<uint32_t>& codes, size_t i) {
  const auto cased = [](uint32_t c) { return has_class(c, CharacterClass::cased); };
  size_t before = i;
  while (before > 0 && is_case_ignorable(codes[before - 1])) --before;
  if (before == 0 || !cased(codes[before - 1])) return false;
  size_t after = i + 1;
  while (after < codes.size() && is_case_ignorable(codes[after])) ++after;
  return after == codes.size() || !cased(codes[after]);
}

}  // namespace

const Str* mapped(Heap& heap, const Str& text, CaseMapping mapping) {
  heap.charge(text.bytes.size() * 4);
  std::vector<uint32_t> codes;  // only where a sigma has to look around
  if (text.bytes.find("\xce\xa3") != std::string_view::npos) codes = Boundaries(text).codes;
  TextBuilder out;
  std::string piece;
  bool after_cased = false;
  size_t i = 0;
  for (Characters c(text); !c.done(); c.next(), ++i) {
    const uint32_t code = c.code();
    piece.clear();
    const auto lower = [&] {
      if (code == kSigma && is_final_sigma(codes, i))
        piece += "\xcf\x82";
      else
        append_lower(piece, code);
    };
    switch (mapping) {
      case CaseMapping::lower:
        lower();
        break;
      case CaseMapping::upper:
        append_upper(piece, code);
        break;
      case CaseMapping::fold:
        append_folded(piece, code);
        break;
      case CaseMapping::capitalize:
        if (i == 0)
          append_title(piece, code);
        else
          lower();
        break;
      case CaseMapping::title:
        if (after_cased)
          lower();
        else
          append_title(piece, code);
        after_cased = has_class(code, CharacterClass::cased);
        break;
      case CaseMapping::swap:
        if (has_class(code, CharacterClass::upper))
          lower();
        else if (has_class(code, CharacterClass::lower))
          append_upper(piece, code);
        else
          piece += c.bytes();
        break;
    }
    out.append(piece, c.user());
  }
  return heap.text(std::move(out));
}

const Str* justified(Heap& heap, const Str& text, int64_t width, const Str& fill, Side side) {
  const auto length = static_cast<int64_t>(text.length);
  if (width <= length) return &text;
  if (width > static_cast<int64_t>(kStringBytesMax / 4))
    heap.fail(fmt::format("a text of more than {} MiB", kStringBytesMax >> 20));
  const auto missing = static_cast<size_t>(width - length);
  heap.charge(missing * fill.bytes.size());
  // Python puts the odd one to the left where the width is odd.
  const size_t left = side == Side::left ? 0
                      : side == Side::right
                          ? missing
                          : missing / 2 + (missing & static_cast<size_t>(width) & 1);
  TextBuilder out;
  for (size_t i = 0; i < left; ++i) out.append(fill);
  out.append(text);
  for (size_t i = left; i < missing; ++i) out.append(fill);
  return heap.text(std::move(out));
}

namespace {
bool is_all_of_case(const Str& text, CharacterClass wanted, CharacterClass other) {
  bool any = false;
  for (Characters c(text); !c.done(); c.next()) {
    const bool has_wanted = has_class(c.code(), wanted);
    if (!has_wanted && (has_class(c.code(), other) || has_class(c.code(), CharacterClass::cased)))
      return false;
    any |= has_wanted;
  }
  return any;
}
}  // namespace

bool is_lower(const Str& text) {
  return is_all_of_case(text, CharacterClass::lower, CharacterClass::upper);
}
bool is_upper(const Str& text) {
  return is_all_of_case(text, CharacterClass::upper, CharacterClass::lower);
}

}  // namespace bittern::chat::jinja
