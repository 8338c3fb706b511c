// Filters that make texts.
#include <algorithm>

#include "base/error.h"
#include "chat/jinja/characters.h"
#include "chat/jinja/filters.h"
#include "chat/jinja/format_text.h"
#include "chat/jinja/interpreter.h"
#include "chat/jinja/operations.h"
#include "chat/jinja/parameters.h"
#include "chat/jinja/string_operations.h"

namespace bittern::chat::jinja::text_filter {
namespace {

using Args = const Arguments&;

const Str* plain(Interpreter& run, const Str& text) { return run.heap.with_markup(text, false); }

// str(value): a text loses its mark of being safe.
const Str& plain_text(Interpreter& run, const Object& value) {
  return *plain(run, *to_text(run.heap, value));
}

Object with_case(Interpreter& run, const Object& value, Args args, CaseMapping mapping) {
  const Parameters p(run, "a filter of case", args);
  const Str& text = *to_text(run.heap, value);
  return of(run.heap.with_markup(*mapped(run.heap, text, mapping), text.markup));
}

}  // namespace

Object capitalize(Interpreter& run, const Object& value, Args args) {
  return with_case(run, value, args, CaseMapping::capitalize);
}
Object lower(Interpreter& run, const Object& value, Args args) {
  return with_case(run, value, args, CaseMapping::lower);
}
Object upper(Interpreter& run, const Object& value, Args args) {
  return with_case(run, value, args, CaseMapping::upper);
}

Object center(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "center", args, {"width"});
  const Str& text = *to_text(run.heap, value);
  const Str* out = justified(run.heap, text, p.whole_or(0, 80), *run.heap.literal(" "), Side::both);
  return of(run.heap.with_markup(*out, text.markup));
}

Object escape(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "escape", args);
  return of(escaped(run.heap, *to_text(run.heap, value)));
}
Object force_escape(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "forceescape", args);
  return of(escaped(run.heap, plain_text(run, value)));
}
Object safe(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "safe", args);
  return of(run.heap.with_markup(*to_text(run.heap, value), true));
}
Object string(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "string", args);
  return of(to_text(run.heap, value));
}

Object format(Interpreter& run, const Object& value, Args args) {
  const Str& text = *to_text(run.heap, value);
  if (text.markup) run.fail("format: not supported on a text marked safe");
  if (args.named.empty()) return percent_format(run.heap, text, run.heap.tuple(args.positional));
  if (!args.positional.empty())
    run.fail("format: arguments by position or by name expected, got both");
  std::vector<Entry> entries;
  for (const auto& [name, given] : args.named) entries.push_back({run.heap.string(name), given});
  return percent_format(run.heap, text, run.heap.dict(entries));
}

Object indent(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "indent", args, {"width", "first", "blank"});
  if (value.is(Type::undefined)) fail_undefined(run.heap, value);
  if (!value.is(Type::string))
    run.fail(fmt::format("indent: a text expected, got {}", type_name(value.type)));
  const Object width = p.given(0) ? p.at(0) : of(int64_t{4});
  const Object one_space = of(run.heap.literal(" "));
  const Str& step = width.is(Type::string)
                        ? *width.string
                        : *binary(run.heap, Operator::multiply, one_space, width).string;
  const bool blank = p.truth_or(2, false);
  // A final newline begins one more line, which is empty.
  const Object whole = binary(run.heap, Operator::add, value, of(run.heap.literal("\n")));
  TextBuilder out;
  bool first = true;
  for (const Object& line : lines_of(run.heap, *whole.string, false)) {
    const bool indented = first ? p.truth_or(1, false) : blank || !line.string->bytes.empty();
    if (!std::exchange(first, false)) out.append("\n", false);
    run.heap.charge(step.bytes.size() + line.string->bytes.size());
    if (indented) out.append(step);
    out.append(*line.string);
  }
  return of(run.heap.with_markup(*run.heap.text(std::move(out)), value.string->markup));
}

Object replace(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "replace", args, {"old", "new", "count"}, 2);
  const int64_t most = p.at(2).is(Type::none) ? -1 : p.whole(2);
  return of(replaced(run.heap, plain_text(run, value), plain_text(run, p.at(0)),
                     plain_text(run, p.at(1)), most));
}

// Words begin behind white space and - ( { [ <.
Object title(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "title", args);
  const Str& text = *to_text(run.heap, value);
  TextBuilder out;
  const auto add = [&](size_t begin, size_t end, CaseMapping mapping) {
    out.append(*mapped(run.heap, *run.heap.slice(text, begin, end), mapping));
  };
  size_t word = 0;  // where the current word begins
  const auto finish_word = [&](size_t end) {
    if (word >= end) return;
    const size_t first = Characters(*run.heap.slice(text, word, end)).end();
    add(word, word + first, CaseMapping::upper);
    add(word + first, end, CaseMapping::lower);
  };
  for (Characters c(text); !c.done(); c.next()) {
    const bool separates =
        is_space(c.code()) ||
        (c.code() < 0x80 &&
         std::string_view("-({[<").find(static_cast<char>(c.code())) != std::string_view::npos);
    if (!separates) continue;
    finish_word(c.begin());
    out.append(text, c.begin(), c.end());
    word = c.end();
  }
  finish_word(text.bytes.size());
  return of(run.heap.text(std::move(out)));
}

