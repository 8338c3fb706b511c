// Methods of texts, as Python's str has them. Positions count characters. What copies parts of
// the text keeps each part's mark of who wrote it; mapped characters keep their own.
#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/utf8.h"
#include "chat/jinja/characters.h"
#include "chat/jinja/format_text.h"
#include "chat/jinja/interpreter.h"
#include "chat/jinja/method_tables.h"
#include "chat/jinja/operations.h"
#include "chat/jinja/parameters.h"
#include "chat/jinja/string_operations.h"
#include "chat/limits.h"

namespace bittern::chat::jinja {
namespace {

using Args = const Arguments&;

Object text_of(Interpreter& run, TextBuilder&& builder) {
  return of(run.heap.text(std::move(builder)));
}

// A parameter that may be none for "not given".
const Str* optional_text(const Parameters& p, size_t i) {
  return p.at(i).is(Type::none) ? nullptr : &p.text(i);
}

template <Side side>
Object strip(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "strip", args, {""});
  return of(stripped(run.heap, *self.string, optional_text(p, 0), side));
}

template <bool from_right>
Object split(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "split", args, {"sep", "maxsplit"});
  return run.heap.list(
      split_text(run.heap, *self.string, optional_text(p, 0), p.whole_or(1, -1), from_right));
}

Object splitlines(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "splitlines", args, {"keepends"});
  return run.heap.list(lines_of(run.heap, *self.string, p.whole_or(0, 0) != 0));
}

template <bool from_right>
Object partition(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "partition", args, {""}, 1);
  const Str& text = *self.string;
  const Str& separator = p.text(0);
  if (separator.bytes.empty()) run.fail("partition: an empty separator");
  run.heap.charge(text.bytes.size());
  const size_t at =
      from_right ? rfind_text(text.bytes, separator.bytes) : find_text(text.bytes, separator.bytes);
  const Object empty = of(run.heap.literal(""));
  if (at == std::string_view::npos)
    return from_right ? run.heap.tuple({empty, empty, self}) : run.heap.tuple({self, empty, empty});
  const size_t end = at + separator.bytes.size();
  return run.heap.tuple({of(run.heap.slice(text, 0, at)), of(run.heap.slice(text, at, end)),
                         of(run.heap.slice(text, end, text.bytes.size()))});
}

Object replace(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "replace", args, {"", "", ""}, 2);
  return of(replaced(run.heap, *self.string, p.text(0), p.text(1), p.whole_or(2, -1)));
}

Object join(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "join", args, {""}, 1);
  TextBuilder out;
  bool first = true;
  for (const Object& item : elements(run.heap, p.at(0))) {
    if (!item.is(Type::string))
      run.fail(fmt::format("join: texts expected, got {}", type_name(item.type)));
    if (!std::exchange(first, false)) append_str(run.heap, out, self);
    append_str(run.heap, out, item);
  }
  return text_of(run, std::move(out));
}

template <CaseMapping mapping>
Object mapped_case(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "a change of case", args);
  return of(mapped(run.heap, *self.string, mapping));
}

// startswith and endswith: one text or a tuple of them, within character bounds.
template <bool at_end>
Object has_affix(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, at_end ? "endswith" : "startswith", args, {"", "", ""}, 1);
  const Str& whole = *self.string;
  std::string_view text = whole.bytes;
  int64_t start = 0;
  if (p.given(1) || p.given(2)) {
    start = p.at(1).is(Type::none) ? 0 : p.whole(1);
    const Object part = slice(run.heap, self, p.at(1), p.at(2), none());
    text = part.string->bytes;
  }
  const auto matches = [&](const Object& affix) {
    if (!affix.is(Type::string)) run.fail("a text, or a tuple of texts, expected");
    run.heap.charge(affix.string->bytes.size());
    // Nothing, not even "", begins past the end.
    if (start > static_cast<int64_t>(whole.length)) return false;
    return at_end ? text.ends_with(affix.string->bytes) : text.starts_with(affix.string->bytes);
  };
  if (!p.at(0).is(Type::tuple)) return of(matches(p.at(0)));
  for (const Object& affix : p.at(0).sequence->items)
    if (matches(affix)) return of(true);
  return of(false);
}

template <bool prefix>
Object without_affix(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, prefix ? "removeprefix" : "removesuffix", args, {""}, 1);
  const Str& text = *self.string;
  const std::string_view affix = p.text(0).bytes;
  run.heap.charge(affix.size());
  const size_t size = text.bytes.size();
  if (prefix && text.bytes.starts_with(affix)) return of(run.heap.slice(text, affix.size(), size));
  if (!prefix && text.bytes.ends_with(affix))
    return of(run.heap.slice(text, 0, size - affix.size()));
  return self;
}

// find, rfind, index, rindex: a character position, -1 or an error where there is none.
template <bool from_right, bool must_exist>
Object find(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, must_exist ? "index" : "find", args, {"", "", ""}, 1);
  const Str& wanted = p.text(0);
  const auto length = static_cast<int64_t>(self.string->length);
  const auto bound = [&](size_t i, int64_t otherwise) {
    if (p.at(i).is(Type::none)) return otherwise;
    int64_t value = p.whole(i);
    if (value < 0) value = value < -length ? 0 : value + length;
    return value;
  };
  const int64_t start = bound(1, 0), stop = std::min(bound(2, length), length);
  if (start <= stop) {
    const size_t begin = byte_offset(*self.string, static_cast<size_t>(start));
    const size_t end = byte_offset(*self.string, static_cast<size_t>(stop));
    const std::string_view text = self.string->bytes.substr(begin, end - begin);
    run.heap.charge(text.size());
    const size_t at = from_right ? rfind_text(text, wanted.bytes) : find_text(text, wanted.bytes);
    if (at != std::string_view::npos)
      return of(start + static_cast<int64_t>(character_count(text.substr(0, at))));
  }
  if (must_exist) run.fail("index: the text is not there");
  return of(int64_t{-1});
}

Object count(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "count", args, {"", "", ""}, 1);
  const std::string_view wanted = p.text(0).bytes;
  const Object part = slice(run.heap, self, p.at(1), p.at(2), none());
  if (wanted.empty()) {
    const bool past =
        p.at(1).is_whole() && p.at(1).whole() > static_cast<int64_t>(self.string->length);
    return of(past ? int64_t{0} : static_cast<int64_t>(part.string->length) + 1);
  }
  int64_t found = 0;
  const std::string_view text = part.string->bytes;
  run.heap.charge(text.size());
  for (size_t at = find_text(text, wanted); at != std::string_view::npos;
       at = find_text(text, wanted, at + wanted.size()))
    ++found;
  return of(found);
}

// center, ljust, rjust.
template <Side text_side>
Object justify(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "a change of width", args, {"", ""}, 1);
  const Str* fill = p.text_or(1, " ");
  if (fill->length != 1) run.fail("one character to fill with expected");
  return of(justified(run.heap, *self.string, p.whole(0), *fill, text_side));
}

Object zfill(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "zfill", args, {""}, 1);
  const Str& text = *self.string;
  const bool sign = text.bytes.starts_with('-') || text.bytes.starts_with('+');
  const Str* rest = run.heap.slice(text, sign ? 1 : 0, text.bytes.size());
  TextBuilder out;
  out.append(text, 0, sign ? 1 : 0);
  const int64_t width = p.whole(0) - (sign ? 1 : 0);
  out.append(*justified(run.heap, *rest, width, *run.heap.literal("0"), Side::right));
  return text_of(run, std::move(out));
}

Object expandtabs(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "expandtabs", args, {"tabsize"});
  const int64_t size = p.whole_or(0, 8);
  if (size > 1000) run.fail("expandtabs: at most 1000 expected");
  TextBuilder out;
  int64_t column = 0;
  for (Characters c(*self.string); !c.done(); c.next()) {
    if (c.code() == '\t') {
      const int64_t width = size > 0 ? size - column % size : 0;
      run.heap.charge(static_cast<size_t>(width));
      out.append(std::string(static_cast<size_t>(width), ' '), c.user());
      column += width;
    } else {
      out.append(c.bytes(), c.user());
      column = c.code() == '\n' || c.code() == '\r' ? 0 : column + 1;
    }
  }
  return text_of(run, std::move(out));
}

// Whether the text is not empty and all its characters are of a class.
template <CharacterClass... classes>
Object all_of_class(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "a question about characters", args);
  for (Characters c(*self.string); !c.done(); c.next())
    if (!(has_class(c.code(), classes) || ...)) return of(false);
  return of(self.string->length > 0);
}