Object to_json(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style{.ensure_ascii = p.truth_or(0, false),
                  .indent = std::nullopt,
                  .item_separator = ", ",
                  .key_separator = ": ",
                  .sort_keys = p.truth_or(3, false)};
  if (const Object given = p.at(1); !given.is(Type::none)) {
    constexpr int64_t kIndentMax = 1000;
    if (given.is(Type::string))
      style.indent = std::string(given.string->bytes);
    else if (p.whole(1) > kIndentMax)
      run.fail(fmt::format("tojson: indent: at most {} expected", kIndentMax));
    else
      style.indent = std::string(static_cast<size_t>(std::max<int64_t>(p.whole(1), 0)), ' ');
    style.item_separator = ",";
  }
  if (const Object given = p.at(2); !given.is(Type::none)) {
    const auto parts = elements(run.heap, given);
    if (parts.size() != 2 || !parts[0].is(Type::string) || !parts[1].is(Type::string))
      run.fail("tojson: separators: two texts expected");
    style.item_separator = parts[0].string->bytes;
    style.key_separator = parts[1].string->bytes;
  }
  TextBuilder out;
  append_json(run.heap, out, value, style);
  return of(run.heap.text(std::move(out)));
}

Object trim(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "trim", args, {"chars"});
  const Str* characters = p.at(0).is(Type::none) ? nullptr : &p.text(0);
  return of(stripped(run.heap, *to_text(run.heap, value), characters, Side::both));
}

Object truncate(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "truncate", args, {"length", "killwords", "end", "leeway"});
  const int64_t length = p.whole_or(0, 255);
  const Str& end = *p.text_or(2, "...");
  const int64_t leeway = p.at(3).is(Type::none) ? 5 : p.whole(3);
  const int64_t kept = length - static_cast<int64_t>(end.length);
  if (kept < 0 || leeway < 0) run.fail("truncate: a length of at least that of the end expected");
  // Beyond any text, without an overflow.
  if (length > INT64_MAX - leeway || jinja::length(run.heap, value) <= length + leeway)
    return value;
  if (!value.is(Type::string))
    run.fail(fmt::format("truncate: a text expected, got {}", type_name(value.type)));
  const Str* cut =
      run.heap.slice(*value.string, 0, byte_offset(*value.string, static_cast<size_t>(kept)));
  if (!p.truth_or(1, false)) {
    const size_t space = cut->bytes.rfind(' ');
    if (space != std::string_view::npos) cut = run.heap.slice(*cut, 0, space);
  }
  return binary(run.heap, Operator::add, of(cut), of(&end));
}

namespace {

void append_quoted_url(Interpreter& run, TextBuilder& out, const Object& value, bool in_query) {
  const Str& text = *to_text(run.heap, value);
  run.heap.charge(text.bytes.size());
  for (Characters c(text); !c.done(); c.next()) {
    for (const char byte : c.bytes()) {
      const bool alphanumeric =
          (byte >= '0' && byte <= '9') || ((byte | 32) >= 'a' && (byte | 32) <= 'z');
      if (alphanumeric || byte == '_' || byte == '.' || byte == '-' || byte == '~' ||
          (byte == '/' && !in_query))
        out.append({&byte, 1}, c.user());
      else if (byte == ' ' && in_query)
        out.append("+", c.user());
      else
        out.append(fmt::format("%{:02X}", static_cast<unsigned char>(byte)), c.user());
    }
  }
}

}  // namespace

Object url_encode(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "urlencode", args);
  TextBuilder out;
  if (value.is(Type::string)) {
    append_quoted_url(run, out, value, false);
    return of(run.heap.text(std::move(out)));
  }
  Object pairs = value;
  if (value.is(Type::dict)) {
    pairs.type = Type::view;
    pairs.view = run.heap.make<View>(View{.kind = View::Kind::items, .mapping = value.mapping});
  }
  const auto items = try_elements(run.heap, pairs);
  if (!items) {
    append_quoted_url(run, out, value, false);
    return of(run.heap.text(std::move(out)));
  }
  bool first = true;
  for (const Object& item : *items) {
    const auto pair = elements(run.heap, item);
    if (pair.size() != 2) run.fail("urlencode: pairs expected");
    if (!std::exchange(first, false)) out.append("&", false);
    append_quoted_url(run, out, pair[0], true);
    out.append("=", false);
    append_quoted_url(run, out, pair[1], true);
  }
  return of(run.heap.text(std::move(out)));
}

Object word_count(Interpreter& run, const Object& value, Args args) {
  const Parameters p(run, "wordcount", args);
  int64_t words = 0;
  bool inside = false;
  for (Characters c(*to_text(run.heap, value)); !c.done(); c.next()) {
    const bool word = c.code() == '_' || is_alphanumeric(c.code());
    words += word && !inside;
    inside = word;
  }
  return of(words);
}

}  // namespace bittern::chat::jinja::text_filter