Object isspace(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "isspace", args);
  for (Characters c(*self.string); !c.done(); c.next())
    if (!is_space(c.code())) return of(false);
  return of(self.string->length > 0);
}
Object isascii(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "isascii", args);
  return of(std::all_of(self.string->bytes.begin(), self.string->bytes.end(),
                        [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
}
Object isprintable(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "isprintable", args);
  for (Characters c(*self.string); !c.done(); c.next())
    if (!has_class(c.code(), CharacterClass::printable)) return of(false);
  return of(true);
}
Object isidentifier(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "isidentifier", args);
  bool first = true;
  for (Characters c(*self.string); !c.done(); c.next()) {
    const uint32_t code = c.code();
    const bool letter = code == '_' || has_class(code, CharacterClass::alpha);
    if (!letter && (first || (text::properties(code) & text::kWord) == 0)) return of(false);
    first = false;
  }
  return of(!first);
}
template <bool upper>
Object is_case(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "a question about case", args);
  return of(upper ? is_upper(*self.string) : is_lower(*self.string));
}
Object istitle(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "istitle", args);
  bool any = false, after_cased = false;
  for (Characters c(*self.string); !c.done(); c.next()) {
    const bool lower = has_class(c.code(), CharacterClass::lower);
    const bool cased = has_class(c.code(), CharacterClass::cased);
    if (cased && lower != after_cased) return of(false);
    any |= cased;
    after_cased = cased;
  }
  return of(any);
}

Object field(Interpreter& run, const Object& object, const Str& name, bool is_attribute) {
  if (is_attribute) return run.attribute(object, name);
  if (!name.bytes.empty() && name.bytes.find_first_not_of("0123456789") == std::string_view::npos &&
      name.bytes.size() < 18) {
    int64_t index = 0;
    for (const char c : name.bytes) index = index * 10 + (c - '0');
    return run.item(object, of(index));
  }
  return run.item(object, of(run.heap.make<Str>(name)));
}

Object format(Interpreter& run, const Object& self, Args args) {
  if (self.string->markup) run.fail("format: not supported on a text marked safe");
  return brace_format(run.heap, run, *self.string, args, field);
}

Object format_map(Interpreter& run, const Object& self, Args args) {
  const Parameters p(run, "format_map", args, {""}, 1);
  if (!p.at(0).is(Type::dict)) run.fail("format_map: a dictionary expected");
  Arguments named;
  for (const Entry& entry : p.at(0).mapping->entries)
    if (entry.key.is(Type::string)) named.named.emplace_back(entry.key.string->bytes, entry.value);
  return format(run, self, named);
}

Object refused(Interpreter& run, const Object&, Args) {
  run.fail("encode, translate and maketrans are not supported in a chat template");
}

using enum CharacterClass;
constexpr MethodRow kMethods[] = {
    {"capitalize", mapped_case<CaseMapping::capitalize>},
    {"casefold", mapped_case<CaseMapping::fold>},
    {"center", justify<Side::both>},
    {"count", count},
    {"encode", refused},
    {"endswith", has_affix<true>},
    {"expandtabs", expandtabs},
    {"find", find<false, false>},
    {"format", format},
    {"format_map", format_map},
    {"index", find<false, true>},
    {"isalnum", all_of_class<alpha, decimal, digit, numeric>},
    {"isalpha", all_of_class<alpha>},
    {"isascii", isascii},
    {"isdecimal", all_of_class<decimal>},
    {"isdigit", all_of_class<digit>},
    {"isidentifier", isidentifier},
    {"islower", is_case<false>},
    {"isnumeric", all_of_class<numeric>},
    {"isprintable", isprintable},
    {"isspace", isspace},
    {"istitle", istitle},
    {"isupper", is_case<true>},
    {"join", join},
    {"ljust", justify<Side::left>},
    {"lower", mapped_case<CaseMapping::lower>},
    {"lstrip", strip<Side::left>},
    {"maketrans", refused},
    {"partition", partition<false>},
    {"removeprefix", without_affix<true>},
    {"removesuffix", without_affix<false>},
    {"replace", replace},
    {"rfind", find<true, false>},
    {"rindex", find<true, true>},
    {"rjust", justify<Side::right>},
    {"rpartition", partition<true>},
    {"rsplit", split<true>},
    {"rstrip", strip<Side::right>},
    {"split", split<false>},
    {"splitlines", splitlines},
    {"startswith", has_affix<false>},
    {"strip", strip<Side::both>},
    {"swapcase", mapped_case<CaseMapping::swap>},
    {"title", mapped_case<CaseMapping::title>},
    {"translate", refused},
    {"upper", mapped_case<CaseMapping::upper>},
    {"zfill", zfill},
};

}  // namespace

std::span<const MethodRow> string_methods() { return kMethods; }

}  // namespace bittern::chat::jinja
